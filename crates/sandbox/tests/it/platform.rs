//! A platform that a test can kill: starts one sandbox, says so, and waits to be killed.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sandbox::{Host, Lifetime};

use crate::stage::{options, probe};

/// `platform DIR PREFIX detached|leashed PROBE…`; prints the init's process id.
pub(crate) fn run(arguments: &[String]) {
    let [dir, prefix, lifetime, rest @ ..] = arguments else {
        panic!("arguments: {arguments:?}")
    };
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let mut spec = probe("app", &rest);
    spec.lifetime = if lifetime == "detached" {
        Lifetime::Detached
    } else {
        Lifetime::Leashed
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let host = Host::start(options(&PathBuf::from(dir), prefix)).await.unwrap();
        let sandbox = host.spawn(spec).await.unwrap();
        println!("{}", sandbox.pid());
        std::future::pending::<()>().await;
    });
}

pub(crate) struct Platform {
    child: Child,
    pub(crate) init: u32,
}

impl Platform {
    /// Returns when its sandbox runs.
    pub(crate) fn start(dir: &Path, prefix: &str, arguments: &[&str]) -> Platform {
        let mut child = launch(dir, prefix, arguments);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Platform {
            child,
            init: line.trim().parse().expect("the platform says the init's id"),
        }
    }

    /// As if the power of the platform went out: SIGKILL, nothing is told to anybody.
    pub(crate) fn kill(mut self) -> u32 {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.init
    }
}

/// Starts a platform and kills it as soon as `path` exists.
pub(crate) fn kill_when(path: &Path, (dir, prefix): (&Path, &str), arguments: &[&str]) {
    let mut child = launch(dir, prefix, arguments);
    let deadline = std::time::Instant::now() + crate::stage::PATIENCE;
    while !path.exists() {
        assert!(
            std::time::Instant::now() < deadline,
            "{} never came",
            path.display()
        );
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[expect(clippy::disallowed_methods, reason = "this program itself")]
fn launch(dir: &Path, prefix: &str, arguments: &[&str]) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg("platform")
        .arg(dir)
        .arg(prefix)
        .args(arguments)
        .stdout(Stdio::piped());
    command.spawn().unwrap()
}
