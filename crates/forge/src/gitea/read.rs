//! What is true at Gitea now.

use data_encoding::BASE64;
use model::commit::CommitSha;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::api::Api;
use super::truth::{Pull, Repo};
use crate::change::{Account, RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::forge::Listing;
use crate::source::{Branch, ChangedFiles, Permission, PullRequest, Repository};

/// Most bytes of a file that are read.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// Most files of a pull request that are looked at.
const CHANGED_FILES_MAX: usize = 3_000;
/// Most bytes of a commit's message.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

pub(super) async fn repository(api: &Api, name: &RepositoryName) -> Result<Repository, ForgeError> {
    let reference = RepositoryRef {
        id: String::new(),
        name: name.clone(),
        installation: None,
    };
    let repo: Repo = api.json(api.of(&reference, Method::GET, &[])).await?;
    Ok(repo.repository())
}

/// The pull request; of one from a copy, the commit that the repository itself has: the newest may be in the copy alone, for
/// as long as Gitea takes to fetch it from there.
pub(super) async fn pull_request(
    api: &Api,
    repository: &RepositoryRef,
    number: u64,
) -> Result<PullRequest, ForgeError> {
    let path = ["pulls", &number.to_string()];
    let pull: Pull = api.json(api.of(repository, Method::GET, &path)).await?;
    let mut pull = pull.pull_request().ok_or_else(|| headless(number))?;
    if pull.open
        && pull.fork
        && let Some(head) = commit_of(api, repository, &pull.reference()).await?
    {
        pull.head = head;
    }
    Ok(pull)
}

/// The commit of a reference such as `refs/pull/1/head`.
async fn commit_of(
    api: &Api,
    repository: &RepositoryRef,
    reference: &str,
) -> Result<Option<CommitSha>, ForgeError> {
    #[derive(Deserialize)]
    struct Reference {
        #[serde(rename = "ref")]
        name: String,
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        sha: CommitSha,
    }
    let mut path = vec!["git"];
    path.extend(reference.split('/'));
    // All that begin with it.
    let found = api
        .json::<Vec<Reference>>(api.of(repository, Method::GET, &path))
        .await;
    match found {
        Ok(found) => {
            let exact = found.into_iter().find(|found| found.name == reference);
            Ok(exact.map(|found| found.object.sha))
        }
        Err(ForgeError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn headless(number: u64) -> ForgeError {
    ForgeError::Unavailable {
        message: format!("pull request {number} has no commit at the moment"),
    }
}

/// There are no tags that say whether something changed.
pub(super) async fn open_pull_requests(
    api: &Api,
    repository: &RepositoryRef,
) -> Result<Listing<PullRequest>, ForgeError> {
    let mut call = api.of(repository, Method::GET, &["pulls"]);
    let pairs = [("state", "open"), ("sort", "oldest")];
    call.url.query_pairs_mut().extend_pairs(pairs);
    let pulls: Vec<Pull> = api.all(call).await?;
    Ok(Listing::All {
        // One without a commit is asked for by itself.
        items: pulls.into_iter().filter_map(Pull::pull_request).collect(),
        tag: None,
    })
}

pub(super) async fn branch(api: &Api, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError> {
    #[derive(Deserialize)]
    struct Found {
        name: String,
        commit: Commit,
    }
    #[derive(Deserialize)]
    struct Commit {
        id: CommitSha,
        #[serde(default)]
        message: String,
        author: Option<Author>,
    }
    #[derive(Deserialize)]
    struct Author {
        #[serde(default)]
        username: String,
    }
    let mut path = vec!["branches"];
    path.extend(name.split('/'));
    let found: Found = api.json(api.of(repository, Method::GET, &path)).await?;
    let mut message = found.commit.message;
    let end = (0..=MESSAGE_BYTES_MAX)
        .rev()
        .find(|&end| message.is_char_boundary(end));
    message.truncate(end.unwrap_or_default());
    // An author whom Gitea does not know has no name of its own.
    let author = found.commit.author.filter(|author| !author.username.is_empty());
    Ok(Branch {
        name: found.name,
        head: found.commit.id,
        message,
        author: author.map(|author| Account {
            login: author.username,
            bot: false,
        }),
    })
}

pub(super) async fn file(
    api: &Api,
    repository: &RepositoryRef,
    path: &str,
    at: &CommitSha,
) -> Result<Option<Vec<u8>>, ForgeError> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        size: u64,
        content: Option<String>,
    }
    let mut segments = vec!["contents"];
    segments.extend(path.split('/').filter(|part| !part.is_empty()));
    let mut call = api.of(repository, Method::GET, &segments);
    call.url.query_pairs_mut().append_pair("ref", at.as_str());
    let answer: Value = match api.json(call).await {
        Err(ForgeError::NotFound { .. }) => {
            // Said in the same words of a commit that is absent, or a repository.
            let call = api.of(repository, Method::GET, &["git", "commits", at.as_str()]);
            return api.send(call).await.map(|_| None);
        }
        other => other?,
    };
    // A directory is a list.
    let Ok(found) = serde_json::from_value::<Content>(answer) else {
        return Ok(None);
    };
    if found.kind != "file" {
        return Ok(None);
    }
    if found.size > FILE_BYTES_MAX {
        return Err(ForgeError::Refused {
            status: 413,
            message: format!(
                "{path} has {} bytes; at most {FILE_BYTES_MAX} are read",
                found.size
            ),
        });
    }
    match BASE64.decode(found.content.unwrap_or_default().as_bytes()) {
        Ok(bytes) if bytes.len() as u64 == found.size => Ok(Some(bytes)),
        _ => Err(ForgeError::Unavailable {
            message: format!("{path} did not arrive whole"),
        }),
    }
}

pub(super) async fn changed_files(
    api: &Api,
    repository: &RepositoryRef,
    number: u64,
) -> Result<ChangedFiles, ForgeError> {
    #[derive(Deserialize)]
    struct File {
        filename: String,
        #[serde(default)]
        previous_filename: String,
    }
    let path = ["pulls", &number.to_string(), "files"];
    let files: Vec<File> = api.all(api.of(repository, Method::GET, &path)).await?;
    if files.len() >= CHANGED_FILES_MAX {
        return Ok(ChangedFiles::TooMany);
    }
    let names = files
        .into_iter()
        .flat_map(|file| [file.filename, file.previous_filename]);
    Ok(ChangedFiles::All(names.filter(|name| !name.is_empty()).collect()))
}

/// To be asked of others by an administrator of the repository only.
pub(super) async fn permission(
    api: &Api,
    repository: &RepositoryRef,
    login: &str,
) -> Result<Permission, ForgeError> {
    #[derive(Deserialize)]
    struct Held {
        permission: String,
    }
    let path = ["collaborators", login, "permission"];
    let held = match api.json::<Held>(api.of(repository, Method::GET, &path)).await {
        // Nobody of that name.
        Err(ForgeError::NotFound { .. }) => return Ok(Permission::None),
        other => other?,
    };
    Ok(match held.permission.as_str() {
        "admin" | "owner" => Permission::Admin,
        "write" => Permission::Write,
        "read" => Permission::Read,
        _ => Permission::None,
    })
}
