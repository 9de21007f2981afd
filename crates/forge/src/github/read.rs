//! What is true at GitHub now.

use data_encoding::BASE64;
use model::commit::CommitSha;
use reqwest::Method;
use reqwest::header::IF_NONE_MATCH;
use serde::Deserialize;
use serde_json::Value;

use super::api::{Api, Identity, Right};
use super::pages;
use super::truth::{Pull, Repo, User};
use crate::change::{RepositoryName, RepositoryRef};
use crate::error::ForgeError;
use crate::forge::Listing;
use crate::http::{Answer, Call};
use crate::source::{Branch, ChangedFiles, Permission, PullRequest, Repository};

/// Most bytes of a file that are read.
const FILE_BYTES_MAX: u64 = 256 << 10;
/// GitHub lists no more files of a pull request than these.
const CHANGED_FILES_MAX: usize = 3_000;
/// Most bytes of a commit's message.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

pub(super) async fn repository(api: &Api, name: &RepositoryName) -> Result<Repository, ForgeError> {
    let mut reference = RepositoryRef {
        id: String::new(),
        name: name.clone(),
        installation: None,
    };
    if matches!(api.identity, Identity::App { .. }) {
        reference.installation = Some(api.installation(&reference).await?);
    }
    let call = api.of(&reference, Method::GET, &[]);
    let repo: Repo = api.json(Right::Metadata(&reference), call).await?;
    if let Some(installation) = &reference.installation {
        api.learn_installation(&repo.id.to_string(), installation);
    }
    Ok(repo.repository(reference.installation))
}

/// The pull request, and the head of its base branch: what the pull request itself says of that is as old as its last
/// push.
pub(super) async fn pull_request(
    api: &Api,
    repository: &RepositoryRef,
    number: u64,
) -> Result<PullRequest, ForgeError> {
    let path = ["pulls", &number.to_string()];
    let call = api.of(repository, Method::GET, &path);
    let pull: Pull = match api.json(Right::Repository(repository), call.clone()).await {
        Err(ForgeError::NotFound { what }) => match api.moved(repository).await? {
            true => api.json(Right::Repository(repository), call).await?,
            false => return Err(ForgeError::NotFound { what }),
        },
        other => other?,
    };
    let mut pull = pull.pull_request();
    if pull.open {
        match head_of(api, repository, &pull.base_branch).await {
            Ok(head) => pull.base = head,
            // The branch it would go to is gone; GitHub closes it, or has not yet.
            Err(ForgeError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(pull)
}

async fn head_of(api: &Api, repository: &RepositoryRef, branch: &str) -> Result<CommitSha, ForgeError> {
    #[derive(Deserialize)]
    struct Reference {
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        sha: CommitSha,
    }
    let mut path = vec!["git", "ref", "heads"];
    path.extend(branch.split('/'));
    let call = api.of(repository, Method::GET, &path);
    let found: Reference = api.json(Right::Repository(repository), call).await?;
    Ok(found.object.sha)
}

/// The tag is that of every page, for a change on a later page leaves the first as it was.
pub(super) async fn open_pull_requests(
    api: &Api,
    repository: &RepositoryRef,
    tag: Option<&str>,
) -> Result<Listing<PullRequest>, ForgeError> {
    if let Some(tag) = tag
        && is_unchanged(api, repository, tag).await?
    {
        return Ok(Listing::Unchanged);
    }
    let (mut items, mut tags) = (Vec::new(), Vec::new());
    for number in 1..=pages::PAGES_MAX {
        let answer = pulls_page(api, repository, (number, None)).await?;
        let pulls: Vec<Pull> = answer.json()?;
        items.extend(pulls.into_iter().map(Pull::pull_request));
        tags.push(answer.header("etag").map(str::to_owned));
        if answer.link("next").is_none() {
            let tags: Option<Vec<String>> = tags.into_iter().collect();
            return Ok(Listing::All {
                items,
                tag: tags.map(|tags| tags.join("\n")),
            });
        }
    }
    Err(pages::too_many("open pull requests"))
}

/// Whether no page has changed: newest come first, so that a new one changes the first page, and one that goes changes
/// its own.
async fn is_unchanged(api: &Api, repository: &RepositoryRef, tag: &str) -> Result<bool, ForgeError> {
    for (before, tag) in tag.lines().take(pages::PAGES_MAX).enumerate() {
        let answer = pulls_page(api, repository, (before + 1, Some(tag))).await?;
        if answer.status != 304 {
            return Ok(false);
        }
    }
    Ok(!tag.is_empty())
}

async fn pulls_page(
    api: &Api,
    repository: &RepositoryRef,
    (number, tag): (usize, Option<&str>),
) -> Result<Answer, ForgeError> {
    let mut call = api.of(repository, Method::GET, &["pulls"]);
    let number = number.to_string();
    let pairs = [
        ("state", "open"),
        ("sort", "created"),
        ("direction", "desc"),
        ("per_page", pages::PAGE),
        ("page", &number),
    ];
    call.url = pages::query(call.url, &pairs);
    if let Some(tag) = tag {
        call = call.header(IF_NONE_MATCH, tag);
    }
    api.send(Right::Repository(repository), call).await
}

pub(super) async fn branch(api: &Api, repository: &RepositoryRef, name: &str) -> Result<Branch, ForgeError> {
    #[derive(Deserialize)]
    struct Found {
        name: String,
        commit: Commit,
    }
    #[derive(Deserialize)]
    struct Commit {
        sha: CommitSha,
        commit: Said,
        author: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Said {
        message: String,
    }
    let call = api.of(repository, Method::GET, &["branches", name]);
    let found: Found = api.json(Right::Repository(repository), call).await?;
    let mut message = found.commit.commit.message;
    let end = (0..=MESSAGE_BYTES_MAX)
        .rev()
        .find(|&end| message.is_char_boundary(end));
    message.truncate(end.unwrap_or_default());
    // An author whom GitHub does not know is an empty object.
    let author = found
        .commit
        .author
        .and_then(|user| serde_json::from_value(user).ok());
    Ok(Branch {
        name: found.name,
        head: found.commit.sha,
        message,
        author: author.map(|user| User::account(Some(user))),
    })
}

/// A file at a commit, or on the default branch.
pub(super) async fn file(
    api: &Api,
    repository: &RepositoryRef,
    path: &str,
    at: Option<&CommitSha>,
) -> Result<Option<Vec<u8>>, ForgeError> {
    #[derive(Deserialize)]
    struct Content {
        #[serde(rename = "type")]
        kind: String,
        #[serde(default)]
        size: u64,
        #[serde(default)]
        content: String,
    }
    let mut segments = vec!["contents"];
    segments.extend(path.split('/').filter(|part| !part.is_empty()));
    let mut call = api.of(repository, Method::GET, &segments);
    if let Some(at) = at {
        call.url = pages::query(call.url, &[("ref", at.as_str())]);
    }
    let answer: Value = match api.json(Right::Repository(repository), call).await {
        Err(ForgeError::NotFound { .. }) => return is_there(api, repository, at).await.map(|()| None),
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
    let text: String = found.content.split_ascii_whitespace().collect();
    match BASE64.decode(text.as_bytes()) {
        Ok(bytes) if bytes.len() as u64 == found.size => Ok(Some(bytes)),
        _ => Err(ForgeError::Unavailable {
            message: format!("{path} did not arrive whole"),
        }),
    }
}

/// That a file is absent is said in the same words as that its commit is, or the repository: only where the commit can be
/// seen is it the file.
async fn is_there(
    api: &Api,
    repository: &RepositoryRef,
    commit: Option<&CommitSha>,
) -> Result<(), ForgeError> {
    let Some(commit) = commit else {
        return Ok(());
    };
    let call = api.of(repository, Method::GET, &["git", "commits", commit.as_str()]);
    api.send(Right::Repository(repository), call).await.map(drop)
}

pub(super) async fn changed_files(
    api: &Api,
    repository: &RepositoryRef,
    number: u64,
) -> Result<ChangedFiles, ForgeError> {
    #[derive(Deserialize)]
    struct File {
        filename: String,
        previous_filename: Option<String>,
    }
    let path = ["pulls", &number.to_string(), "files"];
    let call: Call = api.of(repository, Method::GET, &path);
    let files: Vec<File> = api.all(Right::Repository(repository), call, None).await?;
    if files.len() >= CHANGED_FILES_MAX {
        return Ok(ChangedFiles::TooMany);
    }
    let names = files
        .into_iter()
        .flat_map(|file| [Some(file.filename), file.previous_filename]);
    Ok(ChangedFiles::All(names.flatten().collect()))
}

/// `permission` is what a role amounts to, also one that an organisation has made up.
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
    let call = api.of(repository, Method::GET, &path);
    let held = match api.json::<Held>(Right::Repository(repository), call).await {
        // Nobody of that name, as for bots.
        Err(ForgeError::NotFound { .. }) => return Ok(Permission::None),
        other => other?,
    };
    Ok(match held.permission.as_str() {
        "admin" => Permission::Admin,
        "write" | "maintain" => Permission::Write,
        "read" | "triage" => Permission::Read,
        _ => Permission::None,
    })
}
