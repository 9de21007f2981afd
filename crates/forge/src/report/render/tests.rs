//! The words, as people see them.

use std::time::Duration;

use insta::assert_snapshot;
use model::Failure;
use model::failure::{Code, Location};
use model::git::ReportSettings;

use super::messages;
use crate::forge::Capabilities;
use crate::report::{CheckState, Comment, Message, Over, ProjectReport, Report, Status, StatusState};

const OLD: &str = "0123456789abcdef0123456789abcdef01234567";
const NEW: &str = "fedcba9876543210fedcba9876543210fedcba98";

fn capabilities(app: bool) -> Capabilities {
    Capabilities {
        name: "GitHub".to_owned(),
        check_runs: app,
        deployments: true,
        statuses: true,
        redelivery: app,
        mutation_spacing: Duration::from_secs(1),
    }
}

fn project(name: &str, status: Status) -> ProjectReport {
    ProjectReport {
        project: name.parse().unwrap(),
        status,
        commit: NEW.parse().unwrap(),
        deployment: Some("dpl_aaaaaaaaaaaaaaaa".to_owned()),
        url: Some(format!("https://preview-12-{name}.example.com")),
        deployment_url: Some(format!("https://{name}-aaaaaaaa.example.com")),
        log_url: Some("https://example.com/deployments/dpl_aaaaaaaaaaaaaaaa".to_owned()),
        serving: None,
        phases: vec![
            ("install".to_owned(), Some(2_100)),
            ("build".to_owned(), Some(812)),
        ],
        failure: None,
        settings: ReportSettings::default(),
    }
}

fn failed(name: &str) -> ProjectReport {
    let mut failure = Failure::new(Code::BuildFailed, "`npm run build` exited with code 1 | @team");
    failure.locations = vec![Location {
        file: "src/App.tsx".to_owned(),
        line: Some(3),
        column: Some(7),
        message: Some("Cannot find name `x`".to_owned()),
    }];
    failure.log_excerpt = vec![
        "> vite build".to_owned(),
        "```".to_owned(),
        "</details>".to_owned(),
    ];
    ProjectReport {
        serving: Some(OLD.parse().unwrap()),
        failure: Some(failure),
        ..project(name, Status::Failed)
    }
}

fn report(projects: Vec<ProjectReport>) -> Report {
    Report {
        number: Some(12),
        namespace: "preview-12".parse().unwrap(),
        commit: NEW.parse().unwrap(),
        projects,
        ended: false,
        notices: Vec::new(),
    }
}

fn comment(report: &Report) -> Comment {
    let found = messages(report, &capabilities(true), "abc")
        .into_iter()
        .find_map(|message| match message {
            Message::Comment(comment) => Some(comment),
            _ => None,
        });
    found.expect("there is a comment")
}

/// With what nobody sees made visible.
fn visible(text: &str) -> String {
    text.replace('\u{200b}', "{ZWSP}")
}

#[test]
fn one_comment_has_all_projects_and_what_failed() {
    let mut report = report(vec![project("shop", Status::Ready), failed("admin")]);
    report.notices = vec!["@ada asked for `redeploy`".to_owned()];
    assert_snapshot!(visible(&comment(&report).body), @r####"
    <!-- cygni abc preview-12 -->
    ### Preview

    > @{ZWSP}ada asked for `redeploy`

    | Project | Status | Preview | Commit | Time | Log |
    |---|---|---|---|---|---|
    | shop | ✅ Ready | [preview-12-shop.example.com](https://preview-12-shop.example.com) | [`fedcba9`](https://shop-aaaaaaaa.example.com) | install 2.1s · build 812ms | [log](https://example.com/deployments/dpl_aaaaaaaaaaaaaaaa) |
    | admin | ❌ Failed | [preview-12-admin.example.com](https://preview-12-admin.example.com) (still `0123456`) | [`fedcba9`](https://admin-aaaaaaaa.example.com) | install 2.1s · build 812ms | [log](https://example.com/deployments/dpl_aaaaaaaaaaaaaaaa) |

    <details open><summary>❌ admin: <code>build_failed</code></summary>

    `npm run build` exited with code 1 \| @{ZWSP}team

    - `src/App.tsx:3:7` Cannot find name `x`

    **What to do:** Run the build command on your machine; the log has the last lines of its output.

    ````text
    > vite build
    ```
    </details>
    ````

    </details>

    <details><summary>Commands</summary>

    | comment | what it does |
    |---|---|
    | `/cx redeploy` | deploys the newest commit again |
    | `/cx logs` | says where the log is |
    | `/cx sleep` | puts the preview to sleep; a visit wakes it |
    | `/cx delete` | removes the preview until the next push |
    | `/cx approve SHA` | lets this commit of a fork be built |
    | `/cx help` | says this |

    </details>
    "####);
}

#[test]
fn every_status_has_its_line() {
    let skipped = Status::Skipped {
        reason: "no path of it was changed".to_owned(),
    };
    let installing = Status::Deploying {
        phase: Some("install".to_owned()),
    };
    let statuses = [
        Status::Queued,
        installing,
        Status::Asleep,
        Status::Cancelled,
        Status::AwaitsApproval,
        skipped,
        Status::Paused,
        Status::Deleted,
    ];
    let report = report(
        statuses
            .into_iter()
            .map(|status| ProjectReport {
                url: None,
                deployment_url: None,
                phases: Vec::new(),
                log_url: None,
                ..project("shop", status)
            })
            .collect(),
    );
    assert_snapshot!(visible(&comment(&report).body), @r####"
    <!-- cygni abc preview-12 -->
    ### Preview

    | Project | Status | Preview | Commit | Time | Log |
    |---|---|---|---|---|---|
    | shop | ⏳ Queued |  | `fedcba9` |  |  |
    | shop | 🔄 Deploying: install |  | `fedcba9` |  |  |
    | shop | 💤 Asleep, wakes on a visit |  | `fedcba9` |  |  |
    | shop | ⚪ Cancelled |  | `fedcba9` |  |  |
    | shop | 🔒 Waits for approval |  | `fedcba9` |  |  |
    | shop | ➖ Skipped: no path of it was changed |  | `fedcba9` |  |  |
    | shop | ⏸️ Paused |  | `fedcba9` |  |  |
    | shop | 🗑️ Deleted |  | `fedcba9` |  |  |

    🔒 **shop** comes from a fork. Read the change; then somebody who may write here lets exactly this commit be built with `/cx approve fedcba9`. It is given no secrets and no network at run time.

    <details><summary>Commands</summary>

    | comment | what it does |
    |---|---|
    | `/cx redeploy` | deploys the newest commit again |
    | `/cx logs` | says where the log is |
    | `/cx sleep` | puts the preview to sleep; a visit wakes it |
    | `/cx delete` | removes the preview until the next push |
    | `/cx approve SHA` | lets this commit of a fork be built |
    | `/cx help` | says this |

    </details>
    "####);
}

#[test]
fn what_is_over_says_so_and_takes_no_commands() {
    let report = Report {
        ended: true,
        projects: vec![ProjectReport {
            url: None,
            deployment_url: None,
            ..project("shop", Status::Deleted)
        }],
        ..report(Vec::new())
    };
    assert_snapshot!(visible(&comment(&report).body), @r####"
    <!-- cygni abc preview-12 -->
    ### Preview

    This is over: the preview is gone, with its processes, files and routes.

    | Project | Status | Preview | Commit | Time | Log |
    |---|---|---|---|---|---|
    | shop | 🗑️ Deleted |  | `fedcba9` | install 2.1s · build 812ms |  |
    "####);
    assert_eq!(messages(&report, &capabilities(true), "abc").len(), 1);
    assert!(report.is_quiet());
}

#[test]
fn what_was_told_of_its_commits_comes_to_an_end() {
    let by = Over::Superseded {
        by: OLD.parse().unwrap(),
    };
    let ends = |status: Status, why: &Over| -> Vec<String> {
        let report = report(vec![project("shop", status)]);
        let mut told = messages(&report, &capabilities(true), "abc");
        told.extend(messages(&report, &capabilities(false), "abc").pop());
        let end = |message: &Message| {
            let over = message.over(why);
            assert_eq!(over.over(why), over, "it ends once");
            match &over {
                _ if over == *message => "as it was".to_owned(),
                Message::Comment(comment) => comment.body.clone(),
                Message::Check(check) => format!("{:?}: {}", check.state, check.title),
                Message::Deployment(deployment) => {
                    format!("{:?}: {}", deployment.state, deployment.description)
                }
                Message::Status(status) => format!("{:?}: {}", status.state, status.description),
            }
        };
        told.iter().skip(1).map(end).collect()
    };
    let superseded = |state: &str| format!("{state}: Superseded by 0123456");
    let deploying = Status::Deploying { phase: None };
    assert_eq!(
        ends(deploying, &by),
        [
            superseded("Cancelled"),
            superseded("Inactive"),
            superseded("Error")
        ]
    );
    let gone = |state: &str| format!("{state}: The preview is gone");
    let as_it_was = || "as it was".to_owned();
    assert_eq!(
        ends(Status::Ready, &Over::Ended),
        [as_it_was(), gone("Inactive"), as_it_was()]
    );
    assert_eq!(
        ends(Status::AwaitsApproval, &Over::Ended),
        [gone("Cancelled"), gone("Error")]
    );
}

#[test]
fn a_comment_is_made_only_where_there_is_something_to_say() {
    let skipped = || {
        let reason = "it is a draft".to_owned();
        project("shop", Status::Skipped { reason })
    };
    assert!(report(vec![skipped(), skipped()]).is_quiet());
    assert!(!report(vec![skipped(), project("api", Status::Queued)]).is_quiet());
    let mut answered = report(vec![skipped()]);
    answered.notices.push("there is no such command".to_owned());
    assert!(!answered.is_quiet());
}

#[test]
fn only_what_is_changed_in_place_follows_every_phase() {
    let phase = |name: &str| Status::Deploying {
        phase: Some(name.to_owned()),
    };
    let told = |status: Status, app: bool| {
        messages(&report(vec![project("shop", status)]), &capabilities(app), "abc")
    };
    assert_ne!(told(phase("build"), true)[..2], told(phase("install"), true)[..2]);
    assert_eq!(told(phase("build"), true)[2..], told(phase("install"), true)[2..]);
    assert_eq!(
        told(phase("build"), false)[1..],
        told(phase("install"), false)[1..]
    );
}

#[test]
fn an_app_shows_a_check_and_a_token_a_status() {
    let report = report(vec![failed("shop")]);
    let kinds = |app| -> Vec<String> {
        let messages = messages(&report, &capabilities(app), "abc");
        messages.iter().map(Message::key).collect()
    };
    let deployment = "deployment/preview-12/shop/dpl_aaaaaaaaaaaaaaaa";
    assert_eq!(
        kinds(true),
        ["comment/12", &format!("check/preview-12/shop/{NEW}"), deployment]
    );
    assert_eq!(
        kinds(false),
        ["comment/12", deployment, &format!("status/cygni/shop/{NEW}")]
    );
}

#[test]
fn a_failed_check_names_the_line_and_has_buttons() {
    let found = messages(&report(vec![failed("shop")]), &capabilities(true), "abc");
    let check = found.iter().find_map(|message| match message {
        Message::Check(check) => Some(check),
        _ => None,
    });
    let check = check.expect("there is a check");
    assert_eq!((check.state, check.buttons.len()), (CheckState::Failure, 2));
    assert_eq!(
        (check.annotations[0].path.as_str(), check.annotations[0].line),
        ("src/App.tsx", 3)
    );
    assert_snapshot!(visible(&format!("{}\n\n{}", check.title, check.summary)), @r####"
    'npm run build' exited with code 1 | @team

    Preview: [https://preview-12-shop.example.com](https://preview-12-shop.example.com)

    Meanwhile `0123456` goes on serving.

    install 2.1s · build 812ms

    `build_failed`: `npm run build` exited with code 1 \| @{ZWSP}team

    **What to do:** Run the build command on your machine; the log has the last lines of its output.

    ````text
    > vite build
    ```
    </details>
    ````
    "####);
}

#[test]
fn the_platforms_own_failure_is_an_error_and_not_a_failure() {
    let mut broken = project("shop", Status::Failed);
    broken.failure = Some(Failure::new(Code::PlatformError, "the disk went away"));
    let found = messages(&report(vec![broken]), &capabilities(false), "abc");
    let states: Vec<_> = found
        .iter()
        .filter_map(|message| match message {
            Message::Status(status) => Some((status.state, status.description.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(states, [(StatusState::Error, "the disk went away")]);
}

#[test]
fn each_can_be_switched_off() {
    let off = ReportSettings {
        comment: false,
        check: false,
        deployment: false,
        status: false,
    };
    let silent = ProjectReport {
        settings: off,
        ..project("shop", Status::Ready)
    };
    assert!(messages(&report(vec![silent]), &capabilities(true), "abc").is_empty());
}

#[test]
fn a_branch_has_no_comment() {
    let branch = Report {
        number: None,
        ..report(vec![project("shop", Status::Ready)])
    };
    let found = messages(&branch, &capabilities(true), "abc");
    assert!(
        found
            .iter()
            .all(|message| !matches!(message, Message::Comment(_)))
            && !found.is_empty()
    );
}

#[test]
fn nothing_is_longer_than_the_forges_take() {
    let mut long = failed("shop");
    if let Some(failure) = &mut long.failure {
        failure.message = "ä".repeat(10_000);
        failure.log_excerpt = vec!["x".repeat(10_000); 20];
    }
    let many = report(vec![long; 40]);
    for app in [true, false] {
        for message in messages(&many, &capabilities(app), "abc") {
            match message {
                Message::Comment(comment) => {
                    assert!(comment.body.chars().count() <= 65_535 && comment.body.ends_with('…'));
                }
                Message::Check(check) => {
                    assert!(check.summary.len() <= 65_535 && check.title.chars().count() <= 255)
                }
                Message::Deployment(deployment) => assert!(deployment.description.chars().count() <= 140),
                Message::Status(status) => assert!(status.description.chars().count() <= 140),
            }
        }
    }
}
