//! Calls that outlive their request: tasks, the workers that run them, what follows them.
