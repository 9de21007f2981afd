//! The journal of one deployment: its build log on disk and its phases in rows, both live.
//!
//! The builder reports from wherever it is, without waiting; phases pass through a short queue to whoever writes rows.

use std::sync::{Mutex, PoisonError};

use builder::Observer;
use model::limits::LOG_BYTES_MAX;
use model::{DeploymentId, NamespaceName, ProjectName};
use sandbox::log::{Level, Redactor, Writer};
use tokio::sync::mpsc;

use crate::control::Control;
use crate::rows::event::{NewEvent, add};
use crate::rows::{self, deployment::Deployment};
use crate::view;

/// The name of the log's files in the deployment's directory.
pub(crate) const BUILD_LOG: &str = "build";

/// Writes the build log of a deployment and notes its phases.
pub(crate) struct Journal {
    control: Control,
    deployment: DeploymentId,
    project: ProjectName,
    namespace: NamespaceName,
    log: Mutex<Option<Writer>>,
    /// Only phases travel here, a dozen per deployment, then `None` as the end; a bounded queue could make the builder
    /// wait for the database.
    phases: mpsc::UnboundedSender<Option<Mark>>,
    marks: Mutex<Option<mpsc::UnboundedReceiver<Option<Mark>>>>,
}

struct Mark {
    name: String,
    at_ms: i64,
    started: bool,
}

impl Journal {
    /// Opens the log of the deployment, with `secrets` kept out of it. A log that cannot be written is reported to the
    /// server's own log and does not stop the deployment.
    pub(crate) fn open(control: &Control, deployment: &Deployment, secrets: &[String]) -> Self {
        let directory = control.log_directory(&deployment.id);
        let opened = std::fs::create_dir_all(&directory)
            .and_then(|()| Writer::open(&directory, BUILD_LOG, LOG_BYTES_MAX, Redactor::new(secrets)));
        let log = match opened {
            Ok(writer) => Some(writer),
            Err(error) => {
                tracing::error!(deployment = %deployment.id, %error, "the build log cannot be written");
                None
            }
        };
        let (phases, marks) = mpsc::unbounded_channel();
        Self {
            control: control.clone(),
            deployment: deployment.id.clone(),
            project: deployment.project.clone(),
            namespace: deployment.namespace.clone(),
            log: Mutex::new(log),
            phases,
            marks: Mutex::new(Some(marks)),
        }
    }

    /// Writes a line of the platform's own.
    pub(crate) fn info(&self, text: &str) {
        self.line(Level::Info, text);
    }

    /// Runs `work` and writes the phases it marks, side by side: neither may wait for the other's transaction. Returns
    /// when both are done.
    pub(crate) async fn with_phases<T>(&self, work: impl Future<Output = T>) -> T {
        let taken = self.marks.lock().unwrap_or_else(PoisonError::into_inner).take();
        let marked = async {
            let output = work.await;
            // The receiver lives in the other future.
            let _ = self.phases.send(None);
            output
        };
        let written = async {
            let Some(mut marks) = taken else { return };
            while let Some(Some(mark)) = marks.recv().await {
                self.write(mark).await;
            }
        };
        tokio::join!(marked, written).0
    }

    async fn write(&self, mark: Mark) {
        let written = if mark.started {
            self.write_start(&mark).await
        } else {
            self.write_end(&mark).await
        };
        if let Err(error) = written {
            tracing::warn!(deployment = %self.deployment, %error, phase = mark.name, "a phase could not be noted");
        }
        self.control.inner.news.ring();
    }

    async fn write_start(&self, mark: &Mark) -> Result<(), sqlx::Error> {
        let phase = view::Phase {
            name: mark.name.clone(),
            started_at_ms: mark.at_ms,
            millis: None,
        };
        let mut tx = self.control.db().begin().await?;
        rows::phase::add(&mut *tx, &self.deployment, &phase).await?;
        let event = NewEvent {
            kind: "deployment.phase",
            project: Some(&self.project),
            namespace: Some(&self.namespace),
            deployment: Some(&self.deployment),
            detail: vec![("phase", mark.name.clone())],
        };
        add(&mut *tx, mark.at_ms, event).await?;
        tx.commit().await
    }

    async fn write_end(&self, mark: &Mark) -> Result<(), sqlx::Error> {
        rows::phase::end(
            self.control.db().write(),
            &self.deployment,
            &mark.name,
            mark.at_ms,
        )
        .await
    }

    fn mark(&self, name: &str, started: bool) {
        let mark = Mark {
            name: name.to_owned(),
            at_ms: self.control.now(),
            started,
        };
        // Phases outside of `with_phases` have nobody to write them.
        let _ = self.phases.send(Some(mark));
    }
}

impl Observer for Journal {
    fn phase_started(&self, name: &str) {
        self.mark(name, true);
    }

    fn phase_ended(&self, name: &str) {
        self.mark(name, false);
    }

    fn line(&self, level: Level, text: &str) {
        if let Some(log) = self.log.lock().unwrap_or_else(PoisonError::into_inner).as_mut()
            && let Err(error) = log.line(level, text)
        {
            tracing::warn!(deployment = %self.deployment, %error, "a line of the build log is lost");
        }
        self.control.inner.lines.ring();
    }
}
