//! The web server on real loopback sockets, over a small catalog.

mod client;
mod fixture;
mod front;
mod limits;
mod listener;
mod openapi;
mod pages;
mod rest;
mod tls;
