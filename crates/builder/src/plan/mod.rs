//! Detection: a source into a plan. Pure but for reading files of the source.
//!
//! What frameworks look like is data (`frameworks.toml`); code is where a rule needs logic. `cx.toml` beats a
//! `Procfile`, which beats a framework's rule, which beats a `start` script that only starts a development server.
//! Every field of a plan has its reason beside it. Nothing here knows how a plan is executed.

mod detect;
mod dev;
mod javascript;
mod limits;
mod manager;
mod manifest;
mod node;
mod output;
mod rules;
mod serve;
mod shell;
mod view;

#[cfg(test)]
mod tests;

pub use detect::{detect, project_file};
pub use dev::detect_dev;
pub(crate) use manager::is_own_install;
pub(crate) use manifest::Manifest;
