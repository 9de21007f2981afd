//! Deliveries become marks: what they say is noted on the row that it is about, in the transaction that ends them. So
//! each counts once, however often it comes and wherever the platform dies.

use forge::Change;
use forge::change::{Account, Button, Command, RepositoryRef};
use model::{NamespaceName, RepositoryId};
use sqlx::{Sqlite, Transaction};

use super::AnyError;
use crate::changes::Head;
use crate::control::Control;
use crate::rows::command::CommandRow;
use crate::rows::delivery::Delivery;
use crate::rows::repository::Repository;
use crate::rows::{self};

/// Deliveries that are worked on in one transaction.
const BATCH: i64 = 32;
/// Letters of an outcome that are kept.
const OUTCOME_CHARS_MAX: usize = 500;

impl Control {
    pub(super) async fn take_deliveries(&self) -> Result<(), AnyError> {
        for forge in rows::forge::all(self.db().read()).await? {
            loop {
                let undone = rows::delivery::undone(self.db().read(), &forge.name, BATCH).await?;
                if undone.is_empty() || !self.take_batch(&forge.name, undone).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether they could be taken: a forge whose credentials are missing keeps them for later.
    async fn take_batch(&self, forge: &str, undone: Vec<Delivery>) -> Result<bool, AnyError> {
        let open = match self.forge(forge).await {
            Ok(open) => open,
            Err(error) => {
                tracing::warn!(forge, %error, "what a forge has told waits until the forge can be used");
                return Ok(false);
            }
        };
        let mut read = Vec::new();
        for delivery in undone {
            let body = rows::delivery::body(self.db().read(), &delivery).await?;
            let changes = open.forge.changes(&delivery.event, body.as_bytes());
            read.push((delivery, changes));
        }
        let mut tx = self.db().begin().await?;
        for (delivery, changes) in read {
            let mut outcomes = Vec::new();
            match changes {
                Ok(changes) => {
                    for (index, change) in changes.iter().enumerate() {
                        let noted = Noted {
                            control: self,
                            delivery: &delivery,
                            index,
                        };
                        outcomes.push(noted.note(&mut tx, change).await?);
                    }
                }
                Err(error) => outcomes.push(error.to_string()),
            }
            let outcome: String = outcomes.join("; ").chars().take(OUTCOME_CHARS_MAX).collect();
            rows::delivery::set_done(&mut tx, &delivery, &outcome, self.now()).await?;
        }
        tx.commit().await?;
        self.inner.work.ring();
        Ok(true)
    }
}

/// One change of a delivery, on its way into rows.
struct Noted<'a> {
    control: &'a Control,
    delivery: &'a Delivery,
    /// Which of the delivery's changes it is.
    index: usize,
}

impl Noted<'_> {
    /// What was noted, for people.
    async fn note(&self, tx: &mut Transaction<'_, Sqlite>, change: &Change) -> Result<String, sqlx::Error> {
        let said = match change {
            Change::Ping => return Ok("ping".to_owned()),
            Change::Installation { installation, gone } => {
                rows::repository::want_lists_of(tx, &self.delivery.forge).await?;
                let what = if *gone { "is gone" } else { "has changed" };
                return Ok(format!("installation {installation} {what}"));
            }
            Change::PullRequest { repository, .. }
            | Change::Branch { repository, .. }
            | Change::Command { repository, .. }
            | Change::Labelled { repository, .. }
            | Change::Button { repository, .. }
            | Change::RepositoryRenamed { repository }
            | Change::RepositoryDeleted { repository } => repository,
        };
        let forge = &self.delivery.forge;
        let Some(row) = rows::repository::by_outside_id(&mut **tx, forge, &said.id).await? else {
            return Ok(format!("no project belongs to {}", said.name));
        };
        self.note_of(tx, &row, (said, change)).await
    }

    async fn note_of(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        row: &Repository,
        (said, change): (&RepositoryRef, &Change),
    ) -> Result<String, sqlx::Error> {
        let default = row.default_branch.as_str();
        match change {
            Change::PullRequest { number, .. } => {
                let head = Head::PullRequest(*number);
                rows::head::want_look(tx, &row.id, (&head, default)).await?;
                Ok(format!("pull request {number} of {}", row.name))
            }
            Change::Branch { branch, .. } => self.note_branch(tx, row, branch).await,
            Change::Command {
                number,
                comment,
                author,
                command,
                ..
            } => {
                if author.bot {
                    return Ok(format!("{} is a bot and asks for nothing", author.login));
                }
                let asked = self.asked(&row.id, Head::PullRequest(*number), (command, author));
                let id = format!("comment/{comment}");
                let comment = Some(comment.clone());
                self.note_command(tx, row, CommandRow { id, comment, ..asked })
                    .await
            }
            Change::Labelled {
                number,
                label,
                commit,
                author,
                ..
            } => {
                let approves = rows::project_repository::of_repository(&mut **tx, &row.id).await?;
                let approves = approves
                    .iter()
                    .filter_map(|project| project.bounds.approve_label());
                if !approves.into_iter().any(|own| own.eq_ignore_ascii_case(label)) {
                    return Ok(format!("the label `{label}` means nothing here"));
                }
                let commit = commit.to_string();
                let command = Command::Approve { commit };
                let asked = self.asked(&row.id, Head::PullRequest(*number), (&command, author));
                self.note_command(tx, row, asked).await
            }
            Change::Button { .. } => self.note_button(tx, row, change).await,
            Change::RepositoryRenamed { .. } => {
                rows::repository::set_said(tx, &row.id, (Some(&said.name), false)).await?;
                Ok(format!("{} may be called {} now", row.name, said.name))
            }
            Change::RepositoryDeleted { .. } => {
                rows::repository::set_said(tx, &row.id, (None, true)).await?;
                Ok(format!("{} may have been deleted", row.name))
            }
            Change::Ping | Change::Installation { .. } => Ok(String::new()),
        }
    }

    /// A push to a branch of which it is known that no project wants it need not be looked at.
    async fn note_branch(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        row: &Repository,
        branch: &str,
    ) -> Result<String, sqlx::Error> {
        let head = Head::Branch(branch.to_owned());
        let known = rows::head::by_head(&mut **tx, &row.id, &head).await?.is_some();
        if !known && branch != row.default_branch && self.control.is_unwanted_branch(tx, row, branch).await? {
            return Ok(format!("no project wants the branch {branch} of {}", row.name));
        }
        rows::head::want_look(tx, &row.id, (&head, &row.default_branch)).await?;
        Ok(format!("branch {branch} of {}", row.name))
    }

    async fn note_button(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        row: &Repository,
        change: &Change,
    ) -> Result<String, sqlx::Error> {
        let Change::Button {
            commit,
            key,
            author,
            button,
            ..
        } = change
        else {
            return Ok(String::new());
        };
        let unknown = || format!("the button of `{key}` is about nothing that is known");
        let Some((namespace, project)) = key.split_once('/') else {
            return Ok(unknown());
        };
        let Ok(namespace) = NamespaceName::new(namespace) else {
            return Ok(unknown());
        };
        let Some(head) = rows::head::by_namespace(&mut **tx, &row.id, &namespace).await? else {
            return Ok(unknown());
        };
        let word = match button {
            Button::Redeploy => Command::Redeploy,
            Button::Delete => Command::Delete,
            Button::Approve => Command::Approve {
                commit: commit.to_string(),
            },
        };
        let asked = self.asked(&row.id, head.head, (&word, author));
        let project = match button {
            // A commit is approved as a whole.
            Button::Approve => String::new(),
            Button::Redeploy | Button::Delete => project.to_owned(),
        };
        self.note_command(tx, row, CommandRow { project, ..asked }).await
    }

    fn asked(
        &self,
        repository: &RepositoryId,
        head: Head,
        (word, author): (&Command, &Account),
    ) -> CommandRow {
        CommandRow {
            repository: repository.clone(),
            id: format!("delivery/{}/{}", self.delivery.delivery, self.index),
            head,
            project: String::new(),
            word: word.clone(),
            author: author.login.clone(),
            comment: None,
            received_at_ms: self.delivery.received_at_ms,
            not_before_ms: 0,
            attempts: 0,
            reaction: None,
        }
    }

    /// It is done after the head has been looked at once more, since it is about what is there now.
    async fn note_command(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        row: &Repository,
        asked: CommandRow,
    ) -> Result<String, sqlx::Error> {
        if !rows::command::insert(tx, &asked).await? {
            return Ok(format!("{} was asked for before", asked.id));
        }
        rows::head::want_look(tx, &row.id, (&asked.head, &row.default_branch)).await?;
        Ok(format!(
            "{} asks for something about {} of {}",
            asked.author, asked.head, row.name
        ))
    }
}
