//! Runs one command in isolation with its output on the terminal: the crate, usable alone.
//!
//! `cygni-sandbox run [--memory MIB] [--seconds N] [--egress public|none] [--bind SRC:DST] [--bind-ro SRC:DST]
//! [--cwd DIR] [--env K=V] -- COMMAND…` ends with the command's exit code (125: it could not be started).
//! `cygni-sandbox probe` prints what this machine can isolate.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sandbox::egress::Policy;
use sandbox::log::{self, Cursor, Level};
use sandbox::{Ended, Host, HostOptions, Mount, Sandbox, Spec, Support};

const USAGE: &str = "usage: cygni-sandbox probe\n       cygni-sandbox run [--memory MIB] [--seconds N] \
     [--egress public|none] [--bind SRC:DST] [--bind-ro SRC:DST] [--cwd DIR] [--env K=V] -- COMMAND...";
/// Its own failures, told apart from the command's; the value that `env` and `docker run` use.
const OWN_FAILURE: u8 = 125;
const FOLLOW_INTERVAL: Duration = Duration::from_millis(20);

fn main() -> ExitCode {
    sandbox::run_if_zygote();
    match start(std::env::args().skip(1).collect()) {
        Ok(code) => code,
        Err(message) => {
            eprintln!("cygni-sandbox: {message}");
            ExitCode::from(OWN_FAILURE)
        }
    }
}

fn start(arguments: Vec<String>) -> Result<ExitCode, String> {
    let (verb, rest) = arguments.split_first().ok_or(USAGE)?;
    sandbox::acquire_privilege().map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    match verb.as_str() {
        "probe" => runtime.block_on(probe()),
        "run" => runtime.block_on(run(parse(rest)?)),
        _ => Err(USAGE.to_owned()),
    }
}

async fn probe() -> Result<ExitCode, String> {
    let found = sandbox::probe(PathBuf::from("/proc/self/exe"))
        .await
        .map_err(|e| e.to_string())?;
    for entry in &found.entries {
        let mark = match entry.support {
            Support::Full => "yes",
            Support::Clamped => "partly",
            Support::Missing => "no",
        };
        println!("{:<18} {mark:<7} {}", entry.name, entry.detail);
        if !entry.advice.is_empty() {
            println!("{:<26} {}", "", entry.advice);
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(spec: Spec) -> Result<ExitCode, String> {
    let dir = std::env::temp_dir().join(format!("cygni-sandbox-{}", std::process::id()));
    let name = spec.name.clone();
    let host = Host::start(HostOptions::new(&dir))
        .await
        .map_err(|error| error.to_string())?;
    let ended = match host.spawn(spec).await {
        Ok(sandbox) => Ok(follow(&sandbox).await),
        Err(error) => Err(error.to_string()),
    };
    let removed = host.remove(&name).await.map_err(|error| error.to_string());
    std::fs::remove_dir_all(&dir).map_err(|error| format!("cannot delete {}: {error}", dir.display()))?;
    removed?;
    Ok(match ended? {
        Ended::Exited { code } => ExitCode::from(u8::try_from(code).unwrap_or(OWN_FAILURE)),
        other => {
            eprintln!("cygni-sandbox: the command {other}");
            ExitCode::from(OWN_FAILURE)
        }
    })
}

/// Prints the log until the command has ended and all of it has been printed.
async fn follow(sandbox: &Sandbox) -> Ended {
    let mut cursor = Cursor::default();
    let wait = sandbox.wait();
    tokio::pin!(wait);
    loop {
        let ended = tokio::select! {
            exit = &mut wait => Some(exit.how),
            () = tokio::time::sleep(FOLLOW_INTERVAL) => None,
        };
        let (dir, prefix) = sandbox.log_path();
        while let Ok(page) = log::read(dir, prefix, cursor, 1000) {
            cursor = page.next;
            for line in &page.lines {
                match line.level {
                    Level::Out => println!("{}", line.text),
                    _ => eprintln!("{}", line.text),
                }
            }
            if page.lines.is_empty() {
                break;
            }
        }
        if let Some(how) = ended {
            return how;
        }
    }
}

fn parse(arguments: &[String]) -> Result<Spec, String> {
    let split = arguments
        .iter()
        .position(|argument| argument == "--")
        .ok_or(USAGE)?;
    let (options, command) = (&arguments[..split], &arguments[split + 1..]);
    let mut spec = Spec::new(format!("run-{}", std::process::id()), command);
    for pair in options.chunks(2) {
        let [option, value] = pair else {
            return Err(USAGE.to_owned());
        };
        let number = || {
            value
                .parse::<u32>()
                .map_err(|_| format!("{option} takes a number, not {value:?}"))
        };
        match option.as_str() {
            "--memory" => spec.limits.memory_bytes = u64::from(number()?) << 20,
            "--seconds" => spec.limits.wall_seconds = Some(number()?),
            "--cwd" => spec.cwd.clone_from(value),
            "--env" => spec.env.push(pair_of(value, '=')?),
            "--egress" => spec.egress = policy(value)?,
            "--bind" => {
                let (source, target) = pair_of(value, ':')?;
                spec.mounts.push(Mount::Writable {
                    source: source.into(),
                    target,
                });
            }
            "--bind-ro" => {
                let (source, target) = pair_of(value, ':')?;
                spec.mounts.push(Mount::ReadOnly {
                    source: source.into(),
                    target,
                });
            }
            _ => return Err(format!("unknown option {option}\n{USAGE}")),
        }
    }
    Ok(spec)
}

fn policy(value: &str) -> Result<Policy, String> {
    match value {
        "public" => Ok(Policy::Public),
        "none" => Ok(Policy::None),
        _ => Err(format!("--egress takes public or none, not {value:?}")),
    }
}

fn pair_of(value: &str, separator: char) -> Result<(String, String), String> {
    let (left, right) = value
        .split_once(separator)
        .ok_or(format!("{value:?} lacks a {separator:?}"))?;
    Ok((left.to_owned(), right.to_owned()))
}
