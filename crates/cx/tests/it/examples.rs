//! Every directory of `examples/` that is meant to work, live with the right content.

use std::io::{BufRead, Write};

use tungstenite::Message;

use crate::http::{get, open, request};
use crate::platform::{Platform, copy_of, example};

#[test]
fn files_and_sites_with_a_build() {
    let platform = Platform::start();
    let url = platform.deploy(&example("static-site"), "main");
    let page = get(&url);
    assert!(page.body.contains("A static site"), "{page:?}");
    assert_eq!(page.header("x-robots-tag"), "noindex");
    assert!(page.header("x-cygni-deployment").starts_with("dpl_"));
    let again = request("GET", &url, &[("if-none-match", page.header("etag"))], b"").unwrap();
    assert_eq!(again.status, 304);
    let missing = get(&format!("{url}/nowhere"));
    assert_eq!(missing.status, 404);
    assert!(missing.body.contains("Nothing here"), "the site's own page");

    let url = platform.deploy(&example("static-build"), "main");
    assert!(
        get(&format!("{url}/notes.html")).body.contains("<h"),
        "what the build wrote"
    );

    let url = platform.deploy(&example("vite-spa"), "main");
    assert!(get(&url).body.contains("A single page"));
    let deep = get(&format!("{url}/planets/mars"));
    assert_eq!(deep.status, 200, "routes of the client belong to the page");
    assert_eq!(get(&format!("{url}/assets/none.js")).status, 404);
}

#[test]
fn a_directory_that_git_ignores_is_not_empty() {
    let platform = Platform::start();
    let copy = copy_of("static-site");
    let dist = copy.path().join("dist");
    std::fs::create_dir(&dist).unwrap();
    std::fs::write(dist.join("index.html"), "from dist").unwrap();
    std::fs::write(dist.join(".env"), "SECRET=1").unwrap();
    std::fs::write(copy.path().join(".gitignore"), "dist\n").unwrap();
    let git = std::process::Command::new("git")
        .args(["init", "-q"])
        .current_dir(copy.path())
        .status()
        .unwrap();
    assert!(git.success());
    let ran = platform.cx(&["deploy", dist.to_str().unwrap()]);
    assert!(ran.status.success(), "{ran:?}");
    assert!(ran.err.contains(".env"), "what is withheld is named: {}", ran.err);
    let url = ran.out.trim();
    assert_eq!(get(url).body, "from dist");
    assert_eq!(get(&format!("{url}/.env")).status, 404);
}

#[test]
fn node_servers_wherever_they_listen() {
    let platform = Platform::start();
    let url = platform.deploy(&example("guestbook"), "demo");
    assert!(url.contains("demo-guestbook"));
    let page = get(&url);
    assert!(
        page.body.contains("Guestbook") && page.body.contains("demo"),
        "{page:?}"
    );
    let body = br#"{"name":"Ada","message":"hello there"}"#;
    let signed = request(
        "POST",
        &format!("{url}/entries"),
        &[("content-type", "application/json")],
        body,
    )
    .unwrap();
    assert!(signed.status < 400, "{signed:?}");
    assert!(get(&format!("{url}/entries")).body.contains("hello there"));
    for name in ["node-http", "node-ipv6"] {
        let url = platform.deploy(&example(name), "demo");
        assert_eq!(get(&url).status, 200, "{name}");
    }
}

#[test]
fn sockets_streams_and_uploads_pass_the_edge() {
    let platform = Platform::start();
    let url = platform.deploy(&example("websocket"), "main");
    let host = crate::http::split(&url).0.to_owned();
    let stream = std::net::TcpStream::connect(("127.0.0.1", platform.port)).unwrap();
    let (mut socket, _) = tungstenite::client(format!("ws://{host}/ws"), stream).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("echo: hello"));

    let mut events = open("GET", &format!("{url}/events"), &[], b"").unwrap();
    assert_eq!(events.headers["content-type"], "text/event-stream");
    let mut lines = String::new();
    while !lines.contains("data: 3") {
        events.stream.read_line(&mut lines).unwrap();
    }

    let bytes = vec![b'x'; 3 << 20];
    let counted = request("POST", &format!("{url}/upload"), &[], &bytes).unwrap();
    assert_eq!(counted.body.trim(), format!("{{\"bytes\": {}}}", bytes.len()));
    let downloaded = get(&format!("{url}/download?bytes=2000000"));
    assert_eq!(downloaded.body.len(), 2_000_000);
    socket.close(None).unwrap();
}

#[test]
fn procfiles_and_commands_of_any_language() {
    let platform = Platform::start();
    let url = platform.deploy(&example("procfile"), "main");
    let counted = request(
        "POST",
        &url,
        &[("content-type", "application/x-www-form-urlencoded")],
        b"text=a+b+c",
    )
    .unwrap();
    assert!(counted.body.contains("3 words"), "{counted:?}");
    let url = platform.deploy(&example("command"), "main");
    assert_eq!(get(&format!("{url}/healthz")).status, 200);
    std::io::stdout().flush().unwrap();
}

#[test]
fn python_applications_with_what_serves_them() {
    let platform = Platform::start();
    let url = platform.deploy(&example("python-flask"), "main");
    assert!(get(&url).body.contains("Water the plants"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let added = request("POST", &url, &form, b"task=Read+a+book").unwrap();
    assert_eq!(added.status, 303, "{added:?}");
    assert!(get(&url).body.contains("Read a book"));

    let url = platform.deploy(&example("python-fastapi"), "main");
    let converted = get(&format!("{url}/celsius/100"));
    assert_eq!(converted.body, r#"{"celsius":100.0,"fahrenheit":212.0}"#);
}

#[test]
fn compiled_servers_run_without_what_compiled_them() {
    let platform = Platform::start();
    let url = platform.deploy(&example("rust-http"), "main");
    assert_eq!(get(&format!("{url}/x")).body, "Hello from Rust at /x\n");
    let url = platform.deploy(&example("go-http"), "main");
    assert_eq!(get(&format!("{url}/Ada")).body, "Hello from Go, Ada\n");
    let copy = copy_of("go-http");
    std::fs::write(
        copy.path().join("greeting/greeting.go"),
        "package greeting\n\nfunc For() {\n",
    )
    .unwrap();
    let ran = platform.cx(&["deploy", copy.path().to_str().unwrap(), "--project", "go-http"]);
    assert!(
        !ran.status.success() && ran.err.contains("greeting/greeting.go"),
        "{}",
        ran.err
    );
    assert_eq!(
        get(&format!("{url}/Ada")).body,
        "Hello from Go, Ada\n",
        "the one before it serves on"
    );
}
