//! From Rust types to JSON Schema 2020-12, and from there to every face.

mod assemble;
mod generate;
mod normalise;
mod param;
mod validate;

pub use assemble::assemble;
pub use generate::{input, output, schemas, title_of};
pub use param::{Kind, Param};
pub use validate::Validator;
