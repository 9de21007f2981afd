//! Words for people: colours, tables, the progress of a deployment, plans.
//!
//! Everything that decides on words is a pure function with its result in a test; only [`Terminal`] prints. Results go
//! to standard output, everything else to standard error.

mod change;
mod failure;
mod paint;
mod plan;
mod progress;
mod screen;
mod table;
mod time;
mod transcript;

pub(crate) use change::{Outcome, change_lines, changed_files};
pub(crate) use failure::failure_lines;
pub(crate) use paint::{Paint, hint, plain};
pub(crate) use plan::plan_lines;
pub(crate) use progress::{Progress, log_line, status_word};
pub(crate) use screen::Terminal;
pub(crate) use table::table;
pub(crate) use time::{ago, now_ms, until};
pub(crate) use transcript::Transcript;
