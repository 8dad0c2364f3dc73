//! The web server on real loopback sockets, over a small catalog.

#![expect(clippy::unwrap_used, reason = "the helpers fail as the tests that call them do")]

mod client;
mod fixture;
mod front;
mod limits;
mod listener;
mod openapi;
mod pages;
mod rest;
mod tls;
