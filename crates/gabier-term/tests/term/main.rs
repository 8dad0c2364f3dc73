//! The terminal faces from outside: words in, text and exit code out.

mod command_line;
mod completion;
mod display;
mod fixture;
mod foreign;
