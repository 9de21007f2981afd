//! The edge beside nginx: both in front of the same upstream and the same files, loaded by `wrk` in turns, compared round
//! by round: by the CPU time that the proxy itself took for a request at full load, and by the slowest requests at half of
//! what the slower one can do. At full load whoever answers more requests has the longer queue, and the slowest requests
//! would tell of that alone.
//!
//! CPU is that of all processes and threads of the proxy (`utime` and `stime` of `/proc/PID/stat`); it hardly depends on
//! what else the machine does, which the times of requests do. Both run the same number of workers, see
//! `benches/edge/`. It does *not* measure TLS, and nothing but loopback.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::{Bench, Figure, Readings, Target, interrupt};

const WORKERS: usize = 2;
/// Measured in turns.
const ROUNDS: usize = 7;
const ROUND_SECONDS: usize = 2;
/// How long each connection waits between two requests when the rate is fixed, in milliseconds.
const WAIT_MS: f64 = 4.0;
/// Where listeners are looked for: below the ports that connections are given.
const PORTS: std::ops::Range<u16> = 20_000..32_000;
const GIVE_UP: Duration = Duration::from_secs(30);
const SMALL_BYTES: usize = 2 << 10;
const LARGE_BYTES: usize = 1 << 20;
const FEW_HOSTS: usize = 10;
const MANY_HOSTS: usize = 10_000;
/// Clock ticks of a second in `/proc/PID/stat`; the same on every Linux that we support.
const TICKS: f64 = 100.0;

/// One kind of load, and what the edge may take of what nginx takes.
struct Case {
    name: &'static str,
    host: &'static str,
    path: &'static str,
    connections: usize,
    target: f64,
}

const CASES: [Case; 3] = [
    Case {
        name: "proxied request",
        host: "app-0.localhost",
        path: "/",
        connections: 32,
        target: 1.15,
    },
    Case {
        name: "static file of 2 KiB",
        host: "files.localhost",
        path: "/small.html",
        connections: 32,
        target: 1.0,
    },
    Case {
        name: "static file of 1 MiB",
        host: "files.localhost",
        path: "/large.bin",
        connections: 8,
        target: 1.1,
    },
];
/// What the slowest hundredth may take of what nginx takes.
const P99_TARGET: f64 = 1.2;
/// What many hosts may take of what few do.
const HOSTS_TARGET: f64 = 1.1;

/// What one round says.
#[derive(Clone, Copy)]
struct Sample {
    cpu_us: f64,
    p99_ms: f64,
    per_second: f64,
}

/// How much a round asks for.
enum Load<'a> {
    /// All that it can do on this many connections.
    Full(usize),
    /// So many connections, each held to a rate by the script.
    Paced(usize, &'a Path),
}

/// Something that serves, ended with the measurement.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx ends its workers when it is asked to; a killed master would leave them.
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if asked.is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let prefix = bench.scratch.path().join("edge");
    let files = prefix.join("files");
    fs::create_dir_all(&files)?;
    fs::write(
        files.join("small.html"),
        &"<p>hello</p>\n".repeat(SMALL_BYTES)[..SMALL_BYTES],
    )?;
    fs::write(files.join("large.bin"), pattern(LARGE_BYTES))?;
    // The peer's workers are nobody's, and the directory of a run is its owner's.
    for directory in [bench.scratch.path(), &prefix, &files] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o755))?;
    }
    let upstream = nginx(bench, &prefix, "upstream", &[])?;
    let behind = upstream.port.to_string();
    let peer = nginx(bench, &prefix, "nginx", &[("@UPSTREAM@", &behind)])?;
    let few = edge(bench, &prefix, &behind, FEW_HOSTS)?;
    let many = edge(bench, &prefix, &behind, MANY_HOSTS)?;
    let pace = prefix.join("pace.lua");
    fs::write(&pace, format!("function delay() return {WAIT_MS} end\n"))?;
    let mut figures = Vec::new();
    for case in &CASES {
        figures.extend(compare(case, (&few, &peer), &pace)?);
    }
    let (mut with_many, mut with_few) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        interrupt::check()?;
        let full = Load::Full(CASES[0].connections);
        with_few.push(load(&few, &CASES[0], &full)?.cpu_us);
        with_many.push(load(&many, &CASES[0], &full)?.cpu_us);
    }
    figures.push(Figure {
        what: format!("edge: {}, CPU, {MANY_HOSTS} hosts", CASES[0].name),
        ours: Readings::new("µs", with_many)?,
        peer: Some((format!("{FEW_HOSTS} hosts"), Readings::new("µs", with_few)?)),
        target: Target::TimesInTurn(HOSTS_TARGET),
    });
    Ok(figures)
}

/// Both in turns, at full load and then at a rate that both can hold.
fn compare(case: &Case, servers: (&Server, &Server), pace: &Path) -> anyhow::Result<[Figure; 3]> {
    let full = in_turns(case, servers, &Load::Full(case.connections))?;
    let capacity = |samples: &[Sample]| -> anyhow::Result<f64> {
        Ok(Readings::new("", samples.iter().map(|sample| sample.per_second).collect())?.median())
    };
    let rate = capacity(&full.0)?.min(capacity(&full.1)?) / 2.0;
    let connections = (rate * WAIT_MS / 1e3).round().max(1.0) as usize;
    let paced = in_turns(case, servers, &Load::Paced(connections, pace))?;
    type Samples = (Vec<Sample>, Vec<Sample>);
    let figure = |what: String, (ours, peer): &Samples, unit, of: fn(&Sample) -> f64, target| {
        anyhow::Ok(Figure {
            what: format!("edge: {}, {what}", case.name),
            ours: Readings::new(unit, ours.iter().map(of).collect())?,
            peer: Some((
                "nginx".to_owned(),
                Readings::new(unit, peer.iter().map(of).collect())?,
            )),
            target,
        })
    };
    let (cpu, p99) = (Target::TimesInTurn(case.target), Target::TimesInTurn(P99_TARGET));
    let at_rate = format!("p99 at {rate:.0} per second");
    Ok([
        figure("CPU".to_owned(), &full, "µs", |sample| sample.cpu_us, cpu)?,
        figure(at_rate, &paced, "ms", |sample| sample.p99_ms, p99)?,
        figure(
            "per second".to_owned(),
            &full,
            "",
            |sample| sample.per_second,
            Target::Told,
        )?,
    ])
}

fn in_turns(
    case: &Case,
    (ours, peer): (&Server, &Server),
    how: &Load<'_>,
) -> anyhow::Result<(Vec<Sample>, Vec<Sample>)> {
    let mut samples = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        interrupt::check()?;
        samples.1.push(load(peer, case, how)?);
        samples.0.push(load(ours, case, how)?);
    }
    Ok(samples)
}

/// Loads `server` for one round.
fn load(server: &Server, case: &Case, how: &Load<'_>) -> anyhow::Result<Sample> {
    let before = cpu_seconds(server.child.id())?;
    let mut wrk = Command::new("wrk");
    let connections = match how {
        Load::Full(connections) => connections,
        Load::Paced(connections, script) => {
            wrk.arg("-s").arg(script);
            connections
        }
    };
    let output = wrk
        .args([
            "--latency",
            "-t1",
            &format!("-c{connections}"),
            &format!("-d{ROUND_SECONDS}s"),
        ])
        .args(["-H", &format!("Host: {}", case.host)])
        .arg(format!("http://127.0.0.1:{}{}", server.port, case.path))
        .output()
        .context("`wrk` could not be started")?;
    let cpu = cpu_seconds(server.child.id())? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(
        output.status.success() && !text.contains("Non-2xx") && !text.contains("Socket errors"),
        "{text}"
    );
    let requests: f64 = word_before(&text, " requests in ")?.parse()?;
    Ok(Sample {
        cpu_us: cpu * 1e6 / requests,
        p99_ms: milliseconds(word_after(&text, "\n     99%")?)?,
        per_second: word_after(&text, "Requests/sec:")?.parse()?,
    })
}

fn word_before<'a>(text: &'a str, mark: &str) -> anyhow::Result<&'a str> {
    let before = text.split(mark).next().filter(|before| before.len() < text.len());
    before
        .and_then(|before| before.split_whitespace().next_back())
        .with_context(|| format!("`wrk` did not say `{mark}`: {text}"))
}

fn word_after<'a>(text: &'a str, mark: &str) -> anyhow::Result<&'a str> {
    text.split_once(mark)
        .and_then(|(_, after)| after.split_whitespace().next())
        .with_context(|| format!("`wrk` did not say `{mark}`: {text}"))
}

/// `wrk` writes times as `12.3us`, `1.2ms` or `1.2s`.
fn milliseconds(text: &str) -> anyhow::Result<f64> {
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let (number, scale) = units
        .iter()
        .find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, scale)))
        .with_context(|| format!("`{text}` is not a time"))?;
    Ok(number.parse::<f64>()? * scale)
}

/// CPU of the process, of all its threads, and of its children that live.
fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let mut ticks = 0.0;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let pids = children
        .split_whitespace()
        .map(str::to_owned)
        .chain([pid.to_string()]);
    for pid in pids {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let fields: Vec<&str> = after.split_whitespace().collect();
        for field in [11, 12] {
            ticks += fields.get(field).context("no times in stat")?.parse::<f64>()?;
        }
    }
    Ok(ticks / TICKS)
}

/// `name` is that of its configuration.
fn nginx(bench: &Bench, prefix: &Path, name: &str, more: &[(&str, &str)]) -> anyhow::Result<Server> {
    let port = free_port()?;
    let (own, host) = match name {
        "upstream" => ("@UPSTREAM@", "localhost"),
        _ => ("@LISTEN@", "app-0.localhost"),
    };
    let (port_text, workers) = (port.to_string(), WORKERS.to_string());
    let (prefix_text, files) = (
        prefix.display().to_string(),
        prefix.join("files").display().to_string(),
    );
    let mut text = fs::read_to_string(bench.root.join(format!("benches/edge/{name}.conf")))?;
    let known = [
        (own, port_text.as_str()),
        ("@WORKERS@", &workers),
        ("@PREFIX@", &prefix_text),
        ("@FILES@", &files),
    ];
    for (mark, value) in known.iter().chain(more) {
        text = text.replace(mark, value);
    }
    let configuration = prefix.join(format!("{name}.conf"));
    fs::write(&configuration, text)?;
    let mut command = Command::new("nginx");
    command.arg("-p").arg(prefix).arg("-c").arg(&configuration);
    start(&mut command, port, host)
}

fn edge(bench: &Bench, prefix: &Path, upstream: &str, hosts: usize) -> anyhow::Result<Server> {
    let port = free_port()?;
    let mut command = Command::new(bench.programs.join("edge-alone"));
    command
        .args([
            &port.to_string(),
            upstream,
            &hosts.to_string(),
            &WORKERS.to_string(),
        ])
        .arg(prefix);
    start(&mut command, port, "app-0.localhost")
}

/// Starts and waits until it answers for `host`.
fn start(command: &mut Command, port: u16, host: &str) -> anyhow::Result<Server> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let server = Server { child, port };
    let begin = Instant::now();
    while !answers(port, host) {
        ensure!(begin.elapsed() < GIVE_UP, "{command:?} does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(server)
}

fn answers(port: u16, host: &str) -> bool {
    let fetch = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    fetch().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn free_port() -> anyhow::Result<u16> {
    let offset = (std::process::id() % 1_000) as u16 * 10;
    let mut ports = PORTS.skip(usize::from(offset)).chain(PORTS);
    ports
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free")
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}
