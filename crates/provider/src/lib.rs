//! Artifact to running instance.
