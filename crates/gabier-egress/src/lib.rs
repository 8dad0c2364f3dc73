//! The only way out over HTTP: a client that vets every address before it dials.
//!
//! Whoever needs a page builds a [`Request`] with the [`Reach`] its caller deserves and hands it to [`Egress::send`].
//! Names are resolved here, the whole answer is vetted, and only vetted addresses are dialled; every redirect goes
//! through the same door.

mod address;
mod client;
mod over;
mod resolve;
mod settings;
mod vet;

pub use address::{Class, classify};
pub use client::{BODY_LIMIT, DIRECT_LIMIT, Egress, MAX_REDIRECTS, Page, Request, TIME_LIMIT, reason_of};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use over::{destination, send_over};
pub use resolve::{Names, SystemNames};
pub use settings::{Allow, Cidr, Settings};
pub use vet::{Reach, Refusal};
