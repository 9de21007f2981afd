//! A platform of the measurement's own: `cx serve` on a free port over an empty directory.
//!
//! Guards against previews that outlive the measurement, which is what previews do when their platform just ends: however
//! a measurement ends, its previews are deleted first.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Bench, interrupt};

/// How long anything may take before the measurement is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Asking without a pause would take the processor from what is asked.
const LOOK: Duration = Duration::from_micros(500);

const HEALTH: &str = "/api/v1/health";

pub(crate) struct Platform {
    cx: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) port: u16,
    server: Child,
    token: String,
}

impl Platform {
    /// Started and answering. `name` tells its directory from those of other measurements.
    pub(crate) fn start(bench: &Bench, name: &str) -> anyhow::Result<Platform> {
        let (cx, data) = (bench.cx(), bench.scratch.path().join(name));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let server = serve(&cx, &data, port)?;
        let mut platform = Platform {
            cx,
            data,
            port,
            server,
            token: String::new(),
        };
        wait(|| platform.fetch("localhost", HEALTH), "\"ok\"")?;
        platform.token = std::fs::read_to_string(platform.data.join("token"))?;
        Ok(platform)
    }

    /// The command line against this platform, silent, in a cache directory of its own.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.cx);
        command
            .args(arguments)
            .env("CX_URL", format!("http://127.0.0.1:{}", self.port))
            .env("CX_TOKEN", &self.token)
            .env("XDG_CACHE_HOME", self.data.join("cache-of-client"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// `cx deploy`, and how long the whole process took.
    pub(crate) fn deploy(
        &self,
        directory: &Path,
        project: &str,
        namespace: &str,
    ) -> anyhow::Result<Duration> {
        let directory = directory.to_string_lossy();
        let arguments = [
            "deploy",
            &directory,
            "--project",
            project,
            "--namespace",
            namespace,
        ];
        let begin = Instant::now();
        let status = self.cli(&arguments).status()?;
        let took = begin.elapsed();
        ensure!(
            status.success(),
            "`cx {}` ended with {status}",
            arguments.join(" ")
        );
        Ok(took)
    }

    /// Deletes a preview and waits until nothing of it runs.
    pub(crate) fn delete(&self, project: &str, namespace: &str) -> anyhow::Result<()> {
        self.delete_one(project, namespace)?;
        self.wait_for_no_sandbox()
    }

    /// Deletes every preview of `project`, each with one sandbox, and waits until those are gone.
    pub(crate) fn delete_all(&self, project: &str) -> anyhow::Result<()> {
        let before = self.sandboxes()?;
        let mut deleted = 0;
        for (_, namespace) in self.previews()?.iter().filter(|(of, _)| of == project) {
            self.delete_one(project, namespace)?;
            deleted += 1;
        }
        let gone = || self.sandboxes().is_ok_and(|there| there + deleted <= before);
        wait(|| gone().then(|| "gone".to_owned()), "gone")
    }

    fn delete_one(&self, project: &str, namespace: &str) -> anyhow::Result<()> {
        let place = ["--project", project, "--namespace", namespace];
        let status = self.cli(&["delete", "--force"]).args(place).status()?;
        ensure!(status.success(), "{namespace} of {project} was not deleted");
        Ok(())
    }

    /// Project and namespace of each.
    fn previews(&self) -> anyhow::Result<Vec<(String, String)>> {
        let listed = self.cli(&["list", "--json"]).stdout(Stdio::piped()).output()?;
        let previews: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout)?;
        let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
        let named = previews.iter().map(|preview| {
            let name = text(&preview["project"]).zip(text(&preview["namespace"]));
            name.context("a preview without a project or a namespace")
        });
        named.collect()
    }

    fn wait_for_no_sandbox(&self) -> anyhow::Result<()> {
        until(|| Some(self.sandboxes().ok()?.to_string()), "0")
    }

    /// Deletes every preview there is. A platform that does not answer is started once more for it.
    fn clear(&mut self) -> anyhow::Result<()> {
        if self.token.is_empty() {
            return Ok(()); // it never answered
        }
        if self.fetch("localhost", HEALTH).is_none() {
            self.kill_and_start()?;
            until(|| self.fetch("localhost", HEALTH), "\"ok\"")?;
        }
        for (project, namespace) in self.previews()? {
            self.delete_one(&project, &namespace)?;
        }
        self.wait_for_no_sandbox()
    }

    fn sandboxes(&self) -> anyhow::Result<usize> {
        Ok(std::fs::read_dir(self.data.join("sandboxes"))?.count())
    }

    pub(crate) fn fetch(&self, host: &str, path: &str) -> Option<String> {
        fetch(self.port, host, path)
    }

    pub(crate) fn id(&self) -> u32 {
        self.server.id()
    }

    /// Kills the platform as the kernel would, and starts it again.
    pub(crate) fn kill_and_start(&mut self) -> anyhow::Result<()> {
        self.server.kill()?;
        self.server.wait()?;
        self.server = serve(&self.cx, &self.data, self.port)?;
        Ok(())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if let Err(error) = self.clear() {
            eprintln!("not everything that was measured could be taken away: {error:#}");
        }
        // One that has ended already is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn serve(cx: &Path, data: &Path, port: u16) -> anyhow::Result<Child> {
    let mut command = Command::new(cx);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data);
    // Not of our group: what interrupts us must leave us a platform to delete the previews with.
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the platform did not start")
}

/// One request over a connection of its own; `None` while nobody answers.
pub(crate) fn fetch(port: u16, host: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(GIVE_UP)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// Until the answer holds `wanted`, or somebody interrupts.
pub(crate) fn wait(ask: impl Fn() -> Option<String>, wanted: &str) -> anyhow::Result<()> {
    let mut interrupted = Ok(());
    let answer = || {
        interrupted = interrupt::check();
        if interrupted.is_err() {
            Some(wanted.to_owned())
        } else {
            ask()
        }
    };
    until(answer, wanted)?;
    interrupted
}

fn until(mut ask: impl FnMut() -> Option<String>, wanted: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !ask().is_some_and(|answer| answer.contains(wanted)) {
        ensure!(begin.elapsed() < GIVE_UP, "`{wanted}` never came");
        std::thread::sleep(LOOK);
    }
    Ok(())
}
