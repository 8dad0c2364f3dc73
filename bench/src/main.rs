//! Benchmarks against named yardsticks.

fn main() {}
