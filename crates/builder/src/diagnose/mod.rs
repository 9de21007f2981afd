//! What the output of a tool says about why it failed: where in the source, and what its author should do.
//!
//! Guards against a person having to read a hundred lines to find the one that matters, and against places that are
//! none: a location counts only when its file is part of the source, so neither a dependency's stack frame nor a URL is
//! taken for one. What tools print is data (`locations.toml`, `causes.toml`); this module knows none of them by name,
//! and nothing of builds: the log of a server that ended is read in the same way.

mod causes;
mod locations;
mod rules;

use model::{Failure, Tree};

/// The source that the output is about.
#[derive(Clone, Copy, Debug)]
pub struct Sources<'a> {
    pub tree: &'a Tree,
    /// The directory of the tree in which the tool ran.
    pub root: &'a str,
}

/// `failure` with what `lines`, the tool's output, say of it.
pub fn explain(failure: Failure, lines: &[String], sources: Sources<'_>) -> Failure {
    let lines: Vec<String> = lines.iter().map(|line| rules::without_colour(line)).collect();
    let failure = failure.locations(locations::find(&lines, sources));
    match causes::find(&lines) {
        Some(cause) => cause.added_to(failure),
        None => failure,
    }
}
