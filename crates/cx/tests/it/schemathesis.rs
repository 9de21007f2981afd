//! The description of the API against the real server: thousands of requests that follow it, and that nearly do.
//!
//! No answer may be a mistake of the server, undescribed, of another form than described, or given without the token.

use std::path::Path;
use std::process::Command;

use crate::platform::{Platform, run};

/// Random cases of an operation, besides the systematic ones.
const EXAMPLES: &str = "15";

#[test]
fn the_description_and_the_server_agree() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../../target/tools/schemathesis/bin/schemathesis");
    assert!(
        program.exists(),
        "schemathesis is not there; `scripts/prepare test` installs it"
    );
    let platform = Platform::start();
    let mut command = Command::new(program);
    // Numbers instead of chance: the same cases in every run.
    command.args([
        "--config-file",
        "tests/it/schemathesis.toml",
        "run",
        "--generation-deterministic",
    ]);
    command.args([
        "--max-examples",
        EXAMPLES,
        "--request-timeout",
        "60",
        "--no-color",
    ]);
    command
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", platform.token()));
    command.arg(platform.url("127.0.0.1", "/api/v1/openapi.json"));
    let ran = run(command.current_dir(root));
    assert!(
        ran.status.success(),
        "{}\n{}\n{}",
        ran.out,
        ran.err,
        platform.log()
    );
    assert!(ran.out.contains("API Operations:"), "{}", ran.out);
}
