//! Operations: what people and programs can ask for. Each checks, writes rows in one transaction, and rings a bell; the
//! passes do the rest. Command line, API and dashboard are thin skins over these.

mod blobs;
mod deliver;
mod deploy;
mod error;
mod follow;
mod forges;
mod heads;
mod live;
mod namespaces;
mod previews;
mod projects;
mod repositories;
mod rollback;
mod settings;
mod subscribers;
mod usage;
mod watching;

pub use blobs::InlineFile;
pub use deliver::{DeliverError, Delivered};
pub use deploy::DeployRequest;
pub(crate) use deploy::{Making, prepared_by};
pub use error::{Kind, OpError};
pub use forges::{ForgeApp, ForgeKind, NewForge};
pub use live::{LiveDirectory, PROOF_PREFIX};
pub(crate) use previews::WantedPreview;
pub use previews::{NewPreview, PreviewChange};
pub(crate) use usage::Counted;

pub use repositories::{NewConnection, ProjectChange};
pub use settings::{NewVariable, Scope};
pub use subscribers::{NewSubscriber, Replay};
pub use watching::WATCH_SECONDS;
