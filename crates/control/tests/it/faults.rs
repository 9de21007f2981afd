//! One fault in one run: at the nth call that leaves control, whatever it is, the world does not do as it is asked.
//!
//! Every way out of control goes through a [`Lifeline`]: provider, runner, probe, route tables, commits. It counts the calls
//! and strikes at one of them. When the platform dies, its lifeline lets nothing through any more, and whoever tells the
//! story starts another one.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::watch;

/// How a call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It does nothing and says so.
    Refused,
    /// It never comes back and has done nothing.
    Hung,
    /// It does its work and reports a failure.
    AnswerLost,
    /// The platform dies before the call does anything.
    Death,
    /// The call does its work, and the platform dies before it hears of it.
    DeathAfter,
}

/// A way out of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seam {
    Provider(&'static str),
    Runner,
    Forge(&'static str),
    Probe,
    Sender,
    Table,
    Commit,
    Store,
}

impl How {
    pub(crate) const ALL: [Self; 5] = [
        Self::Refused,
        Self::Hung,
        Self::AnswerLost,
        Self::Death,
        Self::DeathAfter,
    ];

    /// A disk answers or fails; SQLite never loses an answer and bounds its own waiting; an edge takes a table sooner or later, and dies with us.
    fn strikes(self, seam: Seam) -> bool {
        match seam {
            Seam::Provider(_) | Seam::Forge(_) | Seam::Runner | Seam::Probe | Seam::Sender => true,
            Seam::Commit | Seam::Store => matches!(self, Self::Refused | Self::Death | Self::DeathAfter),
            Seam::Table => matches!(self, Self::Hung | Self::AnswerLost | Self::Death),
        }
    }
}

/// The fault of one run, and whether it has happened. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    fault: Option<(How, u64)>,
    calls: u64,
    struck: Option<Seam>,
    /// Promises that were seen broken.
    broken: Vec<String>,
}

impl Faults {
    /// Nothing goes wrong.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// The `nth` call to which it can happen goes wrong in the way of `how`.
    pub(crate) fn at(how: How, nth: u64) -> Self {
        let faults = Self::default();
        faults.plan().fault = Some((how, nth));
        faults
    }

    /// Which call went wrong, once it has.
    pub(crate) fn struck(&self) -> Option<Seam> {
        self.plan().struck
    }

    /// Promises that were seen broken on the way.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.plan().broken.clone()
    }

    fn next(&self, seam: Seam) -> Option<How> {
        let mut plan = self.plan();
        let (how, nth) = plan.fault.filter(|(how, _)| how.strikes(seam))?;
        plan.calls += 1;
        (plan.calls == nth).then(|| {
            plan.struck = Some(seam);
            how
        })
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap()
    }
}

/// Connects one life of the platform with the world.
#[derive(Clone)]
pub(crate) struct Lifeline {
    faults: Faults,
    dead: Arc<watch::Sender<bool>>,
    /// Calls that hang now.
    hung: Arc<watch::Sender<usize>>,
}

/// A call that hangs, until it is given up.
pub(crate) struct Hanging(Arc<watch::Sender<usize>>);

impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.send_modify(|hung| *hung -= 1);
    }
}

impl Lifeline {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self {
            faults: faults.clone(),
            dead: Arc::new(watch::Sender::new(false)),
            hung: Arc::new(watch::Sender::new(0)),
        }
    }

    pub(crate) fn death(&self) -> watch::Receiver<bool> {
        self.dead.subscribe()
    }

    pub(crate) fn hanging(&self) -> watch::Receiver<usize> {
        self.hung.subscribe()
    }

    /// Notes what is broken, to be told in the end: a panic here would be one of the platform.
    pub(crate) fn demand(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.faults.plan().broken.push(what());
        }
    }

    /// From now on nothing gets through.
    pub(crate) fn cut(&self) {
        self.dead.send_replace(true);
    }

    /// Makes the call `work` through `seam`; `refused` is what it says when it fails.
    pub(crate) async fn call<T>(
        &self,
        seam: Seam,
        work: impl Future<Output = T> + Send,
        refused: impl FnOnce() -> T + Send,
    ) -> T {
        match self.strike(seam).await {
            None => {
                let done = work.await;
                self.alive().await;
                done
            }
            Some(How::Refused) => refused(),
            Some(How::AnswerLost) => {
                work.await;
                refused()
            }
            Some(How::Hung) => {
                let _hanging = self.hang();
                std::future::pending().await
            }
            Some(How::Death) => self.die().await,
            Some(How::DeathAfter) => {
                work.await;
                self.die().await
            }
        }
    }

    /// What happens to this call. Whoever is dead makes none.
    pub(crate) async fn strike(&self, seam: Seam) -> Option<How> {
        self.alive().await;
        self.faults.next(seam)
    }

    /// Whether what is about to be written at `seam` is written.
    pub(crate) fn write(&self, seam: Seam) -> bool {
        if *self.dead.borrow() {
            return false;
        }
        match self.faults.next(seam) {
            None | Some(How::Hung | How::AnswerLost) => true,
            Some(How::Refused) => false,
            Some(How::Death) => {
                self.cut();
                false
            }
            Some(How::DeathAfter) => {
                self.cut();
                true
            }
        }
    }

    pub(crate) fn hang(&self) -> Hanging {
        self.hung.send_modify(|hung| *hung += 1);
        Hanging(self.hung.clone())
    }

    pub(crate) async fn die<T>(&self) -> T {
        self.cut();
        std::future::pending().await
    }

    async fn alive(&self) {
        if *self.dead.borrow() {
            std::future::pending::<()>().await;
        }
    }
}
