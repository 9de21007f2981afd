//! Runs a command in isolation on Linux and keeps it alive without us.
