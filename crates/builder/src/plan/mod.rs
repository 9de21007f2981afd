//! Detection: a source into a plan. Pure but for reading files of the source.
//!
//! What frameworks look like is data (`frameworks.toml`); code is where a rule needs logic. `cx.toml` beats a
//! `Procfile`, which beats a framework's rule, which beats a `start` script that only starts a development server.
//! Every field of a plan has its reason beside it. Nothing here knows how a plan is executed.
//!
//! Each language has a folder that implements [`language::Language`]: which package manager installs, what builds, how
//! it is served, which toolchains that needs. Package managers are a table in the folder of their language.

mod detect;
mod dev;
mod go;
mod javascript;
mod language;
mod limits;
mod plain;
mod project;
mod python;
mod rules;
mod rust;
mod shell;
mod view;

#[cfg(test)]
mod tests;

pub use detect::{detect, detect_in, project_file};
pub use dev::detect_dev;
pub(crate) use go::is_own_install as is_go_install;
pub(crate) use javascript::{Manifest, is_own_install as is_npm_install};
pub(crate) use python::{included as included_requirements, is_own_install as is_python_install};
pub(crate) use rust::is_own_install as is_cargo_install;
