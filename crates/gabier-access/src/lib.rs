//! Who may do what: tokens, permissions, resources and rates.
//!
//! [`Access`] says who calls and what that caller may do; [`Limits`] whether there is room for the call. Tokens rest
//! in the store as digests, with what they grant; the functions that make, list, change and revoke them are on
//! [`Access`] too.

pub mod secret;

mod access;
mod bootstrap;
mod bucket;
mod capped;
mod edit;
mod grant;
mod guesses;
mod ledger;
mod manage;
mod mint;
mod rate;
mod scope;
mod settings;
mod source;
mod token;

pub use access::Access;
pub use bootstrap::Bootstrap;
pub use edit::{Changed, Edit};
pub use grant::{Grant, TokenState};
pub use manage::Listed;
pub use mint::{Expiry, Minted, NewToken};
pub use rate::Limits;
pub use settings::{Guesses, InFlight, PerMinute, Rates, Settings, Stdio};
pub use token::{Token, TokenId, TokenKind};
