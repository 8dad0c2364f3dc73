//! The shipped binary: the kit with the toolbox.

fn main() {}
