//! Looking: what is true of a head is asked from the forge and written, with what the base branch says about it.

use std::collections::HashMap;

use forge::ForgeError;
use forge::change::RepositoryRef;
use forge::source::ChangedFiles;
use model::commit::CommitSha;
use model::project_file::{FILE_NAME, ProjectFile};
use sqlx::{Sqlite, Transaction};

use super::asking::{Asked, Stopped, TROUBLE_MS, backoff_ms};
use super::{FAILURES_MAX, LOOKS_MAX};
use crate::changes::{Basis, Head, Settings, Truth, touches};
use crate::control::Control;
use crate::forges::OpenForge;
use crate::rows::head::{FailedLook, HeadRow};
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::Repository;
use crate::rows::verdict::{Place, VerdictRow};
use crate::rows::{self};

/// How often it has to be missing before it is believed, and how far apart, in milliseconds.
const MISSES: u32 = 2;
const MISSES_APART_MS: i64 = 60_000;

/// What one round knows of a repository.
struct Round<'a> {
    control: &'a Control,
    open: &'a OpenForge,
    repository: &'a Repository,
    reference: RepositoryRef,
    projects: Vec<ProjectRepository>,
    verdicts: Vec<VerdictRow>,
    /// The head of the default branch, once it was asked for.
    default_head: Option<CommitSha>,
    /// What was read in this round already: many heads have one base.
    files: HashMap<(String, CommitSha), Result<Settings, String>>,
}

impl Control {
    pub(super) async fn look_at_all(
        &self,
        repository: &Repository,
        open: &OpenForge,
        asked: &mut Asked,
    ) -> Result<(), Stopped> {
        let db = self.db().read();
        let mut round = Round {
            control: self,
            open,
            repository,
            reference: repository.reference(),
            projects: rows::project_repository::of_repository(db, &repository.id).await?,
            verdicts: rows::verdict::of(db, &repository.id).await?,
            default_head: None,
            files: HashMap::new(),
        };
        for row in rows::head::due(db, &repository.id, self.now(), LOOKS_MAX as i64).await? {
            if self.inner.closing.is_cancelled() {
                break;
            }
            match round.look(&row).await {
                Ok(Looked::Found(found)) => {
                    asked.anything = true;
                    round.write(&row, &found).await?;
                    self.note_well(repository).await?;
                }
                Ok(Looked::Missing(error)) => round.note_missing(&row, &error).await?,
                Err(error @ (ForgeError::Limited { .. } | ForgeError::Denied { .. })) => {
                    return Err(error.into());
                }
                Err(error) => {
                    round.note_failure(&row, &error).await?;
                    asked.failures += 1;
                    if asked.failures >= FAILURES_MAX {
                        return Err(error.into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether it is known that no project wants previews of the branch.
    pub(super) async fn is_unwanted_branch(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        repository: &Repository,
        branch: &str,
    ) -> Result<bool, sqlx::Error> {
        let default = Head::Branch(repository.default_branch.clone());
        let known = rows::head::by_head(&mut **tx, &repository.id, &default).await?;
        if known.is_none_or(|row| row.is_to_be_looked_at()) {
            return Ok(false);
        }
        for project in rows::project_repository::of_repository(&mut **tx, &repository.id).await? {
            let place = Place {
                repository: &repository.id,
                head: &default,
                project: &project.project_id,
            };
            let row = rows::verdict::find(&mut **tx, place).await?;
            let Some(Ok(settings)) = row.map(|row| row.basis.settings) else {
                return Ok(false);
            };
            let git = project.bounds.over(settings.git);
            if crate::changes::names_branch(&git.branches, branch) != Ok(false) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a look has found.
struct Found {
    truth: Truth,
    /// By project, in their order; empty where it is over.
    bases: Vec<Basis>,
}

enum Looked {
    Found(Box<Found>),
    /// It is not there although its repository is, and that has to be seen once more before it is believed.
    Missing(ForgeError),
}

impl Round<'_> {
    async fn look(&mut self, row: &HeadRow) -> Result<Looked, ForgeError> {
        let truth = match &row.head {
            Head::PullRequest(number) => {
                let call = self.open.forge.pull_request(&self.reference, *number);
                call.await.map(Truth::PullRequest)
            }
            Head::Branch(name) => {
                let call = self.open.forge.branch(&self.reference, name);
                call.await.map(Truth::Branch)
            }
        };
        let truth = match truth {
            Ok(truth) => truth,
            Err(error @ ForgeError::NotFound { .. }) => return self.missing(row, error).await,
            Err(error) => return Err(error),
        };
        let bases = self.bases(&truth).await?;
        Ok(Looked::Found(Box::new(Found { truth, bases })))
    }

    /// It is not there. That alone says nothing, unless its repository is there, and the same a while later.
    async fn missing(&self, row: &HeadRow, error: ForgeError) -> Result<Looked, ForgeError> {
        let call = self.open.forge.repository(&self.reference.name);
        let repository = call.await?;
        if repository.reference.id != self.reference.id {
            return Err(error);
        }
        if row.missed + 1 < MISSES {
            return Ok(Looked::Missing(error));
        }
        let truth = match &row.truth {
            // What is known of it goes on to be shown.
            Some(Truth::PullRequest(pull)) => {
                let mut pull = pull.clone();
                pull.open = false;
                Truth::PullRequest(pull)
            }
            _ => Truth::Gone,
        };
        Ok(Looked::Found(Box::new(Found {
            truth,
            bases: Vec::new(),
        })))
    }

    async fn bases(&mut self, truth: &Truth) -> Result<Vec<Basis>, ForgeError> {
        let base = match truth {
            Truth::PullRequest(pull) if pull.open => pull.base.clone(),
            Truth::Branch(branch) => self.default_head(branch).await?,
            Truth::PullRequest(_) | Truth::Gone => return Ok(Vec::new()),
        };
        let mut bases = Vec::with_capacity(self.projects.len());
        let mut files = None;
        for index in 0..self.projects.len() {
            let root = self.projects[index].root.clone();
            let mut settings = self.settings(&root, &base).await?;
            let mut touched = true;
            if let (Truth::PullRequest(pull), Ok(known)) = (truth, &settings)
                && !known.git.paths.is_empty()
            {
                let changed = match files.take() {
                    Some(changed) => changed,
                    None => self.changed_files(pull.number).await?,
                };
                match touches(&known.git.paths, &changed) {
                    Ok(touches) => touched = touches,
                    Err(reason) => settings = Err(reason),
                }
                files = Some(changed);
            }
            bases.push(Basis {
                base: base.clone(),
                root,
                settings,
                touched,
            });
        }
        Ok(bases)
    }

    /// A push is held to what the default branch says: a branch cannot choose itself.
    async fn default_head(&mut self, branch: &forge::source::Branch) -> Result<CommitSha, ForgeError> {
        let default = self.repository.default_branch.as_str();
        if branch.name == default {
            self.default_head = Some(branch.head.clone());
        }
        if let Some(known) = &self.default_head {
            return Ok(known.clone());
        }
        let call = self.open.forge.branch(&self.reference, default);
        let head = call.await?.head;
        Ok(self.default_head.insert(head).clone())
    }

    async fn changed_files(&self, number: u64) -> Result<ChangedFiles, ForgeError> {
        let call = self.open.forge.changed_files(&self.reference, number);
        call.await
    }

    /// What cx.toml in `root` says at `base`: what is at a commit never changes, so it is read once.
    async fn settings(
        &mut self,
        root: &str,
        base: &CommitSha,
    ) -> Result<Result<Settings, String>, ForgeError> {
        let key = (root.to_owned(), base.clone());
        if let Some(known) = self.files.get(&key) {
            return Ok(known.clone());
        }
        let same = |row: &&VerdictRow| row.basis.root == root && row.basis.base == *base;
        let read = match self.verdicts.iter().find(same).map(|row| &row.basis.settings) {
            Some(Ok(known)) => Ok(known.clone()),
            _ => {
                let path = match root {
                    "" => FILE_NAME.to_owned(),
                    root => format!("{root}/{FILE_NAME}"),
                };
                let call = self.open.forge.file(&self.reference, &path, base);
                settings_of(call.await?.as_deref(), (&path, base))
            }
        };
        self.files.insert(key, read.clone());
        Ok(read)
    }

    async fn write(&self, row: &HeadRow, found: &Found) -> Result<(), sqlx::Error> {
        let mut tx = self.control.db().begin().await?;
        rows::head::set_truth(&mut tx, row, &found.truth, self.control.now()).await?;
        if row.head.number().is_some() && row.truth.as_ref() != Some(&found.truth) {
            // A list that is as it was before this was seen would say nothing of what has ended since.
            rows::repository::forget_tag(&mut tx, &self.repository.id).await?;
        }
        for (project, basis) in self.projects.iter().zip(&found.bases) {
            let place = Place {
                repository: &self.repository.id,
                head: &row.head,
                project: &project.project_id,
            };
            rows::verdict::set_basis(&mut tx, place, basis).await?;
        }
        if row.head == Head::Branch(self.repository.default_branch.clone()) {
            self.follow_named_branches(&mut tx, found).await?;
        }
        tx.commit().await
    }

    /// What the default branch says decides about all branches: the ones that are followed are looked at when it has
    /// changed, and those that it names are followed from now on, pushed to or not.
    async fn follow_named_branches(
        &self,
        tx: &mut Transaction<'_, Sqlite>,
        found: &Found,
    ) -> Result<(), sqlx::Error> {
        let default = Head::Branch(self.repository.default_branch.clone());
        let before = |index: usize| {
            let project = &self.projects[index].project_id;
            let mut rows = self.verdicts.iter();
            rows.find(|row| row.head == default && row.project == *project)
        };
        let changed = |(index, basis): (usize, &Basis)| {
            before(index).is_none_or(|row| row.basis.settings != basis.settings)
        };
        if !found.bases.iter().enumerate().any(changed) {
            return Ok(());
        }
        let mut heads = Vec::new();
        for (project, basis) in self.projects.iter().zip(&found.bases) {
            let Ok(settings) = &basis.settings else { continue };
            let git = project.bounds.over(settings.git.clone());
            let plain = |name: &String| !name.is_empty() && !name.contains(['*', '?', '[', '{', '\\']);
            heads.extend(git.branches.into_iter().filter(plain).map(Head::Branch));
        }
        let followed = rows::head::of(&mut **tx, &self.repository.id).await?;
        let branches = followed.into_iter().filter(|row| !row.over).map(|row| row.head);
        heads.extend(branches.filter(|head| head.number().is_none()));
        heads.sort();
        heads.dedup();
        for head in heads.iter().filter(|head| **head != default) {
            rows::head::want_look(tx, &self.repository.id, (head, &self.repository.default_branch)).await?;
        }
        Ok(())
    }

    async fn note_missing(&self, row: &HeadRow, error: &ForgeError) -> Result<(), sqlx::Error> {
        let trouble = error.to_string();
        let failed = FailedLook {
            trouble: &trouble,
            missed: row.missed + 1,
            attempts: row.attempts,
            not_before_ms: self.control.now() + MISSES_APART_MS,
        };
        rows::head::set_failed(self.control.db().write(), row, failed).await
    }

    async fn note_failure(&self, row: &HeadRow, error: &ForgeError) -> Result<(), sqlx::Error> {
        let attempts = row.attempts.saturating_add(1);
        let wait = match error.is_passing() {
            true => backoff_ms(attempts),
            false => TROUBLE_MS,
        };
        let trouble = error.to_string();
        let failed = FailedLook {
            trouble: &trouble,
            missed: row.missed,
            attempts,
            not_before_ms: self.control.now() + wait,
        };
        rows::head::set_failed(self.control.db().write(), row, failed).await
    }
}

/// What the file says, or why it cannot be read. A repository without one says nothing.
fn settings_of(bytes: Option<&[u8]>, (path, base): (&str, &CommitSha)) -> Result<Settings, String> {
    let Some(bytes) = bytes else {
        return Ok(Settings::default());
    };
    let file = ProjectFile::read(bytes).map_err(|error| {
        format!(
            "`{path}` of the base branch ({}) cannot be read: {error}",
            base.short()
        )
    })?;
    Ok(Settings {
        git: file.git,
        keep: file.preview.keep,
        ttl: file.preview.ttl,
    })
}
