//! Carrying out: what every project wants of every head is decided from rows alone, and what differs from what is there is
//! made so. The deployment and the note that it was made are one transaction: a commit is deployed once.

use std::collections::{BTreeMap, HashSet};

use model::commit::{CommitSha, Revision};
use model::preview::Origin;
use model::trust::Trust;
use model::{EnvironmentName, RepositoryId};

use super::AnyError;
use crate::changes::{Candidate, Head, ProjectFacts, Settings, Truth, Verdict, decide};
use crate::control::Control;
use crate::ops::{Making, WantedPreview, prepared_by};
use crate::rows::deployment::Deployment;
use crate::rows::head::HeadRow;
use crate::rows::preview::Preview;
use crate::rows::project_repository::ProjectRepository;
use crate::rows::repository::{Repository, RepositoryState};
use crate::rows::verdict::VerdictRow;
use crate::rows::{self};

/// The rows that are decided from.
pub(super) struct Known {
    repository: Repository,
    pub(super) projects: Vec<ProjectRepository>,
    heads: Vec<HeadRow>,
    verdicts: Vec<VerdictRow>,
    approvals: HashSet<(u64, CommitSha)>,
}

/// What a project wants of a head.
pub(super) struct Decided<'a> {
    pub(super) head: &'a HeadRow,
    truth: &'a Truth,
    pub(super) row: &'a VerdictRow,
    pub(super) verdict: Verdict,
}

impl Known {
    /// What the project wants of every head that has been looked at for it.
    pub(super) fn decided_for(&self, project: &ProjectRepository) -> Vec<Decided<'_>> {
        let facts = ProjectFacts {
            paused: project.paused,
            bounds: &project.bounds,
        };
        let looked: Vec<(&HeadRow, &Truth)> = self
            .heads
            .iter()
            .filter_map(|head| head.truth.as_ref().map(|truth| (head, truth)))
            .collect();
        let row_of = |head: &HeadRow| {
            let mut rows = self.verdicts.iter();
            rows.find(|row| row.head == head.head && row.project == project.project_id)
        };
        let candidates: Vec<Candidate<'_>> = looked
            .iter()
            .map(|(head, truth)| Candidate {
                head: &head.head,
                truth,
                basis: row_of(head).map(|row| &row.basis),
                approved: is_approved(self, &head.head, truth),
            })
            .collect();
        let decided = decide(&facts, &candidates).into_iter().zip(looked);
        // Without a row nothing was looked at for this project, and nothing deployed.
        decided
            .filter_map(|(verdict, (head, truth))| {
                Some(Decided {
                    head,
                    truth,
                    row: row_of(head)?,
                    verdict,
                })
            })
            .collect()
    }
}

/// One project's part of one head.
struct Part<'a> {
    repository: &'a Repository,
    project: &'a ProjectRepository,
    head: &'a HeadRow,
    row: &'a VerdictRow,
}

impl Control {
    /// Whether nothing has changed since everything was carried out.
    pub(super) async fn is_carried_out(&self, repository: &Repository) -> Result<bool, AnyError> {
        let state = self.decided_from(repository).await?;
        let following = self.following();
        let known = following.repositories.get(&repository.id);
        Ok(known.is_some_and(|known| known.carried_out.as_ref() == Some(&state)))
    }

    /// Names the state of the rows that decisions rest upon.
    async fn decided_from(&self, repository: &Repository) -> Result<String, AnyError> {
        let mut tx = self.db().read().begin().await?;
        let projects = rows::project_repository::of_repository(&mut *tx, &repository.id).await?;
        let projects: Vec<_> = projects
            .iter()
            .map(|project| {
                (
                    &project.project_id,
                    project.paused,
                    &project.root,
                    &project.bounds,
                )
            })
            .collect();
        let counts = rows::verdict::counts(&mut *tx, &repository.id).await?;
        let state = (repository.state.to_string(), projects, counts);
        Ok(serde_json::to_string(&state)?)
    }

    /// Whether anything was done.
    pub(super) async fn carry_out(&self, id: &RepositoryId) -> Result<bool, AnyError> {
        let Some(repository) = rows::repository::by_id(self.db().read(), id).await? else {
            self.following().repositories.remove(id);
            return Ok(false);
        };
        // Taken before: what changes meanwhile is another state.
        let state = self.decided_from(&repository).await?;
        let known = self.known_of(repository).await?;
        let mut done = self.drop_strangers(&known).await?;
        for project in &known.projects {
            done |= self.carry_out_project(&known, project).await?;
        }
        done |= self.look_again(&known).await?;
        let mut following = self.following();
        following.repositories.entry(id.clone()).or_default().carried_out = Some(state);
        Ok(done)
    }

    pub(super) async fn known_of(&self, repository: Repository) -> Result<Known, AnyError> {
        let mut tx = self.db().read().begin().await?;
        let id = repository.id.clone();
        Ok(Known {
            repository,
            projects: rows::project_repository::of_repository(&mut *tx, &id).await?,
            heads: rows::head::of(&mut *tx, &id).await?,
            verdicts: rows::verdict::of(&mut *tx, &id).await?,
            approvals: rows::approval::of(&mut *tx, &id).await?.into_iter().collect(),
        })
    }

    async fn carry_out_project(&self, known: &Known, project: &ProjectRepository) -> Result<bool, AnyError> {
        let mut done = false;
        for Decided {
            head,
            truth,
            row,
            verdict,
        } in known.decided_for(project)
        {
            let part = Part {
                repository: &known.repository,
                project,
                head,
                row,
            };
            done |= self.make_so(&part, truth, &verdict).await?;
        }
        Ok(done)
    }

    /// Makes what is there what is to be there. Whether there was anything to do.
    async fn make_so(&self, part: &Part<'_>, truth: &Truth, verdict: &Verdict) -> Result<bool, AnyError> {
        let row = part.row;
        match verdict {
            Verdict::Deploy { commit, trust } if row.deployed.as_ref() != Some(commit) => {
                self.deploy_commit(part, truth, (commit, *trust)).await
            }
            verdict if verdict.is_for_nothing() && row.deployed.is_some() => {
                if part.repository.state == RepositoryState::Held {
                    return Ok(false);
                }
                self.remove_part(part, Some(verdict)).await
            }
            verdict if row.verdict.as_ref() != Some(verdict) => {
                let mut tx = self.db().begin().await?;
                rows::verdict::set_verdict(&mut tx, row.place(), verdict).await?;
                tx.commit().await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn deploy_commit(
        &self,
        part: &Part<'_>,
        truth: &Truth,
        (commit, trust): (&CommitSha, Trust),
    ) -> Result<bool, AnyError> {
        let Some((origin, revision)) = came_from(part, truth) else {
            return Ok(false);
        };
        let settings = part.row.basis.settings.clone().unwrap_or_default();
        let mut tx = self.db().begin().await?;
        let now_row = rows::verdict::find(&mut *tx, part.row.place()).await?;
        if now_row.is_none_or(|row| row.deployed.as_ref() == Some(commit)) {
            return Ok(false);
        }
        let preview = self
            .ensure_preview(&mut tx, wanted(part, &origin, &settings))
            .await?;
        let before = rows::deployment::of(&mut *tx, &preview.id).await?;
        let same = |other: &&Deployment| {
            other.trust == trust
                && other.revision.as_ref().is_some_and(|known| {
                    (&known.commit, &known.forge, &known.repository)
                        == (commit, &revision.forge, &revision.repository)
                })
        };
        // What a commit holds never changes: it is neither fetched nor built once more.
        let same = before.iter().filter(same).find(|other| other.source.is_some());
        let making = Making {
            environment: EnvironmentName::Preview,
            trust,
            source: same.and_then(|same| same.source.as_ref()),
            revision: Some(&revision),
            rebuild: false,
            prepared: same.and_then(prepared_by),
            variables: &BTreeMap::new(),
            uploaded: None,
            live_directory: None,
        };
        let (_, superseded) = self.make(&mut tx, &preview, making).await?;
        let verdict = Verdict::Deploy {
            commit: commit.clone(),
            trust,
        };
        rows::verdict::set_verdict(&mut tx, part.row.place(), &verdict).await?;
        rows::verdict::set_deployed(&mut tx, part.row.place(), Some(commit)).await?;
        tx.commit().await?;
        self.after_change(&superseded).await;
        Ok(true)
    }

    /// The preview goes with all it has, and it is noted that nothing is there any more.
    async fn remove_part(&self, part: &Part<'_>, verdict: Option<&Verdict>) -> Result<bool, AnyError> {
        let mut tx = self.db().begin().await?;
        let namespace = &part.head.namespace;
        let preview = rows::preview::by_name(&mut *tx, &part.project.project, namespace).await?;
        let mut unwanted = Vec::new();
        if let Some(preview) = &preview {
            unwanted = self
                .delete_preview_in(&mut tx, preview, "preview.deleted")
                .await?;
        }
        if let Some(verdict) = verdict {
            rows::verdict::set_verdict(&mut tx, part.row.place(), verdict).await?;
        }
        rows::verdict::set_deployed(&mut tx, part.row.place(), None).await?;
        if let (true, Some(number)) = (part.head.over, part.head.head.number()) {
            rows::approval::forget(&mut tx, &part.repository.id, number).await?;
        }
        tx.commit().await?;
        self.after_change(&unwanted).await;
        Ok(true)
    }

    /// Previews of projects that belong to this repository no longer.
    async fn drop_strangers(&self, known: &Known) -> Result<bool, AnyError> {
        let mut done = false;
        let belongs = |row: &&VerdictRow| {
            let mut projects = known.projects.iter();
            !projects.any(|project| project.project_id == row.project)
        };
        for row in known.verdicts.iter().filter(belongs) {
            let head = known.heads.iter().find(|head| head.head == row.head);
            let ours = |preview: &Preview| {
                preview.project_id == row.project
                    && head.is_some_and(|head| head.namespace == preview.namespace)
                    && is_origin(&preview.origin, &known.repository)
            };
            let previews = rows::preview::all(self.db().read()).await?;
            let mut tx = self.db().begin().await?;
            let mut unwanted = Vec::new();
            for preview in previews.iter().filter(|preview| ours(preview)) {
                unwanted.extend(
                    self.delete_preview_in(&mut tx, preview, "preview.deleted")
                        .await?,
                );
            }
            rows::verdict::delete(&mut tx, row.place()).await?;
            tx.commit().await?;
            self.after_change(&unwanted).await;
            done = true;
        }
        Ok(done)
    }

    /// Heads that were looked at before a project belonged to the repository, or before it moved within it.
    async fn look_again(&self, known: &Known) -> Result<bool, AnyError> {
        let stale = |head: &&HeadRow| {
            let is_known = |project: &ProjectRepository| {
                known.verdicts.iter().any(|row| {
                    row.head == head.head
                        && row.project == project.project_id
                        && row.basis.root == project.root
                })
            };
            let looked = head.truth.is_some() && !head.is_to_be_looked_at();
            looked && !head.over && !known.projects.iter().all(is_known)
        };
        let mut tx = self.db().begin().await?;
        let mut any = false;
        for head in known.heads.iter().filter(stale) {
            let default = known.repository.default_branch.as_str();
            rows::head::want_look(&mut tx, &known.repository.id, (&head.head, default)).await?;
            any = true;
        }
        // Branches are pushed all the time; those that nobody wants are not remembered.
        let unwanted = |head: &&HeadRow| {
            let mut of_head = known.verdicts.iter().filter(|row| row.head == head.head);
            let default = Head::Branch(known.repository.default_branch.clone());
            let looked = head.truth.is_some() && !head.is_to_be_looked_at();
            looked
                && !head.over
                && head.head.number().is_none()
                && head.head != default
                && of_head.all(|row| row.verdict.as_ref().is_some_and(Verdict::is_for_nothing))
        };
        for head in known.heads.iter().filter(unwanted) {
            rows::head::forget(&mut tx, head).await?;
        }
        tx.commit().await?;
        Ok(any)
    }
}

fn is_approved(known: &Known, head: &Head, truth: &Truth) -> bool {
    let (Some(number), Some(commit)) = (head.number(), truth.commit()) else {
        return false;
    };
    known.approvals.contains(&(number, commit.clone()))
}

fn wanted<'a>(part: &'a Part<'_>, origin: &'a Origin, settings: &Settings) -> WantedPreview<'a> {
    WantedPreview {
        project: &part.project.project,
        namespace: &part.head.namespace,
        environment: EnvironmentName::Preview,
        origin,
        keep: settings.keep,
        ttl: settings.ttl,
    }
}

/// Where the preview says it came from, and what is fetched for it. `None` where nothing is there to be fetched.
fn came_from(part: &Part<'_>, truth: &Truth) -> Option<(Origin, Revision)> {
    let repository = part.repository.name.to_string();
    let revision = |reference: String, commit: &CommitSha| Revision {
        forge: part.repository.forge.clone(),
        repository: repository.clone(),
        reference,
        commit: commit.clone(),
        url: None,
        branch: None,
        pull_request: None,
        root: part.project.root.clone(),
    };
    match truth {
        Truth::PullRequest(pull) => {
            let origin = Origin::PullRequest {
                repository: repository.clone(),
                number: pull.number,
                url: pull.web_url.clone(),
            };
            let revision = Revision {
                url: Some(pull.web_url.clone()),
                branch: Some(pull.head_branch.clone()),
                pull_request: Some(pull.number),
                ..revision(pull.reference(), &pull.head)
            };
            Some((origin, revision))
        }
        Truth::Branch(branch) => {
            let origin = Origin::Branch {
                repository: repository.clone(),
                branch: branch.name.clone(),
            };
            let revision = Revision {
                branch: Some(branch.name.clone()),
                ..revision(format!("refs/heads/{}", branch.name), &branch.head)
            };
            Some((origin, revision))
        }
        Truth::Gone => None,
    }
}

/// Whether a preview came from the repository.
fn is_origin(origin: &Origin, of: &Repository) -> bool {
    match origin {
        Origin::PullRequest { repository, .. } | Origin::Branch { repository, .. } => {
            *repository == of.name.to_string()
        }
        Origin::Directory { .. } | Origin::Files => false,
    }
}
