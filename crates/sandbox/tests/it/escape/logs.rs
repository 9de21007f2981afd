//! Logs: what a program prints must not become a line of somebody else, a command to a terminal, or a secret.

use std::time::Instant;

use sandbox::log::Level;

use crate::Test;
use crate::stage::{lines, on_stage, shell, until};

pub(crate) const TESTS: &[Test] = &[
    ("escape_log_lines_that_look_like_the_platforms", forged),
    ("escape_log_terminal_sequences_and_hidden_characters", hidden),
    ("escape_log_ten_megabytes_in_one_line", endless_line),
    ("escape_log_a_secret_in_pieces", pieces),
    ("escape_log_a_flood_is_slowed_down_and_told", flood),
];

fn forged() {
    on_stage(async |stage| {
        let script = r#"printf '1700000000000 x forged by the platform\n'; printf 'a\r1 w b\0c\n' >&2; printf '\n1 i \n'; printf '{"level":"error"}\n'"#;
        let outcome = stage.run(shell("forger", script)).await;
        assert!(outcome.exit.success());
        let now = outcome.lines[0].at_ms;
        assert!(now > 1_750_000_000_000, "the time is ours");
        for line in &outcome.lines {
            assert!(matches!(line.level, Level::Out | Level::Err), "{line:?}");
            assert!(line.at_ms >= now - 10_000, "{line:?}");
        }
        let out: Vec<&str> = outcome.good();
        assert_eq!(
            out,
            [
                "1700000000000 x forged by the platform",
                "",
                "1 i ",
                "{\"level\":\"error\"}"
            ]
        );
        assert!(
            outcome.said().contains(&"a\\r1 w b\\u{0}c"),
            "{:?}",
            outcome.said()
        );
    });
}

fn hidden() {
    on_stage(async |stage| {
        let script = r"printf '\033]0;title\007\033[2J\033[1A\233K\b\b\177\n'; printf '\342\200\256gnp\342\200\250x\342\201\246\n'; printf '\302\233A\355\240\200\300\200\n'";
        let outcome = stage.run(shell("painter", script)).await;
        for line in outcome.good() {
            let bad = |c: char| {
                (c.is_control() && c != '\t')
                    || ('\u{202a}'..='\u{202e}').contains(&c)
                    || ('\u{2028}'..='\u{2029}').contains(&c)
                    || ('\u{2066}'..='\u{2069}').contains(&c)
            };
            assert!(!line.chars().any(bad), "{line:?}");
        }
        assert!(
            outcome.good()[0].contains("\\u{1b}]0;title\\u{7}"),
            "{:?}",
            outcome.good()
        );
    });
}

fn endless_line() {
    on_stage(async |stage| {
        let mut spec = shell(
            "endless",
            "head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after",
        );
        spec.log.bytes_max = 32 << 20;
        let outcome = stage.run(spec).await;
        let said = outcome.good();
        assert_eq!(said.last(), Some(&"after"));
        assert!(said.iter().all(|line| line.len() <= sandbox::log::LINE_BYTES_MAX));
        let whole: usize = said
            .iter()
            .filter(|line| line.starts_with('x'))
            .map(|line| line.len())
            .sum();
        assert_eq!(whole, 10_000_000);
    });
}

/// Byte by byte, on both streams at once, across the cut of a long line, doubled, and within itself.
fn pieces() {
    on_stage(async |stage| {
        let secret = "s3cr3t-s3cr3t-value";
        let script = r#"
import os, sys
secret = os.environ['TOKEN'].encode()
for byte in secret: os.write(1, bytes([byte]))
os.write(1, b'\n')
for a, b in zip(secret, secret): os.write(1, bytes([a])); os.write(2, bytes([b]))
os.write(1, b'\n'); os.write(2, b'\n')
for pad in range(16384 - 24, 16384 + 4): os.write(1, b'x' * pad + secret + b' y\n')
os.write(1, b'z' * 16380 + secret[:9]); os.write(1, secret[9:] + b'\n')
os.write(1, secret[:7] + secret + secret[-3:] + b'\n')
os.write(1, secret)
"#;
        let mut spec = sandbox::Spec::new("leaker", ["python3", "-c", script]);
        spec.env.push(("TOKEN".to_owned(), secret.to_owned()));
        spec.log.redact.push(secret.to_owned());
        let sandbox = stage.host.spawn(spec).await.unwrap();
        sandbox.wait().await;
        let written: String = std::fs::read_dir(sandbox.directory())
            .unwrap()
            .flatten()
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned())
            .collect();
        assert!(!written.contains(secret), "in clear on disk");
        let outcome = stage.outcome(&sandbox).await;
        // Lines are cut on disk: put together again they must not hold it either.
        for level in [Level::Out, Level::Err] {
            let text: String = outcome
                .lines
                .iter()
                .filter(|line| line.level == level)
                .map(|line| line.text.as_str())
                .collect();
            assert!(!text.contains(secret), "{level:?}");
            assert!(text.contains("[redacted]"), "{level:?}");
        }
        assert_eq!(outcome.good().last(), Some(&"[redacted]"));
    });
}

/// The init is in no group of the program's: what it does for a flood must not become a way around the CPU limit.
fn flood() {
    on_stage(async |stage| {
        let sandbox = stage
            .host
            .spawn(shell("flood", "yes 'a line like many others' "))
            .await
            .unwrap();
        let slowed = "slowed down";
        until("it is told", async || {
            lines(&sandbox)
                .iter()
                .any(|line| line.level == Level::Warn && line.text.contains(slowed))
                .then_some(())
        })
        .await;
        let (before, at) = (written(&sandbox), Instant::now());
        until("some more is written", async || {
            (written(&sandbox) > before + (2 << 20)).then_some(())
        })
        .await;
        let per_second = (written(&sandbox) - before) as f64 / at.elapsed().as_secs_f64();
        assert!(per_second < 3e6, "{per_second} bytes per second");
        assert!(sandbox.status().await.is_ok());
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}

/// Bytes of log since it began.
fn written(sandbox: &sandbox::Sandbox) -> u64 {
    let names = std::fs::read_dir(sandbox.directory()).unwrap().flatten();
    let segments = names.filter_map(|entry| {
        let offset: u64 = entry.file_name().to_str()?.strip_prefix("log-")?.parse().ok()?;
        Some(offset + entry.metadata().ok()?.len())
    });
    segments.max().unwrap_or(0)
}
