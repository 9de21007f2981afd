//! What a program says is kept: whole, bounded, without secrets, without forged lines; and how it ended.

use sandbox::log::Level;
use sandbox::{Ended, SpawnError};

use crate::Test;
use crate::stage::{on_stage, probe, shell};

pub(crate) const TESTS: &[Test] = &[
    ("the_log_is_complete_and_in_order", complete),
    ("the_log_is_bounded_and_keeps_the_end", bounded),
    ("secrets_are_redacted_also_across_writes", redacted),
    ("output_cannot_forge_lines", escaped),
    ("both_streams_keep_their_level", levels),
    ("exit_codes_and_signals_are_told", exits),
    (
        "a_command_that_cannot_run_is_the_callers_mistake",
        unknown_command,
    ),
    ("processes_left_behind_end_with_the_main_one", left_behind),
    ("the_environment_is_exactly_what_was_given", environment),
];

fn complete() {
    on_stage(async |stage| {
        let outcome = stage
            .run(shell("talker", "seq 1 50000; printf 'no newline at the end'"))
            .await;
        let said = outcome.good();
        assert_eq!(said.len(), 50_001);
        assert!(
            said[..50_000]
                .iter()
                .zip(1..)
                .all(|(line, number)| *line == number.to_string())
        );
        assert_eq!(said[50_000], "no newline at the end");
    });
}

fn bounded() {
    on_stage(async |stage| {
        let mut spec = shell("flood", "seq 1 200000");
        spec.log.bytes_max = 64 << 10;
        let sandbox = stage.host.spawn(spec).await.unwrap();
        sandbox.wait().await;
        let files = std::fs::read_dir(sandbox.directory()).unwrap().flatten();
        let logs = files.filter(|entry| entry.file_name().to_string_lossy().starts_with("log-"));
        let bytes: u64 = logs.map(|entry| entry.metadata().unwrap().len()).sum();
        assert!((32 << 10..=64 << 10).contains(&bytes), "{bytes}");
        assert_eq!(stage.outcome(&sandbox).await.good().last(), Some(&"200000"));
    });
}

fn redacted() {
    on_stage(async |stage| {
        let mut spec = shell(
            "leak",
            "printf 'one hunter'; sleep 0.05; printf '2-secret\\n'; echo $TOKEN >&2; env",
        );
        spec.env.push(("TOKEN".to_owned(), "hunter2-secret".to_owned()));
        spec.log.redact.push("hunter2-secret".to_owned());
        let outcome = stage.run(spec).await;
        let said = outcome.said();
        assert!(said.iter().all(|line| !line.contains("secret")), "{said:?}");
        assert!(
            said.contains(&"one [redacted]") && said.contains(&"TOKEN=[redacted]"),
            "{said:?}"
        );
    });
}

fn escaped() {
    on_stage(async |stage| {
        let outcome = stage
            .run(shell("forger", "printf 'a\\r1 x forged\\033[2J\\n\\377\\n'"))
            .await;
        assert_eq!(outcome.good(), ["a\\r1 x forged\\u{1b}[2J", "\u{fffd}"]);
    });
}

fn levels() {
    on_stage(async |stage| {
        let outcome = stage.run(shell("both", "echo out; echo err >&2")).await;
        let mut said: Vec<(Level, &str)> = outcome
            .lines
            .iter()
            .map(|line| (line.level, line.text.as_str()))
            .collect();
        said.sort_by_key(|(_, text)| *text);
        assert_eq!(said, [(Level::Err, "err"), (Level::Out, "out")]);
    });
}

fn exits() {
    on_stage(async |stage| {
        let expectations = [
            ("exit 0", Ended::Exited { code: 0 }),
            ("exit 3", Ended::Exited { code: 3 }),
            (
                "kill -TERM $$",
                Ended::Signalled {
                    signal: libc::SIGTERM,
                },
            ),
            (
                "kill -KILL $$",
                Ended::Signalled {
                    signal: libc::SIGKILL,
                },
            ),
            (
                "kill -SEGV $$",
                Ended::Signalled {
                    signal: libc::SIGSEGV,
                },
            ),
        ];
        for (script, expected) in expectations {
            assert_eq!(
                stage.run(shell("ender", script)).await.exit.how,
                expected,
                "{script}"
            );
        }
        let sandbox = stage.host.spawn(probe("ender", &["count"])).await.unwrap();
        sandbox.signal(libc::SIGINT).await.unwrap();
        assert_eq!(
            stage.outcome(&sandbox).await.exit.how,
            Ended::Signalled { signal: libc::SIGINT }
        );
        let sandbox = stage.host.spawn(probe("ender", &["count"])).await.unwrap();
        sandbox.kill().await.unwrap();
        let exit = stage.outcome(&sandbox).await.exit;
        assert_eq!(exit.how, Ended::Killed);
        assert!(exit.at_ms > 1_700_000_000_000);
    });
}

fn unknown_command() {
    on_stage(async |stage| {
        for (command, cwd) in [
            ("no-such-program", "/"),
            ("/etc/passwd", "/"),
            ("true", "/no/such/directory"),
        ] {
            let mut spec = sandbox::Spec::new("mistake", [command]);
            spec.cwd = cwd.to_owned();
            match stage.host.spawn(spec).await {
                Err(error @ SpawnError::Command { .. }) => assert!(error.blames_caller()),
                Err(error) => panic!("{command}: {error}"),
                Ok(_) => panic!("{command} cannot run"),
            }
        }
    });
}

fn left_behind() {
    on_stage(async |stage| {
        // The child holds both pipes open and ignores everything it can.
        let outcome = stage
            .run(shell(
                "parent",
                "(trap '' TERM HUP INT; sleep 1000) & echo started",
            ))
            .await;
        assert_eq!(outcome.good(), ["started"]);
    });
}

fn environment() {
    on_stage(async |stage| {
        let mut spec = sandbox::Spec::new("env", ["env"]);
        spec.env = vec![
            ("A".to_owned(), "b c".to_owned()),
            ("HOME".to_owned(), "/tmp".to_owned()),
        ];
        let outcome = stage.run(spec).await;
        assert_eq!(
            outcome.good(),
            ["A=b c", "HOME=/tmp", "PATH=/usr/local/bin:/usr/bin:/bin"]
        );
    });
}
