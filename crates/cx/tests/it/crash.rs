//! The platform is killed while it serves: the application goes on, and is served again by the next start.

use crate::http::get;
use crate::platform::{Platform, copy_of};

#[test]
fn the_same_process_answers_after_the_platform_was_killed() {
    let mut platform = Platform::start();
    let copy = copy_of("guestbook");
    // Writes a line every 2 ms, so that the time without a platform shows in the log.
    let server = std::fs::read_to_string(copy.path().join("server.js")).unwrap();
    let ticking = format!("let tick = 0; setInterval(() => console.log('tick ' + tick++), 2);\n{server}");
    std::fs::write(copy.path().join("server.js"), ticking).unwrap();
    let url = platform.ok(&["deploy", copy.path().to_str().unwrap(), "--project", "book"]);
    let pid = get(&format!("{url}/pid")).body;
    for _ in 0..3 {
        platform.kill();
        platform.start_again();
        assert_eq!(
            get(&format!("{url}/pid")).body,
            pid,
            "the first answer after the restart"
        );
    }
    let log = platform.ok(&["logs", "--runtime", "--project", "book"]);
    let ticks: Vec<u64> = log
        .lines()
        .filter_map(|line| line.rsplit_once("tick ")?.1.trim().parse().ok())
        .collect();
    assert!(ticks.len() > 20, "{log}");
    assert_eq!(
        ticks,
        (0..ticks.len() as u64).collect::<Vec<_>>(),
        "no line of the time between is missing"
    );
    platform.ok(&["delete", "--namespace", "main", "--force"]);
    platform.assert_leaves_nothing();
}

#[test]
fn a_build_that_was_interrupted_is_finished_by_the_next_start() {
    let mut platform = Platform::start();
    let deploying = platform.begin_slow_deployment();
    platform.kill();
    platform.start_again();
    let output = deploying.wait_with_output().unwrap();
    let url = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stderr),
        platform.log()
    );
    assert!(get(url.trim()).body.contains("A single page"));
}

#[test]
fn a_build_that_nobody_wants_after_a_crash_leaves_nothing() {
    let mut platform = Platform::start();
    let mut deploying = platform.begin_slow_deployment();
    deploying.kill().unwrap();
    deploying.wait().unwrap();
    platform.kill();
    let left = std::fs::read_dir(platform.data().join("sandboxes"))
        .unwrap()
        .count();
    assert!(left > 0, "the build was under way");
    platform.start_again();
    platform.ok(&["delete", "--namespace", "main", "--force"]);
    platform.assert_leaves_nothing();
}
