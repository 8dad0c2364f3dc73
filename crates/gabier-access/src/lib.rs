//! Who may do what: tokens, permissions, resources and rates.
