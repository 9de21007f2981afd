//! Installs, builds and servers that fail in a real sandbox: the reason in one sentence, and the place in the source.

use std::fs;

use serde_json::Value;

use crate::http::get;
use crate::platform::Platform;

/// A source whose step prints `output` and ends with 1.
fn failing(step: &str, output: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("src")).unwrap();
    fs::write(path("src/app.ts"), "const a: number = 'x'\n").unwrap();
    fs::write(path("output.txt"), output).unwrap();
    let other = if step == "run" {
        ""
    } else {
        "[run]\ncommand = \"sleep 60\"\n"
    };
    let key = if step == "install" { "install" } else { "command" };
    let table = if step == "run" { "run" } else { "build" };
    let text = format!("[{table}]\n{key} = \"cat output.txt; exit 1\"\n{other}");
    fs::write(path("cx.toml"), text).unwrap();
    directory
}

fn failure(platform: &Platform, directory: &std::path::Path) -> Value {
    let ran = platform.cx(&[
        "deploy",
        directory.to_str().unwrap(),
        "--project",
        "tools",
        "--json",
    ]);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let deployment: Value = serde_json::from_str(&ran.out).unwrap();
    deployment["failure"].clone()
}

#[test]
fn the_place_and_the_reason_reach_the_api_the_terminal_and_the_page() {
    let platform = Platform::start();
    let build = failing(
        "build",
        "src/app.ts(1,7): error TS2322: Type 'string' is wrong.\n",
    );
    let failed = failure(&platform, build.path());
    assert_eq!(
        (&failed["code"], &failed["stage"]),
        (&"build_failed".into(), &"build".into())
    );
    let place = serde_json::json!([{
        "file": "src/app.ts", "line": 1, "column": 7, "message": "TS2322: Type 'string' is wrong.",
    }]);
    assert_eq!(failed["locations"], place);
    let ran = platform.cx(&["deploy", build.path().to_str().unwrap(), "--project", "tools"]);
    assert!(
        ran.err
            .contains("--> src/app.ts:1:7 TS2322: Type 'string' is wrong."),
        "{}",
        ran.err
    );
    let url = platform.url("tools.localhost", "/");
    let page = crate::http::request("GET", &url, &[("accept", "text/html")], b"").unwrap();
    assert!(page.body.contains("src/app.ts:1:7"), "{}", page.body);

    let install = failing(
        "install",
        "npm error 404  'no-such@1.0.0' is not in this registry.\n",
    );
    let failed = failure(&platform, install.path());
    assert_eq!(failed["code"], "install_failed");
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.ends_with("the registry has no package `no-such@1.0.0`"),
        "{message}"
    );

    let run = failing(
        "run",
        "Error: Cannot find module 'express'\n    at x (/app/src/app.ts:1:3)\n",
    );
    let failed = failure(&platform, run.path());
    assert_eq!(
        (&failed["code"], &failed["locations"][0]["line"]),
        (&"server_exited".into(), &1.into())
    );
    assert!(
        failed["message"]
            .as_str()
            .unwrap()
            .contains("`express` is not installed"),
        "{failed}"
    );
    assert!(
        failed["log_excerpt"].to_string().contains("Cannot find module"),
        "{failed}"
    );
}

#[test]
fn a_server_that_is_unwell_is_told_its_path_and_status() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(
        path("cx.toml"),
        "[run]\ncommand = \"python3 s.py\"\nhealth.path = \"/healthz\"\nhealth.timeout = \"3s\"\n",
    )
    .unwrap();
    let server = "import http.server, os\n\
        class H(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        self.send_error(503)\n\
        http.server.HTTPServer(('', int(os.environ['PORT'])), H).serve_forever()\n";
    fs::write(path("s.py"), server).unwrap();
    let failed = failure(&platform, directory.path());
    assert_eq!(failed["code"], "health_check_failed");
    let message = failed["message"].as_str().unwrap();
    assert!(
        message.contains("`/healthz`") && message.contains("503"),
        "{message}"
    );
    let page = get(&platform.url("tools.localhost", "/"));
    assert_eq!(page.header("x-cygni-error"), "failed", "{page:?}");
}

#[test]
fn a_server_that_never_listens_is_told_for_how_long_it_was_waited() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    let text = "[run]\ncommand = \"sleep 60\"\nhealth.timeout = \"1s\"\n";
    fs::write(directory.path().join("cx.toml"), text).unwrap();
    let failed = failure(&platform, directory.path());
    assert_eq!(
        (&failed["code"], &failed["stage"]),
        (&"never_listened".into(), &"health".into())
    );
    assert!(failed["message"].as_str().unwrap().contains("1 s"), "{failed}");
}

#[test]
fn a_build_without_output_is_told_what_it_wrote() {
    let platform = Platform::start();
    let directory = tempfile::tempdir().unwrap();
    let text = "[build]\ncommand = \"mkdir other && touch other/x\"\noutput = \"dist\"\n";
    fs::write(directory.path().join("cx.toml"), text).unwrap();
    let failed = failure(&platform, directory.path());
    assert_eq!(failed["code"], "output_missing");
    assert!(
        failed["message"]
            .as_str()
            .unwrap()
            .ends_with("to `dist`; it wrote `other`"),
        "{failed}"
    );
}
