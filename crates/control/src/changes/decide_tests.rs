use forge::change::Account;
use model::commit::CommitSha;
use model::git::GitBounds;

use super::super::Settings;
use super::*;

fn sha(digit: char) -> CommitSha {
    digit.to_string().repeat(40).parse().unwrap()
}

fn pull(number: u64) -> PullRequest {
    PullRequest {
        number,
        title: "Add a cart".to_owned(),
        open: true,
        merged: false,
        draft: false,
        author: Account {
            login: "ada".to_owned(),
            bot: false,
        },
        labels: Vec::new(),
        head: sha('a'),
        head_branch: "cart".to_owned(),
        head_repository: None,
        fork: false,
        base_branch: "main".to_owned(),
        base: sha('b'),
        web_url: format!("https://forge.test/pulls/{number}"),
    }
}

/// What is known of one head, as the tests change it.
struct Known {
    head: Head,
    truth: Truth,
    basis: Option<Basis>,
    approved: bool,
}

fn known(pull: PullRequest) -> Known {
    Known {
        head: Head::PullRequest(pull.number),
        truth: Truth::PullRequest(pull),
        basis: Some(Basis {
            base: sha('b'),
            root: String::new(),
            settings: Ok(Settings::default()),
            touched: true,
        }),
        approved: false,
    }
}

fn settings(known: &mut Known) -> &mut GitSettings {
    &mut known.basis.as_mut().unwrap().settings.as_mut().unwrap().git
}

fn verdicts(paused: bool, bounds: &GitBounds, all: &[Known]) -> Vec<Verdict> {
    let candidates: Vec<_> = all
        .iter()
        .map(|one| Candidate {
            head: &one.head,
            truth: &one.truth,
            basis: one.basis.as_ref(),
            approved: one.approved,
        })
        .collect();
    decide(&ProjectFacts { paused, bounds }, &candidates)
}

fn verdict(known: Known) -> Verdict {
    verdicts(false, &GitBounds::default(), &[known]).remove(0)
}

fn deploy(commit: char, trust: Trust) -> Verdict {
    Verdict::Deploy {
        commit: sha(commit),
        trust,
    }
}

/// The verdict on a pull request that `change` has changed.
fn of(change: impl FnOnce(&mut PullRequest, &mut GitSettings)) -> Verdict {
    let mut pull = pull(7);
    let mut git = GitSettings::default();
    change(&mut pull, &mut git);
    let mut known = known(pull);
    *settings(&mut known) = git;
    verdict(known)
}

fn is_skipped(verdict: &Verdict, because: &str) -> bool {
    matches!(verdict, Verdict::Skip { reason } if reason.contains(because))
}

#[test]
fn a_pull_request_of_the_repository_gets_a_preview() {
    assert_eq!(of(|_, _| ()), deploy('a', Trust::Member));
    // Drafts and bots too, unless the project says otherwise; another title changes nothing.
    let plain = of(|pull, _| {
        pull.draft = true;
        pull.author.bot = true;
        pull.title = "Renamed".to_owned();
        pull.base_branch = "stacked-below".to_owned();
    });
    assert_eq!(plain, deploy('a', Trust::Member));
}

#[test]
fn what_a_project_leaves_out_is_skipped_with_the_reason() {
    type Change = fn(&mut PullRequest, &mut GitSettings);
    let cases: [(Change, &str); 9] = [
        (|_, git| git.pull_requests = false, "no previews"),
        (|pull, git| (pull.draft, git.drafts) = (true, false), "draft"),
        (
            |pull, git| (pull.author.bot, git.bots) = (true, false),
            "`ada` is a bot",
        ),
        (
            |pull, _| pull.labels = vec!["No-Preview".to_owned()],
            "`no-preview`",
        ),
        (
            |_, git| git.label = "preview".to_owned(),
            "with the label `preview`",
        ),
        (
            |pull, _| pull.title = "Tidy [SKIP preview]".to_owned(),
            "`[skip preview]`",
        ),
        (|pull, _| pull.title = "[skip cx] Tidy".to_owned(), "`[skip cx]`"),
        (
            |pull, git| (pull.fork, git.forks) = (true, ForkPolicy::Never),
            "fork",
        ),
        (
            |pull, git| {
                git.label = "preview".to_owned();
                pull.labels = vec!["preview".to_owned(), "no-preview".to_owned()];
            },
            "`no-preview`",
        ),
    ];
    for (change, because) in cases {
        let verdict = of(change);
        assert!(is_skipped(&verdict, because), "{because}: {verdict:?}");
    }
    let labelled = of(|pull, git| {
        git.label = "preview".to_owned();
        pull.labels = vec!["Preview".to_owned()];
    });
    assert_eq!(labelled, deploy('a', Trust::Member));
}

#[test]
fn a_change_beside_the_paths_is_skipped() {
    let mut known = known(pull(7));
    known.basis.as_mut().unwrap().touched = false;
    assert!(is_skipped(&verdict(known), "paths"));
}

#[test]
fn a_strangers_commit_waits_for_its_own_approval() {
    let fork = |policy: ForkPolicy, approved: bool| {
        let mut known = known(PullRequest {
            fork: true,
            ..pull(7)
        });
        settings(&mut known).forks = policy;
        known.approved = approved;
        verdict(known)
    };
    assert_eq!(
        fork(ForkPolicy::Approve, false),
        Verdict::AwaitApproval { commit: sha('a') }
    );
    assert_eq!(fork(ForkPolicy::Approve, true), deploy('a', Trust::Fork));
    assert_eq!(fork(ForkPolicy::WithoutSecrets, false), deploy('a', Trust::Fork));
    assert!(is_skipped(&fork(ForkPolicy::Never, true), "fork"));
}

#[test]
fn the_operator_stands_above_the_project() {
    let bounds = GitBounds {
        forks: Some(ForkPolicy::Approve),
        drafts: Some(false),
        ..GitBounds::default()
    };
    let mut fork = known(PullRequest {
        fork: true,
        ..pull(1)
    });
    settings(&mut fork).forks = ForkPolicy::WithoutSecrets;
    let draft = known(PullRequest {
        draft: true,
        ..pull(2)
    });
    let verdicts = verdicts(false, &bounds, &[fork, draft]);
    assert_eq!(verdicts[0], Verdict::AwaitApproval { commit: sha('a') });
    assert!(is_skipped(&verdicts[1], "draft"));
}

#[test]
fn what_is_over_goes_even_while_the_project_is_paused() {
    let closed = || {
        known(PullRequest {
            open: false,
            ..pull(1)
        })
    };
    let gone = || Known {
        head: Head::Branch("old".to_owned()),
        truth: Truth::Gone,
        basis: None,
        approved: false,
    };
    for paused in [false, true] {
        let verdicts = verdicts(paused, &GitBounds::default(), &[closed(), gone(), known(pull(2))]);
        assert_eq!(verdicts[..2], [Verdict::Remove, Verdict::Remove]);
        assert_eq!(verdicts[2] == Verdict::Paused, paused);
    }
}

#[test]
fn what_cannot_be_read_changes_nothing() {
    let mut known = known(pull(7));
    known.basis.as_mut().unwrap().settings = Err("cx.toml of the base branch is broken".to_owned());
    let verdict = verdict(known);
    assert!(matches!(verdict, Verdict::Keep { reason } if reason.contains("broken")));
}

#[test]
fn the_oldest_pull_requests_keep_theirs() {
    let limited = |number: u64, author: &str| {
        let mut known = known(pull(number));
        if let Truth::PullRequest(pull) = &mut known.truth {
            pull.author.login = author.to_owned();
        }
        let git = settings(&mut known);
        (git.previews_max, git.previews_per_author_max) = (Some(3), Some(2));
        known
    };
    // In any order: 2, 3 and 10 are within the limits; 4 is the third of one author; 11 the fourth of the project.
    let mut all: Vec<_> = [(11, "joan"), (2, "ada"), (10, "grace"), (4, "ada"), (3, "ada")]
        .into_iter()
        .map(|(number, author)| limited(number, author))
        .collect();
    for _ in 0..all.len() {
        all.rotate_left(1);
        let verdicts = verdicts(false, &GitBounds::default(), &all);
        for (known, verdict) in all.iter().zip(&verdicts) {
            match known.head.number() {
                Some(4) => assert!(
                    is_skipped(verdict, "2 older pull requests of `ada`"),
                    "{verdict:?}"
                ),
                Some(11) => assert!(is_skipped(verdict, "3 older pull requests"), "{verdict:?}"),
                _ => assert_eq!(*verdict, deploy('a', Trust::Member)),
            }
        }
    }
}

#[test]
fn who_gets_no_preview_takes_no_place() {
    let mut first = known(PullRequest {
        draft: true,
        ..pull(1)
    });
    settings(&mut first).drafts = false;
    let mut waiting = known(PullRequest {
        fork: true,
        ..pull(2)
    });
    settings(&mut waiting).previews_max = Some(1);
    let mut second = known(pull(3));
    settings(&mut second).previews_max = Some(1);
    let verdicts = verdicts(false, &GitBounds::default(), &[first, waiting, second]);
    assert_eq!(verdicts[2], deploy('a', Trust::Member));
}

#[test]
fn chosen_branches_get_previews() {
    let branch = |name: &str, message: &str| {
        let mut known = known(pull(1));
        settings(&mut known).branches = vec!["main".to_owned(), "release/*".to_owned()];
        known.head = Head::Branch(name.to_owned());
        known.truth = Truth::Branch(Branch {
            name: name.to_owned(),
            head: sha('c'),
            message: message.to_owned(),
            author: None,
        });
        verdict(known)
    };
    assert_eq!(branch("main", "Add"), deploy('c', Trust::Member));
    assert_eq!(branch("release/2", "Add"), deploy('c', Trust::Member));
    assert!(is_skipped(&branch("feature", "Add"), "branch"));
    assert!(matches!(
        branch("main", "Tidy\n\n[skip cx]"),
        Verdict::Keep { .. }
    ));
}
