//! From Rust types to JSON Schema 2020-12, and from there to every face.

mod assemble;
mod flatten;
mod generate;
mod normalise;
mod param;
mod resolve;
mod validate;

pub use assemble::{assemble, words};
pub use generate::{input, output, schemas, title_of};
pub use param::{Kind, Param, RESERVED, kebab};
pub use validate::Validator;
