//! The core seen from outside: a list of tools, a hand-turned clock and guards that answer as they are told.

mod dispatch;
mod fixture;
mod schema;
