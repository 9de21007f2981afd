//! Sandboxes live as long as they should: found and spoken to while they run, gone without a trace after.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use sandbox::{Ended, Found, Host, Listener, Sandbox, SpawnError};
use tokio::io::AsyncReadExt as _;

use crate::Test;
use crate::platform::{Platform, kill_when};
use crate::stage::{detached, groups_with, is_alive, lines, on_stage, options, probe, shell, until};

pub(crate) const TESTS: &[Test] = &[
    ("listeners_are_found_wherever_they_listen", listeners),
    ("dial_reaches_every_loopback_listener", dial),
    ("a_frozen_program_stands_still_and_goes_on_after", freeze),
    ("a_frozen_program_can_be_killed_and_removed", frozen_and_killed),
    ("a_leashed_sandbox_ends_with_its_last_handle", dropped),
    ("a_leashed_sandbox_ends_with_the_platform", platform_gone),
    (
        "a_detached_sandbox_outlives_the_platform_and_is_adopted",
        adoption,
    ),
    (
        "a_platform_killed_while_starting_leaves_nothing_unknown",
        killed_while_starting,
    ),
    ("a_killed_init_takes_everything_with_it", init_killed),
    ("a_killed_zygote_is_replaced", zygote_killed),
    ("nothing_is_left_after_remove", nothing_left),
    ("what_cannot_be_understood_is_broken_and_removable", broken),
    ("a_name_is_given_once", names),
    ("many_start_at_once", many),
    ("usage_is_told", usage),
];

async fn listening(sandbox: &Sandbox, count: usize) -> Vec<Listener> {
    until("everybody listens", async || {
        let listeners = sandbox.listeners().await.unwrap();
        (listeners.len() == count).then_some(listeners)
    })
    .await
}

async fn ask(sandbox: &Sandbox, port: u16) -> String {
    let mut text = String::new();
    let mut stream = sandbox.dial(port).await.unwrap();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

fn listeners() {
    on_stage(async |stage| {
        let addresses = ["127.0.0.1:3000", "[::1]:3001", "0.0.0.0:3002", "[::]:3003"];
        let sandbox = stage
            .host
            .spawn(probe("server", &[&["serve"], &addresses[..]].concat()))
            .await
            .unwrap();
        let found = listening(&sandbox, 4).await;
        let (v4, v6): (IpAddr, IpAddr) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
        for (address, port) in [
            (v4, 3000),
            (v6, 3001),
            (Ipv4Addr::UNSPECIFIED.into(), 3002),
            (Ipv6Addr::UNSPECIFIED.into(), 3003),
        ] {
            assert!(found.contains(&Listener { address, port }), "{found:?}");
        }
        sandbox.kill().await.unwrap();
        stage.host.remove("server").await.unwrap();
    });
}

fn dial() {
    on_stage(async |stage| {
        let addresses = ["127.0.0.1:80", "[::1]:3001", "0.0.0.0:3002", "127.0.0.9:3003"];
        let sandbox = stage
            .host
            .spawn(probe("server", &[&["serve"], &addresses[..]].concat()))
            .await
            .unwrap();
        listening(&sandbox, 4).await;
        for port in [80, 3001, 3002, 3003] {
            assert!(ask(&sandbox, port).await.starts_with("1 "), "port {port}");
        }
        let refused = sandbox.dial(3999).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        sandbox.kill().await.unwrap();
        stage.host.remove("server").await.unwrap();
    });
}

fn freeze() {
    on_stage(async |stage| {
        let sandbox = stage
            .host
            .spawn(probe("server", &["serve", "127.0.0.1:3000"]))
            .await
            .unwrap();
        listening(&sandbox, 1).await;
        assert!(ask(&sandbox, 3000).await.starts_with("1 "));
        sandbox.freeze().await.unwrap();
        assert!(sandbox.status().await.unwrap().frozen);
        let waiting = ask(&sandbox, 3000);
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
        assert!(early.is_err(), "a frozen program answered {early:?}");
        sandbox.thaw().await.unwrap();
        assert!(waiting.await.starts_with("2 "));
        assert!(!sandbox.status().await.unwrap().frozen);
        sandbox.kill().await.unwrap();
        stage.host.remove("server").await.unwrap();
    });
}

fn frozen_and_killed() {
    on_stage(async |stage| {
        let sandbox = stage.host.spawn(probe("one", &["count"])).await.unwrap();
        sandbox.freeze().await.unwrap();
        sandbox.kill().await.unwrap();
        assert_eq!(sandbox.wait().await.how, Ended::Killed);
        stage.host.remove("one").await.unwrap();
        let sandbox = stage
            .host
            .spawn(detached(probe("two", &["count"])))
            .await
            .unwrap();
        sandbox.freeze().await.unwrap();
        stage.host.remove("two").await.unwrap();
        assert!(!is_alive(sandbox.pid()));
    });
}

fn dropped() {
    on_stage(async |stage| {
        let sandbox = stage.host.spawn(shell("build", "sleep 1000")).await.unwrap();
        let pid = sandbox.pid();
        drop(sandbox);
        until("the build has ended", async || (!is_alive(pid)).then_some(())).await;
        match stage.host.found().await.unwrap().as_slice() {
            [Found::Ended { exit, .. }] => assert_eq!(exit.how, Ended::LeashLost),
            other => panic!("{} found", other.len()),
        }
        stage.host.remove("build").await.unwrap();
    });
}

fn platform_gone() {
    on_stage(async |stage| {
        let init = Platform::start(stage.dir.path(), &stage.prefix, &["leashed", "count"]).kill();
        until("the build has ended", async || (!is_alive(init)).then_some(())).await;
        match stage.host.found().await.unwrap().as_slice() {
            [Found::Ended { exit, .. }] => assert_eq!(exit.how, Ended::LeashLost),
            other => panic!("{} found", other.len()),
        }
        stage.host.remove("app").await.unwrap();
    });
}

fn adoption() {
    on_stage(async |stage| {
        let init = Platform::start(stage.dir.path(), &stage.prefix, &["detached", "count"]).kill();
        assert!(is_alive(init));
        let sandbox = match stage.host.found().await.unwrap().pop() {
            Some(Found::Running(sandbox)) => sandbox,
            Some(other) => panic!("{} does not run", other.name()),
            None => panic!("nothing found"),
        };
        assert_eq!(sandbox.pid(), init, "the same process");
        let before = lines(&sandbox).len();
        until("it goes on counting", async || {
            (lines(&sandbox).len() > before + 50).then_some(())
        })
        .await;
        let said = lines(&sandbox);
        assert!(
            said.iter()
                .zip(0..)
                .all(|(line, number)| line.text == number.to_string()),
            "a line is missing"
        );
        sandbox.kill().await.unwrap();
        assert_eq!(stage.outcome(&sandbox).await.exit.how, Ended::Killed);
    });
}

/// At every moment that can be seen from outside. What was begun is either whole and found, or ends by itself.
fn killed_while_starting() {
    on_stage(async |stage| {
        let app = stage.path("sandboxes").join("app");
        for moment in ["", "control.sock", "state.json", "log-00000000000000000000"] {
            for lifetime in ["detached", "leashed"] {
                let place = (stage.dir.path(), stage.prefix.as_str());
                kill_when(&app.join(moment), place, &[lifetime, "count"]);
                let pid = match stage.host.found().await.unwrap().as_slice() {
                    [Found::Running(sandbox)] => Some(sandbox.pid()),
                    [Found::Ended { .. } | Found::Broken { .. }] => None,
                    other => panic!("{} found", other.len()),
                };
                stage.host.remove("app").await.unwrap();
                assert!(!app.exists());
                assert!(!pid.is_some_and(is_alive), "{moment}: {pid:?}");
                until("the groups are gone", async || {
                    groups_with(&stage.prefix).is_empty().then_some(())
                })
                .await;
            }
        }
    });
}

fn init_killed() {
    on_stage(async |stage| {
        let sandbox = stage
            .host
            .spawn(detached(shell("app", "sleep 1000 & sleep 1000")))
            .await
            .unwrap();
        let inside = until("its processes are there", async || {
            let inside = children(sandbox.pid());
            (!inside.is_empty()).then_some(inside)
        })
        .await;
        kill(sandbox.pid());
        assert_eq!(sandbox.wait().await.how, Ended::Lost);
        assert!(inside.iter().all(|&pid| !is_alive(pid)), "{inside:?}");
        match stage.host.found().await.unwrap().as_slice() {
            [Found::Ended { exit, .. }] => assert_eq!(exit.how, Ended::Lost),
            other => panic!("{} found", other.len()),
        }
        assert!(sandbox.status().await.is_err());
        stage.host.remove("app").await.unwrap();
    });
}

fn zygote_killed() {
    on_stage(async |stage| {
        let zygotes: Vec<u32> = children(std::process::id());
        let host = Host::start(options(&stage.path("own"), &stage.prefix))
            .await
            .unwrap();
        let first = host.spawn(detached(probe("first", &["count"]))).await.unwrap();
        let new = children(std::process::id())
            .into_iter()
            .filter(|pid| !zygotes.contains(pid));
        // Tests run side by side: of the new zygotes ours is the parent of our init.
        let zygote = new
            .into_iter()
            .find(|&pid| children(pid).contains(&first.pid()))
            .expect("a zygote");
        kill(zygote);
        let outcome = host.spawn(shell("second", "echo here")).await.unwrap();
        assert_eq!(stage.outcome(&outcome).await.good(), ["here"]);
        assert!(first.status().await.is_ok(), "what ran goes on");
        first.kill().await.unwrap();
        host.remove("first").await.unwrap();
        host.remove("second").await.unwrap();
    });
}

fn nothing_left() {
    on_stage(async |stage| {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")
            .unwrap()
            .lines()
            .count();
        let sandbox = stage
            .host
            .spawn(detached(shell("app", "sleep 1000 & sleep 1000")))
            .await
            .unwrap();
        let processes = [children(sandbox.pid()), vec![sandbox.pid()]].concat();
        stage.host.remove("app").await.unwrap();
        assert!(processes.iter().all(|&pid| !is_alive(pid)));
        assert!(!sandbox.directory().exists());
        assert_eq!(groups_with(&stage.prefix), [] as [std::path::PathBuf; 0]);
        assert_eq!(
            std::fs::read_to_string("/proc/self/mountinfo")
                .unwrap()
                .lines()
                .count(),
            mounts
        );
        stage.host.remove("app").await.unwrap();
        stage.host.remove("never-there").await.unwrap();
        assert!(stage.host.remove("../etc").await.is_err());
    });
}

fn broken() {
    on_stage(async |stage| {
        let dir = stage.path("sandboxes").join("wreck");
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("state.json"), "{").unwrap();
        match stage.host.found().await.unwrap().as_slice() {
            [Found::Broken { name, .. }] => assert_eq!(name, "wreck"),
            other => panic!("{} found", other.len()),
        }
        stage.host.remove("wreck").await.unwrap();
    });
}

fn names() {
    on_stage(async |stage| {
        let first = stage.host.spawn(probe("app", &["count"])).await.unwrap();
        let second = stage.host.spawn(probe("app", &["count"])).await;
        assert!(matches!(second, Err(SpawnError::Exists(_))));
        assert!(first.status().await.is_ok(), "the first one is unharmed");
        first.kill().await.unwrap();
        stage.host.remove("app").await.unwrap();
    });
}

fn many() {
    on_stage(async |stage| {
        let mut running = tokio::task::JoinSet::new();
        for number in 0..20 {
            let stage = stage.clone();
            running.spawn(async move {
                let outcome = stage
                    .run(shell(&format!("many-{number}"), &format!("echo {number}")))
                    .await;
                assert_eq!(outcome.good(), [number.to_string()]);
            });
        }
        while let Some(result) = running.join_next().await {
            result.unwrap();
        }
    });
}

fn usage() {
    on_stage(async |stage| {
        let sandbox = stage
            .host
            .spawn(probe("burner", &["burn", "60000"]))
            .await
            .unwrap();
        let usage = until("it uses memory", async || {
            sandbox
                .usage()
                .await
                .ok()
                .filter(|usage| usage.memory_bytes > 0 && usage.pids > 0)
        })
        .await;
        assert!(usage.pids <= 4, "{usage:?}");
        sandbox.kill().await.unwrap();
        assert!(stage.outcome(&sandbox).await.exit.cpu_ms < 60_000);
    });
}

/// Process ids whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat
            .rsplit_once(") ")
            .map(|(_, rest)| rest.to_owned())
            .unwrap_or_default();
        fields.split(' ').nth(1) == Some(&parent.to_string())
    })
    .collect()
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).unwrap();
    // SAFETY: plain numbers; the process is one that this test started.
    let result = unsafe { libc::kill(pid, libc::SIGKILL) };
    assert_eq!(result, 0);
}
