//! Other processes: signalled, slowed down, read or reached by what is not a file.

use std::ffi::CString;
use std::fs;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{call, outside, verdict};
use crate::Test;
use crate::stage::{is_alive, on_stage, probe as inside, shell, until};

pub(crate) const TESTS: &[Test] = &[
    (
        "escape_signals_to_everybody_and_to_process_ids_of_the_host",
        signals,
    ),
    ("escape_process_1_cannot_be_slowed_down_or_limited", slow_init),
    (
        "escape_a_flood_of_signals_does_not_disturb_process_1",
        signal_flood,
    ),
    (
        "escape_system_v_memory_semaphores_and_queues_of_the_host",
        system_v,
    ),
    ("escape_posix_queues_and_shared_memory_of_the_host", posix),
    ("escape_a_reused_process_id_is_never_signalled", reused_id),
    ("escape_processes_that_hide_from_their_end", daemons),
    ("escape_the_terminal_of_the_platform", terminal),
];

/// Of nobody else on this machine.
const KEY: i64 = 0x0c19_0001;

pub(super) fn probe(arguments: &[&str]) -> bool {
    match arguments {
        ["signals", pid] => signal(pid.parse().unwrap()),
        ["slow", pid] => slow(pid.parse().unwrap()),
        ["pester", count] => pester(count.parse().unwrap()),
        ["system-v", key] => system_v_of(key.parse().unwrap()),
        ["queue", name] => println!("{}", verdict(open_queue(name, libc::O_RDONLY))),
        ["daemon"] => daemon(),
        _ => return false,
    }
    true
}

fn kill(pid: i64, signal: i32) -> i64 {
    call(libc::SYS_kill, [pid, signal.into(), 0, 0, 0, 0])
}

fn signal(canary: i64) {
    for number in [libc::SIGKILL, libc::SIGSTOP, libc::SIGTERM] {
        println!("{}", verdict(kill(canary, number)));
        println!("{}", verdict(call(libc::SYS_pidfd_open, [canary, 0, 0, 0, 0, 0])));
        println!(
            "{}",
            verdict(call(libc::SYS_tgkill, [canary, canary, number.into(), 0, 0, 0]))
        );
        for pid in [1, -1, 0] {
            // Its own group and everybody it sees, itself included: only what can be survived.
            if pid == 1 || number == libc::SIGTERM {
                // SAFETY: ignoring a signal touches no memory.
                unsafe { libc::signal(number, libc::SIG_IGN) };
                kill(pid, number);
            }
        }
    }
    println!("still here");
}

fn signals() {
    on_stage(async |stage| {
        let canary = Canary::start();
        let sandbox = stage
            .host
            .spawn(inside("killer", &["signals", &canary.pid()]))
            .await
            .unwrap();
        let outcome = stage.outcome(&sandbox).await;
        let no_such = format!("error {}", libc::ESRCH);
        assert_eq!(
            outcome.good(),
            [vec![no_such.as_str(); 9], vec!["still here"]].concat()
        );
        assert!(canary.is_well());
        // The last thing it does takes nobody with it either.
        let exit = stage.run(shell("last", "kill -KILL -1")).await.exit;
        assert!(!exit.success(), "{exit:?}");
        assert!(canary.is_well());
    });
}

/// A process of the host with the platform's own user.
struct Canary(Child);

impl Canary {
    #[expect(clippy::disallowed_methods, reason = "stands for everything else on the host")]
    fn start() -> Canary {
        Canary(
            Command::new("sleep")
                .arg("1000")
                .stdin(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Alive and not stopped.
    fn is_well(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap();
        is_alive(self.0.id()) && !stat.contains(") T ")
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Everything by which one process of a user makes life hard for another one of the same user.
fn slow(pid: i64) {
    let zero = [0u64; 16];
    let one_cpu = [1u64; 16];
    // struct sched_attr: size, policy, flags (64), nice, priority, three times 64.
    let attributes: [u32; 12] = [48, 5, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0];
    let limit = [0u64; 2];
    let tries: [(&str, i64, [i64; 6]); 10] = [
        ("nice", libc::SYS_setpriority, [0, pid, 19, 0, 0, 0]),
        ("nice of its group", libc::SYS_setpriority, [1, pid, 19, 0, 0, 0]),
        (
            "idle",
            libc::SYS_sched_setscheduler,
            [pid, 5, zero.as_ptr() as i64, 0, 0, 0],
        ),
        (
            "parameters",
            libc::SYS_sched_setparam,
            [pid, zero.as_ptr() as i64, 0, 0, 0, 0],
        ),
        (
            "attributes",
            libc::SYS_sched_setattr,
            [pid, attributes.as_ptr() as i64, 0, 0, 0, 0],
        ),
        (
            "cpus",
            libc::SYS_sched_setaffinity,
            [pid, 128, one_cpu.as_ptr() as i64, 0, 0, 0],
        ),
        ("disk", libc::SYS_ioprio_set, [1, pid, 3 << 13, 0, 0, 0]),
        (
            "disk of its group",
            libc::SYS_ioprio_set,
            [2, pid, 3 << 13, 0, 0, 0],
        ),
        (
            "limits",
            libc::SYS_prlimit64,
            [pid, libc::RLIMIT_CPU.into(), limit.as_ptr() as i64, 0, 0, 0],
        ),
        ("group", libc::SYS_setpgid, [pid, 0, 0, 0, 0, 0]),
    ];
    for (what, number, arguments) in tries {
        println!("{what}: {}", verdict(call(number, arguments)));
    }
}

fn slow_init() {
    on_stage(async |stage| {
        let outcome = stage.run(inside("slower", &["slow", "1"])).await;
        assert_eq!(outcome.good().len(), 10);
        for line in outcome.good() {
            assert!(line.contains(": error "), "{line}");
        }
        // What it does to itself is its own business, and shows that the attempts are good ones.
        let outcome = stage.run(inside("slower", &["slow", "0"])).await;
        assert!(
            outcome
                .good()
                .iter()
                .filter(|line| line.ends_with(": ok"))
                .count()
                >= 6,
            "{:?}",
            outcome.good()
        );
    });
}

fn pester(count: u32) {
    for _ in 0..count {
        for number in [libc::SIGCHLD, libc::SIGRTMIN(), libc::SIGUSR1] {
            kill(1, number);
            let info = [0i32; 32];
            call(
                libc::SYS_rt_sigqueueinfo,
                [1, number.into(), info.as_ptr() as i64, 0, 0, 0],
            );
        }
    }
    println!("pestered");
}

fn signal_flood() {
    on_stage(async |stage| {
        let outcome = stage.run(inside("pest", &["pester", "20000"])).await;
        assert_eq!(outcome.good(), ["pestered"]);
    });
}

fn system_v_of(key: i64) {
    println!("memory {}", verdict(call(libc::SYS_shmget, [key, 0, 0, 0, 0, 0])));
    println!(
        "semaphores {}",
        verdict(call(libc::SYS_semget, [key, 0, 0, 0, 0, 0]))
    );
    println!("queue {}", verdict(call(libc::SYS_msgget, [key, 0, 0, 0, 0, 0])));
}

fn system_v() {
    on_stage(async |stage| {
        let key = KEY + i64::from(std::process::id());
        let (create, all) = (i64::from(libc::IPC_CREAT | 0o666), [0; 2]);
        let memory = call(libc::SYS_shmget, [key, 4096, create, all[0], 0, 0]);
        let semaphores = call(libc::SYS_semget, [key, 1, create, 0, 0, 0]);
        let queue = call(libc::SYS_msgget, [key, create, 0, 0, 0, 0]);
        let there = outside(&["system-v", &key.to_string()]);
        let outcome = stage
            .run(inside("system-v", &["system-v", &key.to_string()]))
            .await;
        for (number, id) in [(libc::SYS_shmctl, memory), (libc::SYS_msgctl, queue)] {
            call(number, [id, libc::IPC_RMID.into(), 0, 0, 0, 0]);
        }
        call(libc::SYS_semctl, [semaphores, 0, libc::IPC_RMID.into(), 0, 0, 0]);
        assert_eq!(there, ["memory ok", "semaphores ok", "queue ok"]);
        let absent = format!("error {}", libc::ENOENT);
        let expected = ["memory", "semaphores", "queue"].map(|what| format!("{what} {absent}"));
        assert_eq!(outcome.good(), expected);
    });
}

fn open_queue(name: &str, flags: i32) -> i64 {
    let name = CString::new(name).unwrap();
    call(
        libc::SYS_mq_open,
        [name.as_ptr() as i64, flags.into(), 0o666, 0, 0, 0],
    )
}

fn posix() {
    on_stage(async |stage| {
        let name = format!("{}posix", stage.prefix);
        assert!(open_queue(&name, libc::O_CREAT | libc::O_RDWR) >= 0);
        let shared = format!("/dev/shm/{name}");
        fs::write(&shared, "secret").unwrap();
        let there = outside(&["queue", &name]);
        let queue = stage.run(inside("queue", &["queue", &name])).await;
        let memory = stage.run(inside("memory", &["open", &shared])).await;
        let c = CString::new(name.as_str()).unwrap();
        call(libc::SYS_mq_unlink, [c.as_ptr() as i64, 0, 0, 0, 0, 0]);
        fs::remove_file(&shared).unwrap();
        assert_eq!(there, ["ok"]);
        assert_eq!(queue.good(), [format!("error {}", libc::ENOENT)]);
        assert_eq!(memory.good(), [format!("{shared} NotFound 2")]);
    });
}

/// A record that names a process which is another one by now: as after a crash, a restart and 32,768 processes.
fn reused_id() {
    on_stage(async |stage| {
        let canary = Canary::start();
        let sandbox = stage.host.spawn(inside("first", &["count"])).await.unwrap();
        let record = stage.path("sandboxes").join("first/state.json");
        let mut state: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
        sandbox.kill().await.unwrap();
        stage.host.remove("first").await.unwrap();
        let boot = state["boot_id"].clone();
        // Far from any start of today's, since starts are counted in hundredths of a second.
        let start = json!(state["start_time"].as_u64().unwrap() + 1_000_000);
        // Another start in this boot; the same start, but before the machine was started again.
        for (boot, start) in [
            (boot, start),
            (
                json!("00000000-0000-0000-0000-000000000000"),
                json!(started(&canary)),
            ),
        ] {
            let dir = stage.path("sandboxes").join("stale");
            fs::create_dir(&dir).unwrap();
            state["name"] = json!("stale");
            state["pid"] = json!(canary.0.id());
            state["start_time"] = start;
            state["boot_id"] = boot;
            fs::write(dir.join("state.json"), state.to_string()).unwrap();
            let found = stage.host.found().await.unwrap();
            assert!(
                matches!(found.as_slice(), [sandbox::Found::Ended { .. }]),
                "{}",
                found.len()
            );
            stage.host.remove("stale").await.unwrap();
            assert!(canary.is_well());
        }
    });
}

fn started(canary: &Canary) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", canary.0.id())).unwrap();
    stat.rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(19)
        .unwrap()
        .parse()
        .unwrap()
}

/// Two forks, a session of its own, every signal ignored, another name, no parent.
fn daemon() {
    for _ in 0..3 {
        // SAFETY: one thread; parents go on, children stay for ever.
        unsafe {
            if libc::fork() == 0 {
                libc::setsid();
                if libc::fork() != 0 {
                    libc::_exit(0);
                }
                for signal in 1..64 {
                    libc::signal(signal, libc::SIG_IGN);
                }
                libc::prctl(libc::PR_SET_NAME, c"kworker/0:1".as_ptr());
                loop {
                    libc::pause();
                }
            }
        }
    }
    println!("left");
}

fn daemons() {
    on_stage(async |stage| {
        let sandbox = stage.host.spawn(inside("daemon", &["daemon"])).await.unwrap();
        let outcome = stage.outcome(&sandbox).await;
        assert_eq!(outcome.good(), ["left"]);
        until("nobody is left in its process namespace", async || {
            (!is_alive(sandbox.pid())).then_some(())
        })
        .await;
        let left = fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let ours = fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe.ends_with("opt/probe"));
            ours && comm.trim() == "kworker/0:1"
        });
        assert_eq!(left.count(), 0);
    });
}

/// The platform's terminal must not be the program's, nor become it.
fn terminal() {
    on_stage(async |stage| {
        let script = "import os, fcntl\n\
                      print(os.isatty(0), os.isatty(1), os.isatty(2))\n\
                      for path in ['/dev/tty', '/proc/1/fd/0', '/dev/console', '/dev/tty0', '/dev/pts/0']:\n\
                      \x20   try: os.open(path, os.O_RDWR | os.O_NOCTTY); print(path)\n\
                      \x20   except OSError: pass\n\
                      print(os.getsid(0) == os.getpid())\n";
        let outcome = stage
            .run(sandbox::Spec::new("terminal", ["python3", "-c", script]))
            .await;
        assert_eq!(outcome.good(), ["False False False", "True"]);
    });
}
