//! Request to instance: hosts, proxying, static files.
