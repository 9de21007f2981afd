//! A complete sandbox around `/usr/bin/true`, next to what others need for theirs: `bwrap`, `crun` and `runc`.
//!
//! Ours is counted from the call until the command has ended, and until nothing is left; the peers' whole program,
//! since theirs ends with the sandbox. Everybody gets a read-only `/usr`, `/proc`, `/dev`, a private `/tmp` and its
//! own network.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Readings, Target, command, interrupt};

const ROUNDS: usize = 101;
/// The first ones find cold caches, ours and the peers'.
const WARM_UP: usize = 5;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let directory = bench.scratch.path().join("sandbox-start");
    let bundle = Bundle::new(&directory.join("bundle"))?;
    let mut ours = Ours::start(&bench.programs.join("sandbox-start"), &directory.join("ours"))?;
    let peers = ["bwrap", "crun", "runc"];
    let (mut ended, mut gone, mut theirs) = (Vec::new(), Vec::new(), [const { Vec::new() }; 3]);
    for round in 0..ROUNDS + WARM_UP {
        interrupt::check()?;
        let (one, other) = ours.round()?;
        let times = [bwrap()?, bundle.run("crun", round)?, bundle.run("runc", round)?];
        if round >= WARM_UP {
            ended.push(one);
            gone.push(other);
            theirs
                .iter_mut()
                .zip(times)
                .for_each(|(all, time)| all.push(time));
        }
    }
    let ours = [
        ("sandbox: start → `true` has ended", ended, Target::AtMost(3.0)),
        ("sandbox: start → nothing is left", gone, Target::Told),
    ];
    let mut figures = Vec::new();
    for (what, values, target) in ours {
        for (peer, times) in peers.iter().zip(&theirs) {
            figures.push(Figure {
                what: what.to_owned(),
                ours: Readings::new("ms", values.clone())?,
                peer: Some(((*peer).to_owned(), Readings::new("ms", times.clone())?)),
                target,
            });
        }
    }
    Ok(figures)
}

/// Our program, waiting for the next round.
struct Ours {
    program: Child,
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Ours {
    fn start(program: &Path, directory: &Path) -> anyhow::Result<Ours> {
        let mut program = Command::new(program)
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = program.stdin.take();
        let answers = BufReader::new(program.stdout.take().context("no standard output")?);
        Ok(Ours {
            program,
            ask,
            answers,
        })
    }

    /// Milliseconds until the command had ended, and until nothing was left.
    fn round(&mut self) -> anyhow::Result<(f64, f64)> {
        writeln!(self.ask.as_mut().context("no standard input")?)?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let mut micros = line.split_whitespace().map(str::parse::<f64>);
        match (micros.next(), micros.next()) {
            (Some(Ok(ended)), Some(Ok(gone))) => Ok((ended / 1e3, gone / 1e3)),
            _ => anyhow::bail!("`sandbox-start` ended early, see above"),
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        self.ask = None;
        // It ends with its input; one that has ended already is as good.
        let _ = self.program.wait();
    }
}

fn bwrap() -> anyhow::Result<f64> {
    let arguments = "--unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/lib /lib \
                     --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp /usr/bin/true";
    time(Command::new("bwrap").args(arguments.split_whitespace()))
}

/// What `crun` and `runc` run.
struct Bundle {
    directory: PathBuf,
    /// Where a controller hides that crun does not want to see in the unified hierarchy.
    hugetlb: Option<PathBuf>,
}

impl Bundle {
    fn new(directory: &Path) -> anyhow::Result<Bundle> {
        let root = directory.join("rootfs");
        for name in ["usr", "proc", "dev", "tmp", "etc"] {
            std::fs::create_dir_all(root.join(name))?;
        }
        for (link, target) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
            std::os::unix::fs::symlink(target, root.join(link))?;
        }
        std::fs::write(directory.join("config.json"), configuration().to_string())?;
        Ok(Bundle {
            directory: directory.to_owned(),
            hugetlb: hide_hugetlb(&directory.join("hugetlb"))?,
        })
    }

    fn run(&self, program: &str, round: usize) -> anyhow::Result<f64> {
        let name = format!("cygni-bench-{}-{program}-{round}", std::process::id());
        time(
            Command::new(program)
                .arg("run")
                .arg("--bundle")
                .arg(&self.directory)
                .arg(name),
        )
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        if let Some(mounted) = &self.hugetlb {
            // A mount that stays is seen by the removal of the directory, which fails then and says so.
            let _ = Command::new("umount").arg(mounted).status();
        }
    }
}

/// crun refuses a machine on which both kinds of control groups have controllers; the one that is left over in the
/// unified hierarchy of hybrid machines is moved out of its sight for the time of the measurement.
fn hide_hugetlb(at: &Path) -> anyhow::Result<Option<PathBuf>> {
    let controllers =
        std::fs::read_to_string("/sys/fs/cgroup/unified/cgroup.controllers").unwrap_or_default();
    if controllers.trim() != "hugetlb" {
        return Ok(None);
    }
    std::fs::create_dir_all(at)?;
    command(
        Command::new("mount")
            .args(["-t", "cgroup", "-o", "hugetlb", "none"])
            .arg(at),
    )?;
    Ok(Some(at.to_owned()))
}

/// An OCI runtime configuration with the limits that our sandboxes have by default.
fn configuration() -> Value {
    let tmpfs =
        |at: &str| json!({"destination": at, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]});
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["/usr/bin/true"],
            "env": ["PATH=/usr/bin:/bin"],
            "cwd": "/",
            "noNewPrivileges": true,
        },
        "root": {"path": "rootfs", "readonly": true},
        "hostname": "sandbox",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            tmpfs("/dev"),
            tmpfs("/tmp"),
            {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
        ],
        "linux": {
            "resources": {
                "memory": {"limit": 512_u64 << 20},
                "cpu": {"quota": 100_000, "period": 100_000},
                "pids": {"limit": 256},
            },
            "namespaces": [
                {"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"},
            ],
        },
    })
}

/// Milliseconds that the whole program took.
fn time(command: &mut Command) -> anyhow::Result<f64> {
    let begin = Instant::now();
    let status = command.stdin(Stdio::null()).status()?;
    let took = begin.elapsed();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(took.as_secs_f64() * 1e3)
}
