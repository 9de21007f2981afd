//! Rows, passes and operations.
