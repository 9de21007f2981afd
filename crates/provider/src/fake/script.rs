//! What the fake was told to do: which calls fail and how, and how the instances behave.

use std::collections::{BTreeMap, VecDeque};

/// The calls of a provider that can be made to fail and are counted. `dial` is not among them: it is the visitor's, and
/// fails by itself when its instance does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Ensure,
    Ready,
    Sleep,
    Observe,
    List,
    Remove,
    Logs,
    Usage,
}

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It does nothing and says so.
    Error,
    /// It never comes back and has done nothing.
    Hang,
    /// It does its work, and the answer is lost.
    DoneButFailed,
}

/// How an instance behaves once it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Listens and answers every request with `status`.
    Serve { status: u16 },
    /// Prints `line` and ends at once; `summary` such as `exited with code 1`.
    Exit {
        line: String,
        summary: String,
        out_of_memory: bool,
    },
    /// Runs and never listens.
    NeverListen,
    /// Takes connections and never answers.
    Silent,
}

#[derive(Default)]
pub(super) struct Script {
    made: BTreeMap<Call, u64>,
    next: BTreeMap<Call, VecDeque<How>>,
    /// By the number of the call, counted over all kinds.
    nth: BTreeMap<u64, How>,
    behaviours: Vec<(String, Behaviour)>,
}

impl Call {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ensure => "ensure",
            Self::Ready => "ready",
            Self::Sleep => "sleep",
            Self::Observe => "observe",
            Self::List => "list",
            Self::Remove => "remove",
            Self::Logs => "logs",
            Self::Usage => "usage",
        }
    }
}

impl Script {
    /// Counts a call; gives how it goes wrong, if it does.
    pub(super) fn enter(&mut self, call: Call) -> Option<How> {
        *self.made.entry(call).or_default() += 1;
        let number = self.calls();
        let by_number = self.nth.remove(&number);
        by_number.or_else(|| self.next.get_mut(&call).and_then(VecDeque::pop_front))
    }

    pub(super) fn fail_next(&mut self, call: Call, how: How) {
        self.next.entry(call).or_default().push_back(how);
    }

    pub(super) fn fail_nth(&mut self, nth: u64, how: How) {
        self.nth.insert(self.calls() + nth, how);
    }

    pub(super) fn stop_failing(&mut self) {
        self.next.clear();
        self.nth.clear();
    }

    pub(super) fn calls(&self) -> u64 {
        self.made.values().sum()
    }

    pub(super) fn count(&self, call: Call) -> u64 {
        self.made.get(&call).copied().unwrap_or(0)
    }

    pub(super) fn behave(&mut self, part: &str, behaviour: Behaviour) {
        self.behaviours.push((part.to_owned(), behaviour));
    }

    pub(super) fn behaviour(&self, command: &str) -> Behaviour {
        let rule = self
            .behaviours
            .iter()
            .rev()
            .find(|(part, _)| command.contains(part.as_str()));
        rule.map_or(Behaviour::Serve { status: 200 }, |(_, behaviour)| {
            behaviour.clone()
        })
    }
}
