//! Bad input over HTTP: each thing bounded, answered clearly, and survived.

mod bodies;
mod crowds;
mod origins;
mod stopping;
mod tokens;
