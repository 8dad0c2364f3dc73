//! The program under test and its surroundings: homes, processes, pipes, requests, stand-ins for the world.

mod home;
mod http;
mod pipe;
mod process;
mod server;
mod stub;
mod token;

pub(crate) use home::Home;
pub(crate) use http::{Answer, Listening, Request, connect, get, post};
pub(crate) use pipe::Pipe;
pub(crate) use process::{Done, PATIENCE, Running, Watched, is_set, number, program};
pub(crate) use server::Server;
pub(crate) use stub::{Dns, Trap, Web, silent};
pub(crate) use token::{expire, mint};
