//! Change in, source in, report out: the only crate with the words of forges (GitHub, Gitea, Forgejo).
//!
//! A webhook becomes [`Change`]s, which are hints: what is true is asked from the forge through [`Forge`] before
//! anything is done. A [`Report`] is rendered into [`Message`]s by pure functions, and the forge is asked to show them.
//! This crate does *not* know previews, rows or builds, never waits by itself, and keeps no state that matters: whoever
//! calls remembers which message became which comment.

pub mod change;
pub mod command;
#[cfg(feature = "fake")]
pub mod contract;
mod error;
#[cfg(feature = "fake")]
pub mod fake;
mod forge;
pub mod gitea;
pub mod github;
mod http;
pub mod report;
pub mod settings;
mod signature;
pub mod source;

pub use change::Change;
pub use error::ForgeError;
pub use forge::{Capabilities, DeliveryError, Envelope, Forge, Headers, Listing};
pub use report::{Message, Report};
pub use settings::{Credentials, Kind, OpenError, Reach, Settings, open};
