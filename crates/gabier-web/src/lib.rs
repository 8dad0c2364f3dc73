//! The HTTP face: listener, REST, OpenAPI and its pages.
