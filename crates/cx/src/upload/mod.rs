//! From a directory to blobs and a tree on the server: walk, leave out, hash, ask what is missing, send only that.
//!
//! Guards against sending what nobody meant to send (`.git`, `.env` files that git does not track, installed
//! dependencies), against links that leave the directory, and against files that change under our hands. It does *not*
//! know what is deployed where.

mod cache;
mod git;
mod hash;
mod rules;
mod send;
mod walk;

pub(crate) use hash::{Manifest, Source, prepare};
pub(crate) use send::{Sent, send};
