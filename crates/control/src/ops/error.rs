//! Why an operation was not done: what happened, the value involved, what to do next.

use std::fmt;

/// What sort of refusal it is; each has its status over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Invalid,
    NotFound,
    Conflict,
    TooLarge,
    Forbidden,
    Unavailable,
    /// The disk has no room for it.
    NoRoom,
    Internal,
}

/// An operation was not done, and nothing was changed.
#[derive(Clone, Debug)]
pub struct OpError {
    pub kind: Kind,
    /// A stable name that programs can rely on.
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

impl OpError {
    pub(crate) fn new(kind: Kind, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, code, message)
    }

    pub(crate) fn not_found(what: &str, name: impl fmt::Display) -> Self {
        let error = Self::new(
            Kind::NotFound,
            "not_found",
            format!("there is no {what} `{name}`"),
        );
        error.hint("`cx list` shows what there is.")
    }

    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        let error = Self::new(
            Kind::Internal,
            "internal",
            format!("the server could not do it: {error}"),
        );
        error.hint("See the server's log; nothing was changed.")
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for OpError {}

impl From<sqlx::Error> for OpError {
    fn from(error: sqlx::Error) -> Self {
        Self::internal(error)
    }
}

impl From<crate::secret::SealError> for OpError {
    fn from(error: crate::secret::SealError) -> Self {
        Self::internal(error)
    }
}
