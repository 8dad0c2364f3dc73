//! The terminal faces: command line, interactive shell and display.
