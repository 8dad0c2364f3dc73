//! What a tool is: its definition, its catalog, and the one way to call it.
