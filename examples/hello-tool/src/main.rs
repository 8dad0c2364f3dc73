//! A server with one tool of its own.

fn main() {}
