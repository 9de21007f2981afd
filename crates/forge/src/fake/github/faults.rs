//! What can go wrong with a call, told in advance.

use std::time::Duration;

/// What happens instead of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection is closed without an answer, and nothing is done.
    Down,
    /// It is done, and then the connection is closed without an answer.
    DoneThenDown,
    /// No answer ever, while the connection stays.
    Hang,
    /// An error of that status, in GitHub's form.
    Status(u16),
    /// The same, in those words.
    Said(u16, &'static str),
    /// An error page of somebody in between.
    Page(u16),
    /// A token that is not taken any more, although it should be.
    Unauthorized,
    /// Too much at once: 403 with `retry-after`.
    Secondary { retry_after: Duration },
    /// Too much in this hour: 403 with a time from which on it is enough.
    Primary { reset_in: Duration },
    /// An answer that ends in its middle.
    Truncated,
    /// A good status with something that is not JSON.
    NotJson,
    /// A list that is suddenly empty.
    Empty,
    /// More than anybody would read.
    Endless,
}

/// When it happens.
#[derive(Clone, Debug)]
pub struct Rule {
    pub(super) fault: Fault,
    method: Option<String>,
    path: String,
    skip: u32,
    times: u32,
}

impl Rule {
    /// At every call from now on.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            method: None,
            path: String::new(),
            skip: 0,
            times: u32::MAX,
        }
    }

    /// At the next call.
    pub fn once(fault: Fault) -> Self {
        Self::always(fault).times(1)
    }

    /// That often.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Not before that many calls it would fit went well.
    #[must_use]
    pub fn after(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Only at paths that contain this.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self
        }
    }

    /// Only at calls of this method, such as `post`.
    #[must_use]
    pub fn method(self, method: &str) -> Self {
        Self {
            method: Some(method.to_ascii_lowercase()),
            ..self
        }
    }

    /// The fault of this call, if it is time for it.
    pub(super) fn strike(&mut self, method: &str, path: &str) -> Option<Fault> {
        let fits = self.method.as_deref().is_none_or(|wanted| wanted == method) && path.contains(&self.path);
        if !fits || self.times == 0 {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(self.fault)
    }
}
