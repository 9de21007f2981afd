//! A platform of the measurement's own: `cx serve` on a free port over an empty directory.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::Bench;

/// How long anything may take before the measurement is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Asking without a pause would take the processor from what is asked.
const LOOK: Duration = Duration::from_micros(500);

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
        wait(|| platform.fetch("localhost", "/api/v1/health"), "\"ok\"")?;
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
        let arguments = [
            "delete",
            "--project",
            project,
            "--namespace",
            namespace,
            "--force",
        ];
        ensure!(
            self.cli(&arguments).status()?.success(),
            "the preview was not deleted"
        );
        self.wait_for_no_sandbox()
    }

    /// Deletes every preview of `project`, each with one sandbox, and waits until those are gone.
    pub(crate) fn delete_all(&self, project: &str) -> anyhow::Result<()> {
        let listed = self.cli(&["list", "--json"]).stdout(Stdio::piped()).output()?;
        let previews: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout)?;
        let before = self.sandboxes()?;
        let ours = previews.iter().filter(|preview| preview["project"] == project);
        let mut deleted = 0;
        for preview in ours {
            let namespace = preview["namespace"]
                .as_str()
                .context("a preview without a namespace")?;
            let arguments = [
                "delete",
                "--project",
                project,
                "--namespace",
                namespace,
                "--force",
            ];
            ensure!(
                self.cli(&arguments).status()?.success(),
                "the preview was not deleted"
            );
            deleted += 1;
        }
        let gone = || self.sandboxes().is_ok_and(|there| there + deleted <= before);
        wait(|| gone().then(|| "gone".to_owned()), "gone")
    }

    fn wait_for_no_sandbox(&self) -> anyhow::Result<()> {
        wait(|| Some(self.sandboxes().ok()?.to_string()), "0")
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
    command
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

/// Until the answer holds `wanted`.
pub(crate) fn wait(ask: impl Fn() -> Option<String>, wanted: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !ask().is_some_and(|answer| answer.contains(wanted)) {
        ensure!(begin.elapsed() < GIVE_UP, "`{wanted}` never came");
        std::thread::sleep(LOOK);
    }
    Ok(())
}
