//! Source to plan to artifact, in the sandbox.
