//! One preview through its life: deployed, deployed again, broken, rolled back, deleted.

use crate::http::get;
use crate::platform::{Platform, copy_of, example, run};
use crate::traces::Traces;

#[test]
fn a_preview_from_its_first_deployment_to_its_end() {
    let platform = Platform::start();
    let copy = copy_of("guestbook");
    let directory = copy.path().to_str().unwrap();
    let arguments = ["deploy", directory, "--project", "book", "--namespace", "demo"];
    let url = platform.ok(&arguments);
    assert_eq!(url, platform.url("demo-book.localhost", ""));
    let first = get(&url).header("x-cygni-deployment").to_owned();
    Traces::assert_live(&platform.data());

    // The same again: nothing is built, and the log says whose build is used.
    let ran = platform.cx(&arguments);
    assert!(ran.status.success() && ran.err.contains(&first), "{ran:?}");
    let second = get(&url).header("x-cygni-deployment").to_owned();
    assert_ne!(first, second);

    // A deployment that fails changes nothing.
    let package = std::fs::read_to_string(copy.path().join("package.json")).unwrap();
    std::fs::write(
        copy.path().join("server.js"),
        "throw new Error('broken on purpose')\n",
    )
    .unwrap();
    let ran = platform.cx(&arguments);
    assert_eq!(ran.status.code(), Some(1), "{package}\n{ran:?}");
    assert!(ran.err.contains("broken on purpose"), "{}", ran.err);
    assert_eq!(get(&url).header("x-cygni-deployment"), second);

    let selected = ["--project", "book", "--namespace", "demo"];
    platform.ok(&[&["rollback"], selected.as_slice()].concat());
    assert_eq!(get(&url).header("x-cygni-deployment"), first);
    assert_eq!(get(&url).status, 200);
    platform.ok(&[&["redeploy"], selected.as_slice()].concat());
    let redeployed = get(&url).header("x-cygni-deployment").to_owned();
    assert!(redeployed != first && redeployed != second);

    let inspected: serde_json::Value =
        serde_json::from_str(&platform.ok(&[&["inspect", "--json"], selected.as_slice()].concat())).unwrap();
    let text = inspected.to_string();
    assert!(
        text.contains(&first) && text.contains("npm ci") && text.contains("\"install\""),
        "{text}"
    );
    let log = platform.ok(&[&["logs", "--runtime"], selected.as_slice()].concat());
    assert!(!log.is_empty());

    let ran = platform.cx(&["delete", "--namespace", "demo"]);
    assert!(
        !ran.status.success(),
        "without a terminal it does not delete what nobody confirmed"
    );
    platform.ok(&["delete", "--namespace", "demo", "--force"]);
    assert_eq!(get(&url).header("x-cygni-error"), "gone");
    platform.assert_leaves_nothing();
}

#[test]
fn variables_reach_the_server_and_no_log() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    let server = "require('http').createServer((q, s) => s.end(process.env.TOKEN + ' ' + process.env.COLOR))\
        .listen(process.env.PORT, () => console.log('token is', process.env.TOKEN))\n";
    std::fs::write(directory.path().join("server.js"), server).unwrap();
    std::fs::write(
        directory.path().join("package.json"),
        r#"{"name":"secretive","scripts":{"start":"node server.js"}}"#,
    )
    .unwrap();
    std::fs::write(directory.path().join("cx.toml"), "[env]\nCOLOR = \"blue\"\n").unwrap();
    let path = directory.path().to_str().unwrap();
    let url = platform.ok(&[
        "deploy",
        path,
        "--project",
        "secretive",
        "--env",
        "TOKEN=hunter2-hunter2",
    ]);
    assert_eq!(get(&url).body, "hunter2-hunter2 blue");
    let log = platform.ok(&["logs", "--project", "secretive"]);
    assert!(log.contains("token is") && !log.contains("hunter2"), "{log}");
    for entry in walk(&platform.data()) {
        let bytes = std::fs::read(&entry).unwrap_or_default();
        let holds = bytes.windows(15).any(|window| window == b"hunter2-hunter2");
        assert!(!holds, "{} holds the secret in clear", entry.display());
    }
}

#[test]
fn only_what_changed_travels() {
    let platform = Platform::start();
    let copy = copy_of("static-site");
    let path = copy.path().to_str().unwrap();
    let first = platform.cx(&["deploy", path, "--project", "site"]);
    assert!(first.status.success(), "{first:?}");
    std::fs::write(copy.path().join("new.html"), "new").unwrap();
    let second = platform.cx(&["deploy", path, "--project", "site"]);
    assert!(second.err.contains("1 file"), "{}", second.err);
    let plan = platform.ok(&["plan", example("vite-spa").to_str().unwrap()]);
    assert!(plan.contains("vite") && plan.contains("because"), "{plan}");
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() && entry.metadata().is_ok_and(|m| m.len() < 8 << 20) => {
                    files.push(entry.path())
                }
                _ => {}
            }
        }
    }
    files
}

#[test]
fn how_long_the_previews_of_a_namespace_live_can_be_changed() {
    let platform = Platform::start();
    let site = example("static-site");
    for project in ["shop", "blog"] {
        let arguments = ["--project", project, "--namespace", "demo"];
        platform.ok(&[&["deploy", site.to_str().unwrap()], arguments.as_slice()].concat());
    }
    let expires = |project: &str| {
        let listed = platform.ok(&["list", "--project", project, "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed[0]["expires_at_ms"].as_i64()
    };
    let changed = platform.cx(&["ttl", "demo", "never"]);
    assert!(changed.status.success(), "{changed:?}");
    assert!(
        changed.err.contains("shop · demo stays until it is deleted"),
        "{}",
        changed.err
    );
    assert_eq!((expires("shop"), expires("blog")), (None, None));
    let changed = platform.cx(&["ttl", "demo", "2d", "--project", "shop"]);
    assert!(
        changed.err.contains("shop · demo is deleted in "),
        "{}",
        changed.err
    );
    assert!(!changed.err.contains("blog"), "{}", changed.err);
    assert!(expires("shop").is_some() && expires("blog").is_none());

    let unknown = platform.cx(&["ttl", "dmo", "2d"]);
    assert_eq!(unknown.status.code(), Some(4), "{unknown:?}");
    assert!(unknown.err.contains("did you mean `demo`?"), "{}", unknown.err);
    let nonsense = platform.cx(&["ttl", "demo", "soon"]);
    assert_eq!(nonsense.status.code(), Some(2), "{nonsense:?}");

    // Less than they have lived: they go.
    platform.ok(&["ttl", "demo", "1s"]);
    let begin = std::time::Instant::now();
    while platform.ok(&["list", "--json"]) != "[]" {
        assert!(begin.elapsed().as_secs() < 60, "they stay: {}", platform.log());
    }
    platform.assert_leaves_nothing();
}

#[test]
fn the_settings_of_a_local_server_say_where_it_is() {
    let platform = Platform::start();
    let settings = format!("listen = [\"127.0.0.1:{}\"]\n", platform.port);
    std::fs::write(platform.data().join("server.toml"), settings).unwrap();
    let mut command = platform.command();
    command.env_remove("CX_URL").env_remove("CX_TOKEN");
    let ran = run(command.env("CX_DATA", platform.data()).args(["list", "--json"]));
    assert!(ran.status.success() && ran.out.trim() == "[]", "{ran:?}");
}
