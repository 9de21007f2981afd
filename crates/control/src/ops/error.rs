//! Why an operation was not done: what happened, the value involved, what to do next.

use std::fmt;

/// SQLite's code for a disk that is full (sqlite.org, "Result and Error Codes").
const SQLITE_FULL: &str = "13";

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

    /// The same for a name, with the one that was probably meant.
    pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let error = Self::not_found(what, name);
        match model::name::nearest(name, known) {
            Some(meant) => {
                let hint = format!("Did you mean `{meant}`? {}", error.hint);
                error.hint(hint)
            }
            None => error,
        }
    }

    /// Nothing more can be written.
    pub(crate) fn full() -> Self {
        let error = Self::new(Kind::NoRoom, "disk_full", "the server's disk is full");
        error
            .hint("What serves goes on. Delete previews that nobody needs, or give the server a larger disk.")
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
        let code = error.as_database_error().and_then(|error| error.code());
        match code.as_deref() {
            Some(SQLITE_FULL) => Self::full(),
            _ => Self::internal(error),
        }
    }
}

impl From<crate::secret::SealError> for OpError {
    fn from(error: crate::secret::SealError) -> Self {
        Self::internal(error)
    }
}
