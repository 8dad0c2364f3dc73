//! From Rust types to JSON Schema 2020-12, and from there to every face.

mod assemble;
mod flatten;
mod generate;
mod mcp;
mod normalise;
mod openapi;
mod param;
mod resolve;
mod slim;
mod validate;

pub use assemble::{assemble, words};
pub use generate::{input, output, schemas, title_of};
pub use mcp::{Detail, Side, mcp_hints, mcp_input, mcp_output, mcp_schema};
pub use normalise::known_name;
pub use openapi::{OpenApi, ShortPath, is_linkable, openapi};
pub use param::{Kind, Param, RESERVED, kebab};
pub use validate::Validator;
