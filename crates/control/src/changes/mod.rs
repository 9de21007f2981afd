//! What is known of pull requests and branches, and what follows from it. Pure: no rows, no clock, no forge.

mod decide;
mod head;
mod paths;
mod verdict;

pub(crate) use decide::{Candidate, ProjectFacts, decide};
pub(crate) use head::{Head, Truth};
pub(crate) use paths::{names_branch, touches};
pub(crate) use verdict::{Basis, Settings, Verdict};
