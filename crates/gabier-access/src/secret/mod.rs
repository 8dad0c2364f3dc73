//! Secrets at rest: one sealed record in the store, whose key is not there.
//!
//! [`Vault`] keeps passwords, keys and passphrases by [`SecretName`]. It protects data at rest only: who has the store
//! and the key reads everything, and who can write the whole record can put an older one in its place.

mod key;
mod key_file;
mod keys;
mod name;
mod sealed;
mod vault;

pub use keys::{KeyChoice, Keys};
pub use name::SecretName;
pub use vault::{Listing, Seal, Stored, Vault};
