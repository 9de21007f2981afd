//! Instances in the sandbox of this machine.
