//! What a host can do: run commands, move files, forward ports; and which hosts there are.
