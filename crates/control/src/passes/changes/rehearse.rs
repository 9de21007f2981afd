//! Rehearsing: what a delivery would lead to, told and not done. For rows that are a copy: what is asked from the forge is
//! noted in them, and nothing else anywhere.

use forge::change::{Change, RepositoryRef};
use forge::{ForgeError, Headers};

use super::asking::{Asked, Stopped};
use crate::changes::{Head, Verdict};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::ops::{DeliverError, OpError};
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::Repository;
use crate::rows::{self};
use crate::view::{Rehearsal, RehearsedStep};

impl Control {
    /// What would be done because of the delivery. Control must have been opened over a copy of the rows, and not run.
    pub async fn rehearse(
        &self,
        forge: &str,
        headers: &Headers,
        body: &[u8],
    ) -> Result<Rehearsal, DeliverError> {
        let open = self.forge(forge).await?;
        let secret = self.webhook_secret(forge, &open);
        let envelope = open.forge.verify(headers, body, &secret)?;
        let mut steps = Vec::new();
        for change in open.forge.changes(&envelope.event, body)? {
            steps.extend(self.rehearse_change((forge, &open), &change).await?);
        }
        Ok(Rehearsal {
            delivery: envelope.delivery,
            event: envelope.event,
            steps,
        })
    }

    async fn rehearse_change(
        &self,
        (forge, open): (&str, &OpenForge),
        change: &Change,
    ) -> Result<Vec<RehearsedStep>, OpError> {
        let Some((said, head)) = subject(change) else {
            return Ok(vec![without_subject(change)]);
        };
        let about = match &head {
            Some(head) => format!("{} {head}", said.name),
            None => said.name.to_string(),
        };
        let Some(row) = rows::repository::by_outside_id(self.db().read(), forge, &said.id).await? else {
            let reason = format!(
                "no project belongs to it; `cx project create --repo {}` makes one",
                said.name
            );
            return Ok(vec![step(about, ("ignore", reason))]);
        };
        let Some(head) = head else {
            return Ok(vec![step(
                about,
                (
                    "look",
                    "the forge is asked what became of the repository".to_owned(),
                ),
            )]);
        };
        let mut steps = Vec::new();
        if let Some(asked) = self.asked_by(open, &row, change).await {
            steps.push(step(about.clone(), ("command", asked)));
        }
        steps.extend(self.rehearse_head((&row, open), &head, &about).await?);
        Ok(steps)
    }

    /// Looks at the head, and tells what every project makes of it.
    async fn rehearse_head(
        &self,
        (row, open): (&Repository, &OpenForge),
        head: &Head,
        about: &str,
    ) -> Result<Vec<RehearsedStep>, OpError> {
        let mut tx = self.db().begin().await?;
        rows::head::want_look(&mut tx, &row.id, (head, &row.default_branch)).await?;
        tx.commit().await?;
        let unknown = |why: String| {
            vec![step(
                about.to_owned(),
                ("look", format!("what is true could not be asked: {why}")),
            )]
        };
        match self.look_at_all(row, open, &mut Asked::default()).await {
            Ok(()) => {}
            Err(Stopped::ByForge(error)) => return Ok(unknown(error.to_string())),
            Err(Stopped::Here(error)) => return Err(OpError::internal(error)),
        }
        let looked = rows::head::by_head(self.db().read(), &row.id, head).await?;
        if let Some(why) = looked.and_then(|looked| looked.trouble) {
            return Ok(unknown(why));
        }
        let known = self.known_of(row.clone()).await.map_err(OpError::internal)?;
        let mut steps = Vec::new();
        for project in &known.projects {
            let decided = known.decided_for(project);
            let own = decided.iter().find(|decided| decided.head.head == *head);
            steps.extend(own.map(|own| told(about, project, (&own.verdict, own.row.deployed.as_ref()))));
        }
        if steps.is_empty() {
            steps.push(step(
                about.to_owned(),
                ("ignore", "no project follows it".to_owned()),
            ));
        }
        Ok(steps)
    }

    /// Who asks for what, and whether he may.
    async fn asked_by(&self, open: &OpenForge, row: &Repository, change: &Change) -> Option<String> {
        let (author, wish) = match change {
            Change::Command { author, command, .. } => (author, format!("{command:?}")),
            Change::Button { author, button, .. } => (author, format!("{button:?}")),
            Change::Labelled { author, label, .. } => (author, format!("the label `{label}`")),
            _ => return None,
        };
        let may = match open.forge.permission(&row.reference(), &author.login).await {
            Ok(permission) => format!("who has the permission {permission:?}"),
            Err(ForgeError::NotFound { .. }) => "whom the forge does not know".to_owned(),
            Err(error) => format!("whose permission could not be asked: {error}"),
        };
        Some(format!("{wish} by {}, {may}", author.login))
    }
}

/// The repository that a change is about, and the pull request or branch where it is about one.
fn subject(change: &Change) -> Option<(&RepositoryRef, Option<Head>)> {
    Some(match change {
        Change::PullRequest { repository, number }
        | Change::Command {
            repository, number, ..
        }
        | Change::Labelled {
            repository, number, ..
        } => (repository, Some(Head::PullRequest(*number))),
        Change::Branch { repository, branch } => (repository, Some(Head::Branch(branch.clone()))),
        Change::Button { repository, .. }
        | Change::RepositoryRenamed { repository }
        | Change::RepositoryDeleted { repository } => (repository, None),
        Change::Installation { .. } | Change::Ping => return None,
    })
}

fn without_subject(change: &Change) -> RehearsedStep {
    match change {
        Change::Installation { installation, .. } => step(
            format!("installation {installation}"),
            (
                "look",
                "the open pull requests of its repositories are listed".to_owned(),
            ),
        ),
        _ => step(
            "ping".to_owned(),
            ("ignore", "the forge tries whether anybody is there".to_owned()),
        ),
    }
}

fn told(
    about: &str,
    project: &ProjectRepository,
    (verdict, deployed): (&Verdict, Option<&model::commit::CommitSha>),
) -> RehearsedStep {
    let mut told = step(about.to_owned(), ("ignore", String::new()));
    told.project = Some(project.project.clone());
    let (action, reason) = match verdict {
        Verdict::Deploy { commit, trust } => {
            told.commit = Some(commit.clone());
            told.trust = Some(trust.as_str().to_owned());
            match deployed == Some(commit) {
                true => ("keep", "this commit was deployed already".to_owned()),
                false => ("deploy", "it is the newest commit".to_owned()),
            }
        }
        Verdict::AwaitApproval { commit } => {
            told.commit = Some(commit.clone());
            (
                "await_approval",
                "it is a stranger's, and nobody has approved this commit".to_owned(),
            )
        }
        Verdict::Skip { reason } => (if deployed.is_some() { "remove" } else { "skip" }, reason.clone()),
        Verdict::Keep { reason } => ("keep", reason.clone()),
        Verdict::Paused => ("keep", "the project is paused".to_owned()),
        Verdict::Remove if deployed.is_some() => ("remove", "it is over".to_owned()),
        Verdict::Remove => ("ignore", "it is over, and nothing is deployed for it".to_owned()),
    };
    (told.action, told.reason) = (action.to_owned(), reason);
    told
}

fn step(about: String, (action, reason): (&str, String)) -> RehearsedStep {
    RehearsedStep {
        about,
        project: None,
        action: action.to_owned(),
        commit: None,
        trust: None,
        reason,
    }
}
