//! What GitHub says when a pull request is opened: the fields that it has, and as many bytes.

use serde_json::{Map, Value, json};

const API: &str = "https://api.github.com";
const WEB: &str = "https://github.com";
const OWNER: &str = "octo-organisation";
const REPOSITORY: &str = "octo-organisation/online-shop";
/// What a repository's addresses end with, by the name of the field before `_url`.
const OF_REPOSITORY: [(&str, &str); 38] = [
    ("forks", "/forks"),
    ("keys", "/keys{/key_id}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("teams", "/teams"),
    ("hooks", "/hooks"),
    ("issue_events", "/issues/events{/number}"),
    ("events", "/events"),
    ("assignees", "/assignees{/user}"),
    ("branches", "/branches{/branch}"),
    ("tags", "/tags"),
    ("blobs", "/git/blobs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("trees", "/git/trees{/sha}"),
    ("statuses", "/statuses/{sha}"),
    ("languages", "/languages"),
    ("stargazers", "/stargazers"),
    ("contributors", "/contributors"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("commits", "/commits{/sha}"),
    ("git_commits", "/git/commits{/sha}"),
    ("comments", "/comments{/number}"),
    ("issue_comment", "/issues/comments{/number}"),
    ("contents", "/contents/{+path}"),
    ("compare", "/compare/{base}...{head}"),
    ("merges", "/merges"),
    ("archive", "/{archive_format}{/ref}"),
    ("downloads", "/downloads"),
    ("issues", "/issues{/number}"),
    ("pulls", "/pulls{/number}"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("labels", "/labels{/name}"),
    ("releases", "/releases{/id}"),
    ("deployments", "/deployments"),
    ("git", ".git"),
    ("svn", ""),
];
const OF_PERSON: [(&str, &str); 9] = [
    ("followers", "/followers"),
    ("following", "/following{/other_user}"),
    ("gists", "/gists{/gist_id}"),
    ("starred", "/starred{/owner}{/repo}"),
    ("subscriptions", "/subscriptions"),
    ("organizations", "/orgs"),
    ("repos", "/repos"),
    ("events", "/events{/privacy}"),
    ("received_events", "/received_events"),
];
const OF_PULL: [(&str, &str); 5] = [
    ("issue", "/issues/42"),
    ("commits", "/pulls/42/commits"),
    ("review_comments", "/pulls/42/comments"),
    ("review_comment", "/pulls/comments{/number}"),
    ("comments", "/issues/42/comments"),
];

pub(super) fn opened() -> Value {
    json!({
        "action": "opened",
        "number": 42,
        "pull_request": pull(),
        "repository": repository(),
        "sender": person(OWNER),
    })
}

fn pull() -> Value {
    let url = format!("{API}/repos/{REPOSITORY}");
    let mut pull = addresses(&url, &OF_PULL);
    let rest = json!({
        "url": format!("{url}/pulls/42"),
        "html_url": format!("{WEB}/{REPOSITORY}/pull/42"),
        "diff_url": format!("{WEB}/{REPOSITORY}/pull/42.diff"),
        "patch_url": format!("{WEB}/{REPOSITORY}/pull/42.patch"),
        "id": 279_147_437, "node_id": "MDExOlB1bGxSZXF1ZXN0Mjc5MTQ3NDM3", "number": 42, "state": "open",
        "locked": false, "title": "Show what is left in the basket", "user": person("blue"), "draft": false,
        "body": "The basket says what it holds, and what its parts cost together. ".repeat(12),
        "created_at": "2026-05-15T15:20:33Z", "updated_at": "2026-05-15T15:20:33Z",
        "closed_at": null, "merged_at": null, "merge_commit_sha": null, "assignee": null, "assignees": [],
        "requested_reviewers": [person("green")], "requested_teams": [], "labels": [], "milestone": null,
        "author_association": "MEMBER", "merged": false, "mergeable": null, "rebaseable": null,
        "mergeable_state": "unknown", "comments": 0, "commits": 1, "additions": 31, "deletions": 4,
        "head": side("changes", "ec26c3e57ca3a959ca5aad62de7213c562f8c821"),
        "base": side("main", "f95f852bd8fca8fcc58a9a2d6c842781e32a215e"),
    });
    if let Value::Object(rest) = rest {
        pull.extend(rest);
    }
    Value::Object(pull)
}

fn side(branch: &str, commit: &str) -> Value {
    let label = format!("{OWNER}:{branch}");
    json!({ "label": label, "ref": branch, "sha": commit, "user": person(OWNER), "repo": repository() })
}

fn repository() -> Value {
    let mut repository = addresses(&format!("{API}/repos/{REPOSITORY}"), &OF_REPOSITORY);
    let rest = json!({
        "id": 186_853_002, "node_id": "MDEwOlJlcG9zaXRvcnkxODY4NTMwMDI=", "name": "online-shop",
        "full_name": REPOSITORY, "private": false, "owner": person(OWNER),
        "html_url": format!("{WEB}/{REPOSITORY}"), "clone_url": format!("{WEB}/{REPOSITORY}.git"),
        "description": "Where things are sold", "fork": false, "url": format!("{API}/repos/{REPOSITORY}"),
        "created_at": "2026-05-15T15:19:25Z", "updated_at": "2026-05-15T15:19:27Z",
        "pushed_at": "2026-05-15T15:20:32Z", "homepage": null, "size": 2_048, "stargazers_count": 12,
        "watchers_count": 12, "language": "TypeScript", "has_issues": true, "has_projects": true,
        "has_downloads": true, "has_wiki": true, "has_pages": false, "forks_count": 3, "mirror_url": null,
        "archived": false, "disabled": false, "open_issues_count": 2, "license": null, "allow_forking": true,
        "is_template": false, "topics": [], "visibility": "public", "forks": 3, "open_issues": 2,
        "watchers": 12, "default_branch": "main",
    });
    if let Value::Object(rest) = rest {
        repository.extend(rest);
    }
    Value::Object(repository)
}

fn person(login: &str) -> Value {
    let mut person = addresses(&format!("{API}/users/{login}"), &OF_PERSON);
    let rest = json!({
        "login": login, "id": 21_031_067, "node_id": "MDQ6VXNlcjIxMDMxMDY3",
        "avatar_url": "https://avatars1.githubusercontent.com/u/21031067?v=4", "gravatar_id": "",
        "url": format!("{API}/users/{login}"), "html_url": format!("{WEB}/{login}"), "type": "User",
        "site_admin": false,
    });
    if let Value::Object(rest) = rest {
        person.extend(rest);
    }
    Value::Object(person)
}

/// `NAME_url` of each: `url` and what comes after it.
fn addresses(url: &str, ends: &[(&str, &str)]) -> Map<String, Value> {
    let address = |(name, end): &(&str, &str)| (format!("{name}_url"), format!("{url}{end}").into());
    ends.iter().map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_as_many_bytes_as_what_is_sent_by_github() {
        let bytes = opened().to_string().len();
        assert!((22_000..27_000).contains(&bytes), "{bytes}");
    }
}
