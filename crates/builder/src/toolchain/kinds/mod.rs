//! The kinds of toolchains, one file each.

pub(super) mod go;
pub(super) mod node;
pub(super) mod npm;
pub(super) mod python;
pub(super) mod rust;
pub(super) mod uv;
