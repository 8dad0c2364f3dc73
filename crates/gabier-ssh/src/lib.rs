//! The [`Host`](gabier_host) trait over SSH.

pub mod sftp;
pub mod trust;
