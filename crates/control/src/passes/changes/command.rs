//! Commands: what people ask for in comments, by buttons and labels. Whether they may is asked from the forge; the effect
//! and the note that it is done are one transaction; then the comment is answered with a reaction.

use forge::ForgeError;
use forge::change::Command;
use forge::report::Reaction;
use forge::source::{Permission, PullRequest};
use sqlx::{Sqlite, Transaction};

use super::asking::{Asked, Stopped, backoff_ms};
use crate::changes::{Truth, Verdict};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::ops::OpError;
use crate::rows::command::CommandRow;
use crate::rows::deployment::Deployment;
use crate::rows::head::HeadRow;
use crate::rows::instance::Wanted;
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::Repository;
use crate::rows::verdict::VerdictRow;
use crate::rows::{self};

/// Digits of a commit's name that are enough to approve it.
const COMMIT_DIGITS_MIN: usize = 7;
/// What can be asked for.
const HELP: &str = "`/cx redeploy` deploys the newest commit again, `/cx delete` removes the previews until the next push, \
    `/cx sleep` puts them to sleep until the next visit, `/cx logs` says where the logs are, `/cx approve COMMIT` lets a \
    stranger's commit be built, `/cx help` shows this.";

/// What came of a command.
#[derive(Default)]
struct Answer {
    reaction: Option<Reaction>,
    notice: Option<String>,
    /// What is no longer wanted because of it.
    unwanted: Vec<Deployment>,
}

/// A command with everything that it is about.
struct Subject<'a> {
    repository: &'a Repository,
    command: &'a CommandRow,
    head: &'a HeadRow,
    /// The projects that it means, with what they make of the head.
    parts: Vec<(ProjectRepository, VerdictRow)>,
}

impl Control {
    pub(super) async fn do_commands(
        &self,
        repository: &Repository,
        open: &OpenForge,
        asked: &mut Asked,
    ) -> Result<(), Stopped> {
        for command in rows::command::undone(self.db().read(), &repository.id).await? {
            if command.not_before_ms > self.now() {
                continue;
            }
            let done = match &command.reaction {
                Some(reaction) => self.react(repository, open, (&command, *reaction)).await,
                None => self.do_command(repository, open, &command).await,
            };
            match done {
                Ok(done) => asked.anything |= done,
                Err(Stopped::ByForge(error)) if !matches!(error, ForgeError::Limited { .. }) => {
                    let attempts = command.attempts.saturating_add(1);
                    let not_before = self.now() + backoff_ms(attempts);
                    rows::command::postpone(self.db().write(), &command, attempts, not_before).await?;
                }
                Err(stopped) => return Err(stopped),
            }
        }
        Ok(())
    }

    /// Whether it was done; it waits until its head has been looked at since.
    async fn do_command(
        &self,
        repository: &Repository,
        open: &OpenForge,
        command: &CommandRow,
    ) -> Result<bool, Stopped> {
        let Some(head) = rows::head::by_head(self.db().read(), &repository.id, &command.head).await? else {
            return self.refuse(command, "There is no such pull request.").await;
        };
        if head.is_to_be_looked_at() {
            return Ok(false);
        }
        let needed = match command.word {
            Command::Logs | Command::Help | Command::Unknown { .. } => Permission::Read,
            Command::Redeploy | Command::Delete | Command::Sleep | Command::Approve { .. } => {
                Permission::Write
            }
        };
        let reference = repository.reference();
        let call = open.forge.permission(&reference, &command.author);
        let permission = match call.await {
            Ok(permission) => permission,
            Err(ForgeError::NotFound { .. }) => Permission::None,
            Err(error) => return Err(error.into()),
        };
        if permission < needed {
            let notice = format!(
                "`{}` may not do that: it takes the right to write to {}.",
                command.author, repository.name
            );
            let answer = Answer {
                reaction: Some(Reaction::ThumbsDown),
                notice: Some(notice),
                unwanted: Vec::new(),
            };
            let tx = self.db().begin().await?;
            return self.finish(tx, command, answer).await;
        }
        let subject = Subject {
            repository,
            command,
            head: &head,
            parts: self.parts_of(repository, command).await?,
        };
        let mut tx = self.db().begin().await?;
        let answer = self.effect(&mut tx, &subject).await?;
        self.finish(tx, command, answer).await
    }

    async fn parts_of(
        &self,
        repository: &Repository,
        command: &CommandRow,
    ) -> Result<Vec<(ProjectRepository, VerdictRow)>, sqlx::Error> {
        let mut parts = Vec::new();
        let verdicts = rows::verdict::of(self.db().read(), &repository.id).await?;
        for project in rows::project_repository::of_repository(self.db().read(), &repository.id).await? {
            let meant = command.project.is_empty() || command.project == project.project.as_str();
            let same = |row: &&VerdictRow| row.head == command.head && row.project == project.project_id;
            if let (true, Some(row)) = (meant, verdicts.iter().find(same)) {
                parts.push((project.clone(), row.clone()));
            }
        }
        Ok(parts)
    }

    async fn effect(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Answer, OpError> {
        match &subject.command.word {
            Command::Help => Ok(Answer::said(Reaction::Rocket, HELP)),
            Command::Unknown { text } => {
                let text: String = text
                    .chars()
                    .filter(|c| !c.is_control() && *c != '`')
                    .take(40)
                    .collect();
                Ok(Answer::said(
                    Reaction::Confused,
                    format!("`/cx {text}` is not known here. {HELP}"),
                ))
            }
            Command::Approve { commit } => self.approve(tx, subject, commit).await,
            Command::Redeploy => self.deploy_again(tx, subject).await,
            Command::Delete => self.delete_parts(tx, subject).await,
            Command::Sleep => self.put_to_sleep(tx, subject).await,
            Command::Logs => self.say_where_logs_are(tx, subject).await,
        }
    }

    /// Only the newest commit can be approved: what is built is what was looked at.
    async fn approve(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
        commit: &str,
    ) -> Result<Answer, OpError> {
        let Some(Truth::PullRequest(pull)) = &subject.head.truth else {
            return Ok(Answer::confused("Only pull requests are approved."));
        };
        if let Some(why) = why_not_approve(pull, commit) {
            return Ok(Answer::confused(why));
        }
        let approval = (pull.number, &pull.head, subject.command.author.as_str());
        rows::approval::add(tx, &subject.repository.id, approval, self.now()).await?;
        let notice = format!("`{}` approved {}.", subject.command.author, pull.head.short());
        Ok(Answer::said(Reaction::Rocket, notice))
    }

    /// Forgets that the newest commit was deployed: it is wanted, so it is deployed again.
    async fn deploy_again(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Answer, OpError> {
        let mut again = 0;
        for (_, row) in &subject.parts {
            if matches!(row.verdict, Some(Verdict::Deploy { .. })) {
                rows::verdict::set_deployed(tx, row.place(), None).await?;
                again += 1;
            }
        }
        Ok(match again {
            0 => Answer::confused("There is nothing to deploy again: no project has a preview for this."),
            _ => Answer::reacted(Reaction::Rocket),
        })
    }

    /// Removes the previews. The commit stays noted as deployed, so that only a newer one makes new ones.
    async fn delete_parts(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Answer, OpError> {
        let mut answer = Answer::reacted(Reaction::Rocket);
        let mut deleted = 0;
        for (project, row) in &subject.parts {
            if let Some(Verdict::Deploy { commit, .. }) = &row.verdict {
                rows::verdict::set_deployed(tx, row.place(), Some(commit)).await?;
            }
            let namespace = &subject.head.namespace;
            if let Some(preview) = rows::preview::by_name(&mut **tx, &project.project, namespace).await? {
                let unwanted = self.delete_preview_in(tx, &preview, "preview.deleted").await?;
                answer.unwanted.extend(unwanted);
                deleted += 1;
            }
        }
        answer.notice = Some(match deleted {
            0 => "There was no preview to delete.".to_owned(),
            _ => format!(
                "`{}` deleted the preview; the next push makes a new one.",
                subject.command.author
            ),
        });
        Ok(answer)
    }

    async fn put_to_sleep(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Answer, OpError> {
        let mut asleep = 0;
        for deployment in self.current_of(tx, subject).await? {
            let instances = rows::instance::of(&mut **tx, &deployment.id).await?;
            if instances.iter().any(|instance| instance.wanted == Wanted::Awake) {
                rows::instance::want_all(&mut **tx, &deployment.id, Wanted::Asleep, None).await?;
                asleep += 1;
            }
        }
        Ok(match asleep {
            0 => Answer::confused("Nothing runs that could sleep."),
            _ => Answer::said(Reaction::Rocket, "Asleep until the next visit."),
        })
    }

    async fn say_where_logs_are(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Answer, OpError> {
        let mut lines = Vec::new();
        for (project, _) in &subject.parts {
            let namespace = &subject.head.namespace;
            if let Some(preview) = rows::preview::by_name(&mut **tx, &project.project, namespace).await?
                && let Some(newest) = rows::deployment::of(&mut **tx, &preview.id).await?.first()
            {
                lines.push(format!("Logs of {}: `cx logs {}`.", project.project, newest.id));
            }
        }
        Ok(match lines.is_empty() {
            true => Answer::confused("There is no deployment that could have a log."),
            false => Answer::said(Reaction::Rocket, lines.join(" ")),
        })
    }

    /// What visitors of the previews see.
    async fn current_of(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        subject: &Subject<'_>,
    ) -> Result<Vec<Deployment>, sqlx::Error> {
        let mut found = Vec::new();
        for (project, _) in &subject.parts {
            let namespace = &subject.head.namespace;
            let preview = rows::preview::by_name(&mut **tx, &project.project, namespace).await?;
            if let Some(current) = preview.and_then(|preview| preview.current) {
                found.extend(rows::deployment::by_id(&mut **tx, &current).await?);
            }
        }
        Ok(found)
    }

    async fn refuse(&self, command: &CommandRow, why: &str) -> Result<bool, Stopped> {
        let tx = self.db().begin().await?;
        self.finish(tx, command, Answer::confused(why)).await
    }

    /// Notes that it is done, and commits. Whoever did it before has answered it.
    async fn finish(
        &self,
        mut tx: Transaction<'_, Sqlite>,
        command: &CommandRow,
        answer: Answer,
    ) -> Result<bool, Stopped> {
        // Only comments can be reacted to.
        let reaction = answer.reaction.filter(|_| command.comment.is_some());
        let said = (reaction, answer.notice.as_deref());
        if rows::command::set_done(&mut tx, command, said, self.now()).await? {
            tx.commit().await?;
            self.after_change(&answer.unwanted).await;
        }
        Ok(true)
    }

    async fn react(
        &self,
        repository: &Repository,
        open: &OpenForge,
        (command, reaction): (&CommandRow, Reaction),
    ) -> Result<bool, Stopped> {
        if let Some(comment) = &command.comment {
            let reference = repository.reference();
            match open.forge.react(&reference, comment, reaction).await {
                Ok(()) => {}
                Err(error) if error.is_passing() => return Err(error.into()),
                // The comment is gone, or the forge will not hear of it: what was asked for is done all the same.
                Err(error) => tracing::info!(%error, comment, "a comment could not be answered"),
            }
        }
        rows::command::set_answered(self.db().write(), command).await?;
        Ok(true)
    }
}

impl Answer {
    fn reacted(reaction: Reaction) -> Self {
        Self {
            reaction: Some(reaction),
            ..Self::default()
        }
    }

    fn said(reaction: Reaction, notice: impl Into<String>) -> Self {
        Self {
            notice: Some(notice.into()),
            ..Self::reacted(reaction)
        }
    }

    fn confused(notice: impl Into<String>) -> Self {
        Self::said(Reaction::Confused, notice)
    }
}

fn why_not_approve(pull: &PullRequest, commit: &str) -> Option<String> {
    let commit = commit.to_ascii_lowercase();
    let named = commit.len() >= COMMIT_DIGITS_MIN && pull.head.as_str().starts_with(&commit);
    if !pull.open {
        Some("This pull request is closed.".to_owned())
    } else if !pull.fork {
        Some("This pull request needs no approval: it does not come from a fork.".to_owned())
    } else if !named {
        let shown: String = commit
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .take(40)
            .collect();
        Some(format!(
            "`{shown}` is not the newest commit; that is `{}`. Look at it, then write `/cx approve {}`.",
            pull.head.short(),
            pull.head.short()
        ))
    } else {
        None
    }
}
