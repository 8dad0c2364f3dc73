//! SSH itself, by russh: handshake, login, channels. Its types go no further than this folder.

mod algorithms;
mod channel;
mod connection;
mod credential;
mod cut;
mod handshake;
mod login;
mod stream;

pub(crate) use channel::{Channel, Drained, Ended, Event, Stream, Writer};
pub(crate) use connection::{Connection, Refusal, Service, ask};
pub(crate) use credential::Credentials;
pub(crate) use handshake::{Handshake, Traffic};
