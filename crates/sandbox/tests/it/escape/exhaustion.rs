//! What all programs of a machine share and one alone could use up.
//!
//! A user namespace counts for its maker too, so without bounds of its own one sandbox takes what all others have.

use std::fs;

use super::{call, verdict};
use crate::Test;
use crate::stage::{on_stage, probe as inside, until};

pub(crate) const TESTS: &[Test] = &[
    ("escape_inotify_used_up_for_everybody", || used_up("inotify")),
    ("escape_pending_signals_used_up_for_everybody", || {
        used_up("signals")
    }),
    ("escape_message_queues_used_up_for_everybody", || {
        used_up("queues")
    }),
    ("escape_terminals_used_up_for_everybody", || used_up("terminals")),
    ("escape_pipes_used_up_for_everybody", || used_up("pipes")),
    ("escape_open_files_used_up_for_everybody", || used_up("files")),
];

pub(super) fn probe(arguments: &[&str]) -> bool {
    let (what, forever) = match arguments {
        ["use-up", what] => (what, true),
        ["use-one", what] => (what, false),
        _ => return false,
    };
    let take = match *what {
        "inotify" => inotify,
        "signals" => pending_signal,
        "queues" => queue,
        "terminals" => terminal,
        "pipes" => pipe,
        _ => open_file,
    };
    let mut taken = 0;
    let last = loop {
        let result = take(taken);
        if result == -1 || !forever {
            break verdict(result);
        }
        taken += 1;
        assert!(taken < 10_000_000, "no limit");
    };
    println!("{last}");
    println!("{taken}");
    if forever {
        wait_to_be_killed();
    }
    true
}

/// Holding on to everything.
fn wait_to_be_killed() -> ! {
    loop {
        // SAFETY: waits.
        unsafe { libc::pause() };
    }
}

fn inotify(_taken: i64) -> i64 {
    call(libc::SYS_inotify_init1, [0; 6])
}

/// One more real-time signal for this process itself, blocked, so that it stays queued.
fn pending_signal(_taken: i64) -> i64 {
    let number = libc::SIGRTMIN() + 3;
    let set: [u64; 1] = [1 << (number - 1)];
    call(
        libc::SYS_rt_sigprocmask,
        [libc::SIG_BLOCK.into(), set.as_ptr() as i64, 0, 8, 0, 0],
    );
    let mut info = [0i32; 32];
    info[..3].copy_from_slice(&[number, 0, libc::SI_QUEUE]);
    call(
        libc::SYS_rt_sigqueueinfo,
        [
            std::process::id().into(),
            number.into(),
            info.as_ptr() as i64,
            0,
            0,
            0,
        ],
    )
}

/// Its name goes at once; it is held by its descriptor.
fn queue(taken: i64) -> i64 {
    let name = std::ffi::CString::new(format!("queue-{}-{taken}", std::process::id())).unwrap();
    let (at, flags) = (name.as_ptr() as i64, i64::from(libc::O_CREAT | libc::O_RDWR));
    let made = call(libc::SYS_mq_open, [at, flags, 0o600, 0, 0, 0]);
    if made != -1 {
        call(libc::SYS_mq_unlink, [at, 0, 0, 0, 0, 0]);
    }
    made
}

fn terminal(_taken: i64) -> i64 {
    call(
        libc::SYS_openat,
        [-100, c"/dev/ptmx".as_ptr() as i64, libc::O_RDWR.into(), 0, 0, 0],
    )
}

/// As large as the kernel gives it.
fn pipe(_taken: i64) -> i64 {
    let mut ends = [0i32; 2];
    let made = call(libc::SYS_pipe2, [ends.as_mut_ptr() as i64, 0, 0, 0, 0, 0]);
    if made == 0 {
        call(
            libc::SYS_fcntl,
            [ends[1].into(), libc::F_SETPIPE_SZ.into(), 1 << 20, 0, 0, 0],
        );
    }
    made
}

fn open_file(_taken: i64) -> i64 {
    call(libc::SYS_openat, [-100, c"/dev/null".as_ptr() as i64, 0, 0, 0, 0])
}

/// One sandbox takes all it can and keeps it; two others, and the host, still get theirs.
fn used_up(what: &'static str) {
    on_stage(async |stage| {
        let mut hogs = Vec::new();
        for number in 0..3 {
            let hog = stage
                .host
                .spawn(inside(&format!("hog-{number}"), &["use-up", what]))
                .await
                .unwrap();
            until("it has taken all it can", async || {
                (crate::stage::lines(&hog).len() >= 2).then_some(())
            })
            .await;
            hogs.push(hog);
        }
        let other = stage.run(inside("other", &["use-one", what])).await;
        assert_eq!(other.good()[0], "ok");
        assert_eq!(super::outside(&["use-one", what])[0], "ok");
        for hog in hogs {
            hog.kill().await.unwrap();
            let outcome = stage.outcome(&hog).await;
            let taken: i64 = outcome.lines[1].text.parse().unwrap();
            assert!(taken >= 1, "it got something: {:?}", outcome.said());
            let bound = fs::read_to_string("/proc/sys/fs/nr_open")
                .unwrap()
                .trim()
                .parse()
                .unwrap();
            assert!(taken < bound, "{taken} is no limit");
        }
    });
}
