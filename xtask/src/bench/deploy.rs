//! `cx deploy`, the whole process from its start to its end: a static tree that did not change, into a new namespace;
//! a Node server, unchanged and with a changed source, next to the bare start of the same server.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::platform::{Platform, fetch, wait};
use super::{Bench, Figure, Readings, Target, command};

const ROUNDS: usize = 21;
const FILES: usize = 1_000;

pub(super) fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let platform = Platform::start(bench, "deploy")?;
    let directory = bench.scratch.path().join("sources");
    Ok(vec![
        static_tree(&platform, &directory.join("site"))?,
        unchanged_server(&platform, &directory.join("unchanged"))?,
        changed_server(&platform, &directory.join("changed"))?,
    ])
}

fn static_tree(platform: &Platform, site: &Path) -> anyhow::Result<Figure> {
    for number in 0..FILES {
        let directory = site.join(format!("part-{}", number / 50));
        std::fs::create_dir_all(&directory)?;
        let text = format!("<h1>{number}</h1>{}", "text ".repeat(number % 800));
        std::fs::write(directory.join(format!("page-{number}.html")), text)?;
    }
    std::fs::write(site.join("index.html"), "<h1>all of them</h1>")?;
    platform.deploy(site, "site", "first")?;
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        times.push(millis(platform.deploy(site, "site", &format!("n{round}"))?));
        let host = format!("n{round}-site.localhost");
        let answer = platform.fetch(&host, "/part-0/page-7.html").unwrap_or_default();
        ensure!(answer.contains("<h1>7</h1>"), "{host} answered {answer:?}");
    }
    Ok(Figure {
        what: format!("`cx deploy`, {FILES} unchanged static files → live in a new namespace"),
        ours: Readings::new("ms", times)?,
        peer: None,
        target: Target::AtMost(100.0),
    })
}

fn unchanged_server(platform: &Platform, app: &Path) -> anyhow::Result<Figure> {
    write_app(app, "unchanged", "{}")?;
    platform.deploy(app, "server", "first")?;
    platform.delete("server", "first")?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let namespace = format!("n{round}");
        bare.push(bare_start(app, "unchanged")?);
        ours.push(millis(platform.deploy(app, "server", &namespace)?));
        let answer = platform.fetch(&format!("{namespace}-server.localhost"), "/");
        ensure!(
            answer.is_some_and(|answer| answer.contains("unchanged")),
            "a wrong answer"
        );
        // One at a time: what runs already would take from what starts.
        platform.delete("server", &namespace)?;
    }
    figure(
        "`cx deploy`, unchanged Node server → live in a new namespace",
        ours,
        bare,
        60.0,
    )
}

fn changed_server(platform: &Platform, app: &Path) -> anyhow::Result<Figure> {
    write_app(app, "first", r#"{"is-number": "7.0.0"}"#)?;
    command(
        Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund"])
            .current_dir(app),
    )?;
    platform.deploy(app, "changing", "main")?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let text = format!("version {round}.");
        write_server(app, &text, "import 'is-number';")?;
        bare.push(bare_start(app, &text)?);
        ours.push(millis(platform.deploy(app, "changing", "main")?));
        let answer = platform.fetch("changing.localhost", "/");
        ensure!(
            answer.is_some_and(|answer| answer.contains(&text)),
            "an old answer"
        );
    }
    platform.delete("changing", "main")?;
    figure(
        "`cx deploy`, Node server, same lockfile, changed source → live",
        ours,
        bare,
        150.0,
    )
}

fn write_app(app: &Path, text: &str, dependencies: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(app)?;
    let package = format!(
        r#"{{"name": "app", "version": "1.0.0", "type": "module", "scripts": {{"start": "node server.js"}}, "dependencies": {dependencies}}}"#
    );
    std::fs::write(app.join("package.json"), package)?;
    write_server(app, text, "")
}

fn write_server(app: &Path, text: &str, import: &str) -> anyhow::Result<()> {
    let server = format!(
        "import {{ createServer }} from 'node:http';\n{import}\n\
         createServer((request, response) => response.end('{text}')).listen(process.env.PORT);\n"
    );
    Ok(std::fs::write(app.join("server.js"), server)?)
}

/// Milliseconds from the start of `node` to its first right answer, without anything of ours.
fn bare_start(app: &Path, text: &str) -> anyhow::Result<f64> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let begin = Instant::now();
    let mut server = Command::new("node")
        .arg("server.js")
        .env("PORT", port.to_string())
        .current_dir(app)
        .stdin(Stdio::null())
        .spawn()?;
    let answered = wait(|| fetch(port, "localhost", "/"), text);
    let took = begin.elapsed();
    server.kill()?;
    server.wait()?;
    answered.map(|()| millis(took))
}

fn figure(what: &str, ours: Vec<f64>, bare: Vec<f64>, over: f64) -> anyhow::Result<Figure> {
    Ok(Figure {
        what: what.to_owned(),
        ours: Readings::new("ms", ours)?,
        peer: Some(("bare start".to_owned(), Readings::new("ms", bare)?)),
        target: Target::Over(over),
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
