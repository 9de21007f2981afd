//! What is to be said when one commit follows another, and when a change ends.

use std::time::Duration;

use forge::report::{ProjectReport, StatusState};
use model::commit::CommitSha;
use model::git::ReportSettings;

use super::*;
use crate::rows::told::digest;

fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().unwrap()
}

fn head() -> Head {
    Head::PullRequest(12)
}

fn report(commit: char, status: Status) -> Report {
    Report {
        number: Some(12),
        namespace: "preview-12".parse().unwrap(),
        commit: sha(commit),
        projects: vec![ProjectReport {
            project: "shop".parse().unwrap(),
            commit: sha(commit),
            deployment: Some(format!("dpl_{commit}")),
            url: None,
            deployment_url: None,
            log_url: None,
            serving: None,
            phases: Vec::new(),
            failure: None,
            settings: ReportSettings::default(),
            status,
        }],
        ended: false,
        notices: Vec::new(),
    }
}

/// A forge that is told at once whatever it is to be told.
struct Listening {
    app: bool,
    rows: Vec<Told>,
    clock: i64,
}

impl Listening {
    fn new(app: bool) -> Self {
        Self {
            app,
            rows: Vec::new(),
            clock: 0,
        }
    }

    fn plans(&self, reports: &[(Head, Report)]) -> Vec<Plan> {
        let capabilities = Capabilities {
            name: "GitHub".to_owned(),
            check_runs: self.app,
            deployments: self.app,
            statuses: true,
            redelivery: true,
            mutation_spacing: Duration::ZERO,
        };
        let repository = model::RepositoryId::from_random([1; 10]);
        let listener = Listener {
            repository: &repository,
            capabilities: &capabilities,
            installation: "abc",
        };
        plan(listener, reports, &self.rows)
    }

    fn hear(&mut self, reports: &[(Head, Report)]) {
        for plan in self.plans(reports) {
            self.clock += 1;
            self.rows.retain(|row| row.key != plan.row.key);
            if plan.then == Then::Stay {
                let told_at_ms = if plan.row.is_told() {
                    plan.row.told_at_ms
                } else {
                    self.clock
                };
                self.rows.push(Told {
                    digest: Some(digest(&plan.row.message)),
                    begun: true,
                    told_at_ms,
                    ..plan.row
                });
            }
        }
        self.rows.sort_by_key(|row| row.told_at_ms);
    }

    fn shown(&self) -> Vec<String> {
        let mut shown: Vec<String> = self.rows.iter().map(|row| said(&row.message)).collect();
        shown.sort();
        shown
    }
}

fn said(message: &Message) -> String {
    match message {
        Message::Comment(_) => "comment".to_owned(),
        Message::Check(check) => format!("check {} {:?}", &check.commit.as_str()[..1], check.state),
        Message::Deployment(deployment) => format!("{} {:?}", deployment.key, deployment.state),
        Message::Status(status) => format!("status {} {:?}", &status.commit.as_str()[..1], status.state),
    }
}

#[test]
fn the_old_deployment_is_put_away_when_the_new_one_serves() {
    let mut forge = Listening::new(true);
    forge.hear(&[(head(), report('a', Status::Ready))]);
    assert_eq!(forge.shown(), ["check a Success", "comment", "dpl_a Success"]);
    let building = Status::Deploying { phase: None };
    forge.hear(&[(head(), report('b', building))]);
    assert_eq!(
        forge.shown(),
        [
            "check b InProgress",
            "comment",
            "dpl_a Success",
            "dpl_b InProgress"
        ]
    );
    forge.hear(&[(head(), report('b', Status::Failed))]);
    assert_eq!(
        forge.shown(),
        ["check b Failure", "comment", "dpl_a Success", "dpl_b Failure"]
    );
    forge.hear(&[(head(), report('c', Status::Ready))]);
    assert_eq!(
        forge.shown(),
        [
            "check c Success",
            "comment",
            "dpl_a Inactive",
            "dpl_b Inactive",
            "dpl_c Success"
        ]
    );
}

#[test]
fn what_is_superseded_is_concluded_before_it_is_forgotten() {
    let mut forge = Listening::new(true);
    forge.hear(&[(head(), report('a', Status::Queued))]);
    let plans = forge.plans(&[(head(), report('b', Status::Queued))]);
    let check = plans.iter().find(|plan| {
        plan.row
            .key
            .contains(&format!("check/preview-12/shop/{}", sha('a')))
    });
    let check = check.unwrap();
    assert_eq!(
        (said(&check.row.message).as_str(), check.then),
        ("check a Cancelled", Then::Forget)
    );
    assert!(!check.row.is_told());
    let mut forge = Listening::new(false);
    forge.hear(&[(head(), report('a', Status::Queued))]);
    let plans = forge.plans(&[(head(), report('b', Status::Queued))]);
    let ends: Vec<_> = plans
        .iter()
        .filter(|plan| plan.then == Then::Forget)
        .map(|plan| said(&plan.row.message))
        .collect();
    assert_eq!(ends, [format!("status a {:?}", StatusState::Error)]);
}

#[test]
fn a_change_that_has_ended_leaves_its_comment_and_nothing_else() {
    let mut forge = Listening::new(true);
    forge.hear(&[(head(), report('a', Status::Ready))]);
    forge.hear(&[(head(), report('b', Status::Queued))]);
    let mut over = report('b', Status::Deleted);
    over.ended = true;
    let plans = forge.plans(&[(head(), over.clone())]);
    let ends: Vec<(String, Then)> = plans
        .iter()
        .map(|plan| (said(&plan.row.message), plan.then))
        .collect();
    let end = |said: &str, then| (said.to_owned(), then);
    assert!(
        ends.contains(&end("dpl_a Inactive", Then::Withdraw))
            && ends.contains(&end("dpl_b Inactive", Then::Withdraw)),
        "{ends:?}"
    );
    assert!(
        ends.contains(&end("check b Cancelled", Then::Forget)) && ends.contains(&end("comment", Then::Stay)),
        "{ends:?}"
    );
    forge.hear(&[(head(), over.clone())]);
    assert_eq!(forge.shown(), ["comment"]);
    // Nothing is known of it any more.
    forge.hear(&[]);
    assert!(forge.shown().is_empty());
    // What ended before anybody was told stays untold.
    forge.hear(&[(head(), over)]);
    assert!(forge.shown().is_empty());
}

#[test]
fn old_deployments_do_not_pile_up() {
    let mut forge = Listening::new(true);
    for digit in "0123456789".chars() {
        forge.hear(&[(head(), report(digit, Status::Ready))]);
    }
    assert_eq!(
        forge.shown(),
        [
            "check 9 Success",
            "comment",
            "dpl_6 Inactive",
            "dpl_7 Inactive",
            "dpl_8 Inactive",
            "dpl_9 Success"
        ]
    );
}

#[test]
fn two_heads_with_one_commit_say_its_status_once() {
    let mut branch = report('a', Status::Failed);
    branch.number = None;
    branch.namespace = "branch-a".parse().unwrap();
    let reports = [
        (head(), report('a', Status::Ready)),
        (Head::Branch("a".to_owned()), branch),
    ];
    let mut forge = Listening::new(false);
    forge.hear(&reports);
    assert_eq!(forge.shown(), ["comment", "status a Success"]);
    assert!(forge.plans(&reports).iter().all(|plan| plan.row.is_told()));
}
