//! How a command ends: the documented exit codes, and errors that carry one.
//!
//! Programs call `cx` too, so a code means one thing and stays. Whatever has no [`Fault`] is our own mistake and ends
//! with 70.

use std::fmt;

/// The exit codes, as `cx help` documents them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    Ok = 0,
    /// The deployment, the project or the request is at fault.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// No server answers.
    Unreachable = 3,
    /// What was named does not exist.
    NotFound = 4,
    /// The server, or the person asked, said no.
    Refused = 5,
    /// A mistake of Cygni.
    Internal = 70,
    /// Ended by Ctrl-C.
    Interrupted = 130,
}

/// What `cx --help` says about them.
pub(crate) const EXIT_CODES: &str = "Exit codes: 0 done · 1 the deployment or the project failed · 2 wrong usage · \
3 no server answers · 4 not found · 5 refused or not authorised · 70 a mistake of Cygni · 130 interrupted";

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An expected error: what happened, what to do next, and how the process ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) exit: Exit,
    /// A stable name for programs.
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The project or the request is at fault.
    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, code, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The fault behind `error`; anything unexpected becomes one of ours.
pub(crate) fn fault_of(error: &anyhow::Error) -> Fault {
    if let Some(fault) = error.chain().find_map(|cause| cause.downcast_ref::<Fault>()) {
        return fault.clone();
    }
    let message = error
        .chain()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    Fault::new(Exit::Internal, "internal", message)
}

/// `error`, with `hint` in place of its own where what was named is not there: we know better where to look.
pub(crate) fn instead(error: &anyhow::Error, hint: &str) -> Fault {
    let mut fault = fault_of(error);
    if fault.exit == Exit::NotFound {
        fault.hint = Some(hint.to_owned());
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_fault_is_found_below_its_context() {
        let fault = Fault::failed("x", "it broke").hint("mend it");
        let error = Err::<(), _>(anyhow::Error::new(fault.clone()))
            .context("while trying")
            .unwrap_err();
        assert_eq!(fault_of(&error), fault);
    }

    #[test]
    fn only_what_is_missing_gets_another_hint() {
        let error = |exit| anyhow::Error::new(Fault::new(exit, "x", "y").hint("old"));
        assert_eq!(
            instead(&error(Exit::NotFound), "new").hint.as_deref(),
            Some("new")
        );
        assert_eq!(instead(&error(Exit::Refused), "new").hint.as_deref(), Some("old"));
    }

    #[test]
    fn anything_else_is_ours() {
        let fault = fault_of(&anyhow::anyhow!("inner").context("outer"));
        assert_eq!(
            (fault.exit, fault.message.as_str()),
            (Exit::Internal, "outer: inner")
        );
    }
}
