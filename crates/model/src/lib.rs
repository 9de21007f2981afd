//! The nouns, the deployment state machine and the limits.
