//! The only way out over HTTP: a client that vets every address.
