//! Faces and engines wired for any list of tools.
