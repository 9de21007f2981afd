//! What a visitor of a well-behaved preview feels of previews that take all they can get.
//!
//! For each hog: the slowest of a hundred answers (p99) of a static and of a Node preview, quiet and beside it, in turns.
//! The visitor is a small loop in this program, at a rate that keeps nobody busy.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use super::platform::Platform;
use super::{Bench, Figure, Readings, Target, interrupt};

/// Visits per reading, and the time between two of them.
const VISITS: usize = 400;
const PAUSE: Duration = Duration::from_millis(4);
/// Readings of each kind; the figure is their median.
const ROUNDS: usize = 9;
/// How long a hog has before it is measured beside: it fills its burst, is noticed and held.
const SETTLE: Duration = Duration::from_secs(4);
/// Connections that do nothing, held open at the edge.
const IDLE_VISITORS: usize = 1_000;
/// Times the quiet p99.
const TIMES_MAX: f64 = 1.5;
const NAMESPACE: &str = "crowd";

/// Answers at once, and hogs from the first visit of `/hog` on.
const SERVER: &str = r#"
import http.server, os, socket, sys, threading, time
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hog": threading.Thread(target=hog, daemon=True).start()
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *_): pass
def hog():
HOG
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
"#;

/// By the name under which each appears in the table.
const HOGS: [(&str, &str); 6] = [
    (
        "fork bomb",
        "    while True:\n        try:\n            if os.fork() == 0:\n                while True: time.sleep(0.01)\n        \
         except OSError: time.sleep(0.001)",
    ),
    (
        "memory hog",
        "    held = []\n    while True: held.append(bytearray(b\"x\" * (1 << 20)))",
    ),
    (
        "disk filler",
        "    n = 0\n    while True:\n        n += 1\n        with open(f\"f{n}\", \"wb\") as f: f.write(bytes(4 << 20))",
    ),
    (
        "CPU spinner",
        "    for _ in range(4):\n        if os.fork() == 0:\n            while True: pass",
    ),
    (
        "log flooder",
        "    while True: sys.stdout.write(\"x\" * 100 + \"\\n\")",
    ),
    (
        "connection flooder",
        "    held = []\n    while True:\n        c = socket.socket(); c.setblocking(False); c.connect_ex((\"10.0.0.1\", 80))\n        \
         held.append(c)\n        if len(held) > 500: held.pop(0).close()",
    ),
];

pub(crate) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "neighbours")?;
    let examples = bench.root.join("examples");
    let visited = [("static", "static-site"), ("Node", "node-http")];
    for (kind, example) in visited {
        platform.deploy(&examples.join(example), &project(kind), NAMESPACE)?;
    }
    let mut figures = Vec::new();
    for (hog, code) in HOGS {
        let directory = write(bench, hog, code)?;
        platform.deploy(&directory, &project(hog), NAMESPACE)?;
        figures.extend(beside(&platform, hog, visited.map(|(kind, _)| kind))?);
        platform.delete_all(&project(hog))?;
    }
    let idle = || {
        let connect = |_| std::net::TcpStream::connect(("127.0.0.1", platform.port));
        (0..IDLE_VISITORS).map(connect).collect::<Result<Vec<_>, _>>()
    };
    let mut quiet = [Vec::new(), Vec::new()];
    let mut loud = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (index, (kind, _)) in visited.into_iter().enumerate() {
            quiet[index].push(p99(&platform, kind)?);
            let held = idle().context("the edge takes no more connections")?;
            loud[index].push(p99(&platform, kind)?);
            drop(held);
        }
    }
    for (index, (kind, _)) in visited.into_iter().enumerate() {
        let (quiet, loud) = (quiet[index].clone(), loud[index].clone());
        figures.push(figure(kind, "idle visitors", quiet, loud)?);
    }
    Ok(figures)
}

/// Quiet, then with the hog at it: it stops for nobody, so all quiet readings come first.
fn beside(platform: &Platform, hog: &str, kinds: [&str; 2]) -> anyhow::Result<Vec<Figure>> {
    let mut readings = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for (time, readings) in readings.iter_mut().enumerate() {
        if time == 1 {
            let begun = platform.fetch(&host(hog), "/hog");
            ensure!(
                begun.is_some_and(|answer| answer.contains("200")),
                "the {hog} did not begin"
            );
            std::thread::sleep(SETTLE);
        }
        for _ in 0..ROUNDS {
            for (kind, readings) in kinds.iter().zip(readings.iter_mut()) {
                readings.push(p99(platform, kind)?);
            }
        }
    }
    let [quiet, loud] = readings;
    kinds
        .into_iter()
        .zip(quiet.into_iter().zip(loud))
        .map(|(kind, (quiet, loud))| figure(kind, hog, quiet, loud))
        .collect()
}

fn figure(kind: &str, hog: &str, quiet: Vec<f64>, loud: Vec<f64>) -> anyhow::Result<Figure> {
    Ok(Figure {
        what: format!("p99 of a {kind} preview, beside: {hog}"),
        ours: Readings::new("ms", loud)?,
        peer: Some(("quiet".to_owned(), Readings::new("ms", quiet)?)),
        target: Target::Times(TIMES_MAX),
    })
}

/// Of one reading, in milliseconds.
fn p99(platform: &Platform, kind: &str) -> anyhow::Result<f64> {
    let host = host(kind);
    let mut took = Vec::with_capacity(VISITS);
    for _ in 0..VISITS {
        interrupt::check()?;
        let begin = Instant::now();
        let answer = platform.fetch(&host, "/");
        took.push(begin.elapsed().as_secs_f64() * 1_000.0);
        ensure!(
            answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")),
            "the {kind} preview did not answer"
        );
        std::thread::sleep(PAUSE);
    }
    Ok(Readings::new("ms", took)?.quantile(0.99))
}

fn project(name: &str) -> String {
    name.to_ascii_lowercase().replace(' ', "-")
}

fn host(name: &str) -> String {
    format!("{NAMESPACE}-{}.localhost", project(name))
}

fn write(bench: &Bench, hog: &str, code: &str) -> anyhow::Result<PathBuf> {
    let directory = bench.scratch.path().join(project(hog));
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("server.py"), SERVER.replace("HOG", code))?;
    let settings =
        "[run]\ncommand = \"python3 server.py\"\n[limits]\nmemory = \"256MiB\"\ndisk = \"64MiB\"\n";
    std::fs::write(Path::new(&directory).join("cx.toml"), settings)?;
    Ok(directory)
}
