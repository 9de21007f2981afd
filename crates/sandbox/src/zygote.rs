//! The small process that makes sandboxes.

/// Must be the first statement of `main`: returns at once unless this process was started as a zygote.
pub fn run_if_zygote() {}
