//! Records on a real server, which the tests start.

mod queue;
mod records;
mod server;
