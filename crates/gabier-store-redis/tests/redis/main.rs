//! The store on a real server, which the tests start; and with BullMQ on Node beside it.

mod bullmq;
mod faults;
mod peer;
mod presence;
mod queue;
mod records;
mod scripts;
mod server;
mod support;
