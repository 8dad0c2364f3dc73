//! What the transport may use and for how long.

use std::path::PathBuf;
use std::time::Duration;

/// Limits and places, from the configuration.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Connect, key exchange and login together, for each host on the way.
    pub connect_limit: Duration,
    /// Connections to one host that carry commands.
    pub max_connections: usize,
    /// Connections to one host that stay although nothing uses them.
    pub min_connections: usize,
    /// An unused connection closes after this.
    pub idle_limit: Duration,
    /// A silent connection is asked for a sign of life this often; the third unanswered one ends it.
    pub keep_alive: Duration,
    /// The longest a command waits for a connection.
    pub wait_limit: Duration,
    /// Folders that private keys are read from; empty means anywhere.
    pub key_roots: Vec<PathBuf>,
    /// The socket of the user's agent.
    pub agent: Option<PathBuf>,
    /// The user's and the machine's `known_hosts` files.
    pub known_hosts: Vec<PathBuf>,
    /// Where unfinished transfers are remembered; without it they begin anew.
    pub transfers: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_limit: Duration::from_secs(10),
            max_connections: 5,
            min_connections: 0,
            idle_limit: Duration::from_mins(5),
            keep_alive: Duration::from_secs(30),
            wait_limit: Duration::from_secs(30),
            key_roots: Vec::new(),
            agent: None,
            known_hosts: Vec::new(),
            transfers: None,
        }
    }
}
