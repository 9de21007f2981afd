//! Rows as a report: what people at the forge are to know of a pull request or a branch.
//!
//! A preview that sleeps is told as ready. Every visit wakes it, and nobody wants to hear of that.

use forge::report::{ProjectReport, Report, Status};
use model::commit::CommitSha;
use model::deployment::State;

use super::AnyError;
use crate::changes::{Head, Verdict};
use crate::control::Control;
use crate::rows::deployment::Deployment;
use crate::rows::head::HeadRow;
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::Repository;
use crate::rows::verdict::VerdictRow;
use crate::rows::{self};

/// What a project of a head has.
struct Part<'a> {
    head: &'a HeadRow,
    row: &'a VerdictRow,
    project: &'a ProjectRepository,
    /// The address of its preview, where it has one.
    url: Option<String>,
    /// Its deployments, newest first.
    deployments: Vec<Deployment>,
}

impl Control {
    /// The reports of all heads of the repository that were looked at; those that go on come first.
    pub(super) async fn reports(&self, repository: &Repository) -> Result<Vec<(Head, Report)>, AnyError> {
        let db = self.db().read();
        let projects = rows::project_repository::of_repository(db, &repository.id).await?;
        let verdicts = rows::verdict::of(db, &repository.id).await?;
        let mut heads = rows::head::of(db, &repository.id).await?;
        heads.sort_by_key(|head| head.over);
        let mut reports = Vec::new();
        for head in &heads {
            let Some(truth) = &head.truth else { continue };
            let mut parts = Vec::new();
            for project in &projects {
                let mut rows = verdicts.iter();
                let row = rows.find(|row| row.head == head.head && row.project == project.project_id);
                if let Some(row) = row {
                    parts.push(self.part((head, row, project)).await?);
                }
            }
            let base = || parts.first().map(|part| part.row.basis.base.clone());
            // Of what is gone nothing is known, and of its commit nothing is said.
            let Some(commit) = truth.commit().cloned().or_else(base) else {
                continue;
            };
            let report = self.report_of(head, commit, &parts).await?;
            reports.push((head.head.clone(), report));
        }
        Ok(reports)
    }

    async fn part<'a>(
        &self,
        (head, row, project): (&'a HeadRow, &'a VerdictRow, &'a ProjectRepository),
    ) -> Result<Part<'a>, sqlx::Error> {
        let preview = rows::preview::by_name(self.db().read(), &project.project, &head.namespace).await?;
        let deployments = match &preview {
            Some(preview) => rows::deployment::of(self.db().read(), &preview.id).await?,
            None => Vec::new(),
        };
        Ok(Part {
            head,
            row,
            project,
            url: preview.map(|preview| self.url(&preview.label)),
            deployments,
        })
    }

    async fn report_of(
        &self,
        head: &HeadRow,
        commit: CommitSha,
        parts: &[Part<'_>],
    ) -> Result<Report, AnyError> {
        let notice = rows::command::notice(self.db().read(), &head.repository, &head.head).await?;
        let mut notices: Vec<String> = notice.into_iter().collect();
        let mut projects = Vec::new();
        for part in parts {
            let Some(verdict) = &part.row.verdict else {
                continue;
            };
            // Who pushes to a branch that nobody has chosen wants to hear nothing.
            if head.head.number().is_none() && matches!(verdict, Verdict::Skip { .. }) {
                continue;
            }
            if let Verdict::Keep { reason } = verdict {
                notices.push(format!("`{}`: {reason}", part.project.project));
            }
            projects.push(self.project_report(part, (verdict, &commit)).await?);
        }
        Ok(Report {
            number: head.head.number(),
            namespace: head.namespace.clone(),
            commit,
            projects,
            ended: head.over,
            notices,
        })
    }

    async fn project_report(
        &self,
        part: &Part<'_>,
        (verdict, commit): (&Verdict, &CommitSha),
    ) -> Result<ProjectReport, AnyError> {
        let newest = part.deployments.first();
        let current = part
            .deployments
            .iter()
            .find(|row| row.current && row.state == State::Ready);
        let phases = match newest {
            Some(newest) => rows::phase::of(self.db().read(), &newest.id).await?,
            None => Vec::new(),
        };
        let running = phases.iter().find(|phase| phase.millis.is_none());
        let reached = newest.map(|row| reached(row, running.map(|phase| phase.name.clone())));
        let status = status(part, verdict, reached);
        // Without a deployment of its own the status is about the commit that is there now.
        let shown = newest.filter(|_| {
            !matches!(
                status,
                Status::AwaitsApproval | Status::Skipped { .. } | Status::Paused | Status::Deleted
            )
        });
        let of = |row: &Deployment| row.revision.as_ref().map(|revision| revision.commit.clone());
        let told = shown.and_then(of).unwrap_or_else(|| commit.clone());
        let settings = part.row.basis.settings.clone().unwrap_or_default();
        Ok(ProjectReport {
            project: part.project.project.clone(),
            deployment: shown.map(|row| row.id.to_string()),
            url: part.url.clone().filter(|_| current.is_some()),
            deployment_url: shown
                .filter(|_| status == Status::Ready)
                .and_then(|row| row.label.as_ref())
                .map(|label| self.url(label)),
            log_url: shown.map(|row| format!("{}/deployments/{}", self.inner.platform_url, row.id)),
            serving: current.and_then(of).filter(|serving| *serving != told),
            phases: match shown {
                Some(_) => phases
                    .into_iter()
                    .map(|phase| (phase.name, phase.millis))
                    .collect(),
                None => Vec::new(),
            },
            failure: shown.and_then(|row| row.failure.clone()),
            settings: settings.git.report,
            commit: told,
            status,
        })
    }
}

fn status(part: &Part<'_>, verdict: &Verdict, reached: Option<Status>) -> Status {
    let gone = reached.clone().unwrap_or(Status::Deleted);
    match verdict {
        _ if part.head.over => Status::Deleted,
        Verdict::Remove => Status::Deleted,
        Verdict::AwaitApproval { .. } => Status::AwaitsApproval,
        Verdict::Skip { reason } => Status::Skipped {
            reason: reason.clone(),
        },
        Verdict::Paused => Status::Paused,
        Verdict::Keep { reason } => reached.unwrap_or_else(|| Status::Skipped {
            reason: reason.clone(),
        }),
        Verdict::Deploy { .. } => gone,
    }
}

/// How far a deployment is, as others are told.
fn reached(row: &Deployment, phase: Option<String>) -> Status {
    match row.state {
        State::Queued => Status::Queued,
        State::Building | State::Deploying => Status::Deploying { phase },
        // Not before the edge has acknowledged the routes that make it true.
        State::Ready if !row.announced => Status::Deploying { phase },
        State::Ready => Status::Ready,
        State::Failed => Status::Failed,
        State::Cancelled => Status::Cancelled,
        State::Retired => Status::Deleted,
    }
}
