//! Why a forge did not do what it was asked for. Whoever calls decides by the variant alone whether and when to try again.

use std::time::Duration;

/// A call that did not succeed. Nothing may be concluded from it about what exists, but for [`ForgeError::NotFound`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The forge answered, whole and well-formed, that this is not there; or not for us, which it does not tell apart.
    #[error("{what} is not there, or not visible to us")]
    NotFound { what: String },
    /// The credentials are wrong, expired for good, or do not allow this. A token that can be made anew has been, once.
    #[error("the forge refused our credentials: {message}")]
    Denied { message: String },
    /// Too many calls; not to be tried again before `retry_after`.
    #[error("the forge asks us to wait {} s: {message}", .retry_after.as_secs())]
    Limited { retry_after: Duration, message: String },
    /// It understood and will not: a validation error, a conflict. Trying again gives the same.
    #[error("the forge refused ({status}): {message}")]
    Refused { status: u16, message: String },
    /// No whole, well-formed answer: no connection, time out, 5xx, cut off, not JSON, too long. Try again later.
    #[error("the forge cannot be reached: {message}")]
    Unavailable { message: String },
    /// This kind of forge has no such thing; its capabilities say so.
    #[error("this forge has no {0}")]
    Unsupported(&'static str),
}

impl ForgeError {
    /// Whether the same call may succeed later without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Limited { .. } | Self::Unavailable { .. })
    }
}
