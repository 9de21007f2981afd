//! How long a Node preview is away when the platform is killed and started again: from the listener being back to the
//! first right answer, and from the kill to the first right answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

const ROUNDS: usize = 11;
const GIVE_UP: Duration = Duration::from_secs(30);

/// Needs `cargo build --release -p cx`. Prints medians, least and most of [`ROUNDS`] kills.
pub(crate) fn measure(root: &Path) -> anyhow::Result<()> {
    let cx = root.join("target/release/cx");
    ensure!(
        cx.exists(),
        "{} is not there; run `cargo build --release -p cx` first",
        cx.display()
    );
    let data = std::env::temp_dir().join(format!("cygni-restart-{}", std::process::id()));
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut server = Server(start(&cx, &data, port)?);
    let outcome = rounds(&cx, &data, port, &mut server, &root.join("examples/node-http"));
    drop(server);
    std::fs::remove_dir_all(&data).context("the data of the measurement could not be removed")?;
    let (mut listening, mut away) = outcome?;
    print("listener back to first answer", &mut listening);
    print("killed to first answer", &mut away);
    Ok(())
}

/// A server that does not outlive the measurement.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn rounds(
    cx: &Path,
    data: &Path,
    port: u16,
    server: &mut Server,
    example: &Path,
) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    wait(|| fetch(port, "localhost", "/api/v1/health"), "\"ok\"")?;
    let token = std::fs::read_to_string(data.join("token"))?;
    let cli = |arguments: &[&str]| {
        let url = format!("http://127.0.0.1:{port}");
        Command::new(cx)
            .args(arguments)
            .env("CX_URL", url)
            .env("CX_TOKEN", &token)
            .stdout(Stdio::null())
            .status()
    };
    ensure!(
        cli(&["deploy", &example.to_string_lossy(), "--project", "away"])?.success(),
        "the example is not live"
    );
    let host = "away.localhost";
    let (mut listening, mut away) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let killed = Instant::now();
        server.0.kill()?;
        server.0.wait()?;
        server.0 = start(cx, data, port)?;
        let begin = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            ensure!(begin.elapsed() < GIVE_UP, "the listener does not come back");
            std::hint::spin_loop();
        }
        let back = Instant::now();
        wait(|| fetch(port, host, "/"), "HTTP/1.1 200")?;
        listening.push(back.elapsed());
        away.push(killed.elapsed());
    }
    cli(&["delete", "--namespace", "main", "--force"])?;
    wait(
        || {
            Some(
                std::fs::read_dir(data.join("sandboxes"))
                    .ok()?
                    .count()
                    .to_string(),
            )
        },
        "0",
    )?;
    Ok((listening, away))
}

fn start(cx: &Path, data: &Path, port: u16) -> anyhow::Result<Child> {
    let mut command = Command::new(cx);
    command
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"])
        .arg(data);
    Ok(command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?)
}

fn fetch(port: u16, host: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn wait(ask: impl Fn() -> Option<String>, wanted: &str) -> anyhow::Result<()> {
    let begin = Instant::now();
    while !ask().is_some_and(|answer| answer.contains(wanted)) {
        ensure!(begin.elapsed() < GIVE_UP, "`{wanted}` never came");
        std::thread::yield_now();
    }
    Ok(())
}

fn print(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    let median = millis(times.get(times.len() / 2));
    println!(
        "{what}: {median:.1} ms ({:.1}–{:.1}), n={}",
        millis(times.first()),
        millis(times.last()),
        times.len()
    );
}
