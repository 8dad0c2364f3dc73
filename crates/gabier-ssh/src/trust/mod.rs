//! Whom to trust and how to reach them: known_hosts and ssh_config, read as OpenSSH reads them.
