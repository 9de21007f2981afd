//! Heads: the pull requests and branches that are followed, as people see them, and going on after a doubt.

use forge::change::RepositoryName;
use model::commit::CommitSha;

use super::{Kind, OpError};
use crate::changes::{Head, Truth, Verdict};
use crate::control::Control;
use crate::rows::head::HeadRow;
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::{Repository, RepositoryState};
use crate::rows::verdict::VerdictRow;
use crate::rows::{self};
use crate::view;

impl Control {
    /// All pull requests and branches that are followed, by repository.
    pub async fn heads(&self) -> Result<Vec<view::Head>, OpError> {
        let mut shown = Vec::new();
        for repository in rows::repository::all(self.db().read()).await? {
            let projects = rows::project_repository::of_repository(self.db().read(), &repository.id).await?;
            let verdicts = rows::verdict::of(self.db().read(), &repository.id).await?;
            for row in rows::head::of(self.db().read(), &repository.id).await? {
                shown.push(show(&repository, &row, (&projects, &verdicts)));
            }
        }
        Ok(shown)
    }

    /// Says that the sudden loss of pull requests for which the repository is held is right.
    pub async fn resume_repository(&self, forge: Option<&str>, name: &RepositoryName) -> Result<(), OpError> {
        let all = rows::repository::all(self.db().read()).await?;
        let meant = |row: &&Repository| row.name == *name && forge.is_none_or(|forge| row.forge == forge);
        let mut found = all.iter().filter(meant);
        let Some(repository) = found.next() else {
            let names: Vec<String> = all.iter().map(|row| row.name.to_string()).collect();
            let names = names.iter().map(String::as_str);
            return Err(OpError::unknown("repository", &name.to_string(), names));
        };
        if found.next().is_some() {
            let message = format!("there is a {name} at several forges");
            return Err(OpError::invalid("repository_ambiguous", message).hint("Name the forge as well."));
        }
        if repository.state != RepositoryState::Held {
            let message = format!("{name} is not held");
            return Err(OpError::new(Kind::Conflict, "not_held", message)
                .hint("Its pull requests are followed; `cx git pulls` shows them."));
        }
        let mut tx = self.db().begin().await?;
        rows::repository::set_drop_accepted(&mut *tx, &repository.id, true).await?;
        rows::repository::want_list(&mut *tx, &repository.id).await?;
        tx.commit().await?;
        self.inner.work.ring();
        Ok(())
    }
}

fn show(
    repository: &Repository,
    row: &HeadRow,
    (projects, verdicts): (&[ProjectRepository], &[VerdictRow]),
) -> view::Head {
    let pull = match &row.truth {
        Some(Truth::PullRequest(pull)) => Some(pull),
        _ => None,
    };
    let branch = match &row.head {
        Head::Branch(name) => Some(name.clone()),
        Head::PullRequest(_) => None,
    };
    let of_head = verdicts.iter().filter(|verdict| verdict.head == row.head);
    let parts = of_head.filter_map(|verdict| {
        let project = projects
            .iter()
            .find(|project| project.project_id == verdict.project)?;
        let (state, reason) = told(verdict.verdict.as_ref());
        Some(view::HeadProject {
            project: project.project.clone(),
            state: state.to_owned(),
            reason,
            deployed: verdict.deployed.as_ref().map(CommitSha::to_string),
        })
    });
    view::Head {
        forge: repository.forge.clone(),
        repository: repository.name.to_string(),
        held: repository.held_reason.clone(),
        number: row.head.number(),
        branch,
        namespace: row.namespace.clone(),
        title: pull.map(|pull| pull.title.clone()),
        author: pull.map(|pull| pull.author.login.clone()),
        url: pull.map(|pull| pull.web_url.clone()),
        fork: pull.is_some_and(|pull| pull.fork),
        over: row.over,
        commit: row
            .truth
            .as_ref()
            .and_then(Truth::commit)
            .map(CommitSha::to_string),
        pending: row.is_to_be_looked_at(),
        looked_at_ms: row.looked_at_ms,
        trouble: row.trouble.clone().or_else(|| repository.trouble.clone()),
        projects: parts.collect(),
    }
}

/// The name of a verdict, and what people are told about it.
fn told(verdict: Option<&Verdict>) -> (&'static str, Option<String>) {
    match verdict {
        None => ("unknown", None),
        Some(Verdict::Deploy { .. }) => ("deploy", None),
        Some(Verdict::AwaitApproval { commit }) => {
            let how = format!(
                "Somebody who may write approves it with `/cx approve {}`.",
                commit.short()
            );
            ("awaits_approval", Some(how))
        }
        Some(Verdict::Skip { reason }) => ("skipped", Some(reason.clone())),
        Some(Verdict::Keep { reason }) => ("kept", Some(reason.clone())),
        Some(Verdict::Paused) => ("paused", None),
        Some(Verdict::Remove) => ("over", None),
    }
}
