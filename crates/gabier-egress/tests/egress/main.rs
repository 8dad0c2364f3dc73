//! The way out over HTTP against real listeners on loopback.

mod bodies;
mod names;
mod redirects;
mod secrecy;
mod spellings;
mod stub;
