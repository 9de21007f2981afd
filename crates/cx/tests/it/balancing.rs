//! Several instances of one server: all of them answer, and one that is killed costs no request.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::http::{get, try_get};
use crate::platform::Platform;

/// An instance is started again after a second; a machine that is busy takes longer.
const BACK_MAX: Duration = Duration::from_secs(60);
const VISITORS: usize = 3;

/// Two instances that say which they are.
fn source() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let server = "const me = process.env.CYGNI_INSTANCE;\n\
         require('http').createServer((request, answer) => answer.end(`${me} of ${require('os').hostname()}`))\n\
           .listen(process.env.PORT, () => console.log('instance', me, 'listens'));\n";
    let files = [
        ("server.js", server),
        (
            "package.json",
            r#"{"name":"twins","scripts":{"start":"node server.js"}}"#,
        ),
        ("cx.toml", "[run]\ninstances = 2\n"),
    ];
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

/// The server of the instance `number`, as this machine sees it.
fn server_of(deployment: &str, number: u32) -> Pid {
    let wanted = [
        format!("CYGNI_DEPLOYMENT={deployment}"),
        format!("CYGNI_INSTANCE={number}"),
    ];
    let given = |process: &Path| {
        let environment = std::fs::read(process.join("environ")).unwrap_or_default();
        let has = |name: &String| {
            environment
                .split(|byte| *byte == 0)
                .any(|one| one == name.as_bytes())
        };
        wanted.iter().all(has)
    };
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let found = processes
        .filter(|process| given(&process.path()))
        .filter_map(|process| process.file_name().to_str()?.parse().ok());
    Pid::from_raw(found.max().expect("the instance runs")).unwrap()
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < BACK_MAX, "never: {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn all_instances_answer_and_one_that_is_killed_costs_no_request() {
    let platform = Platform::start();
    let source = source();
    let url = platform.deploy_as(source.path(), "twins");
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        seen.insert(get(&url).body);
    }
    let both = BTreeSet::from(["1 of web".to_owned(), "2 of web-2".to_owned()]);
    assert_eq!(seen, both);
    let deployment = get(&url).header("x-cygni-deployment").to_owned();
    let state = |word: &str| {
        let shown = platform.ok(&["inspect", "--project", "twins"]);
        shown.contains(&format!("web-1 running · web-2 {word}"))
    };
    assert!(
        state("running"),
        "{}",
        platform.ok(&["inspect", "--project", "twins"])
    );

    let stop = Arc::new(AtomicBool::new(false));
    let visitors: Vec<_> = (0..VISITORS)
        .map(|_| {
            let (url, stop) = (url.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut answers = 0_u32;
                while !stop.load(Ordering::Relaxed) {
                    let answer = try_get(&url).unwrap();
                    assert_eq!(answer.status, 200, "after {answers}: {answer:?}");
                    answers += 1;
                }
                answers
            })
        })
        .collect();
    let killed = server_of(&deployment, 2);
    kill_process(killed, Signal::KILL).unwrap();
    until("it is back", || {
        get(&url).body == "2 of web-2" && state("running")
    });
    assert_ne!(server_of(&deployment, 2), killed);
    stop.store(true, Ordering::Relaxed);
    let answers: Vec<u32> = visitors
        .into_iter()
        .map(|visitor| visitor.join().unwrap())
        .collect();
    assert!(answers.iter().all(|count| *count > 10), "{answers:?}");

    let log = platform.ok(&["logs", "--runtime", "--project", "twins"]);
    assert!(log.contains("web-1 instance 1 listens"), "{log}");
    assert_eq!(log.matches("web-2 instance 2 listens").count(), 2, "{log}");
    let log = platform.ok(&["logs", "--instance", "2", "--project", "twins"]);
    assert!(
        log.contains("web-2 instance 2 listens") && !log.contains("instance 1"),
        "{log}"
    );
    let ran = platform.cx(&["logs", "--instance", "3", "--project", "twins"]);
    assert!(!ran.status.success() && ran.err.contains("instance"), "{ran:?}");
}
