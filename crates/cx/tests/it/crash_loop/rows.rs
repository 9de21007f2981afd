//! The rows themselves, read beside the platform: what the API does not show must be in order too.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Python comes with SQLite; the platform's own code is what is being checked.
const READ: &str = r#"
import json, sqlite3, sys
rows = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=30)
print(json.dumps([list(row) for row in rows.execute(sys.argv[2])]))
"#;

/// What may not be, and how it is found.
const WRONG: [(&str, &str); 6] = [
    (
        "damaged",
        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
    (
        "names what is not there",
        "SELECT * FROM pragma_foreign_key_check",
    ),
    (
        "under way",
        "SELECT id, state FROM deployments WHERE state IN ('queued', 'building', 'deploying')",
    ),
    (
        "an instance that nothing calls for",
        "SELECT i.id, d.state FROM instances i JOIN deployments d ON d.id = i.deployment_id
         WHERE i.wanted <> 'gone' AND d.state <> 'ready'",
    ),
    (
        "a preview of something that cannot serve",
        "SELECT p.id, d.state FROM previews p LEFT JOIN deployments d ON d.id = p.current_deployment
         WHERE p.current_deployment IS NOT NULL AND d.state IS NOT 'ready'",
    ),
    (
        "ready without an artifact or a host",
        "SELECT d.id FROM deployments d LEFT JOIN hosts h ON h.deployment_id = d.id
         WHERE d.state = 'ready' AND (d.artifact IS NULL OR h.label IS NULL)",
    ),
];

/// What is wrong with the rows of `data`, when nothing is under way.
pub(super) fn wrong(data: &Path) -> Vec<String> {
    let found = WRONG.iter().flat_map(|(what, query)| {
        let rows = read(data, query);
        rows.into_iter().map(move |row| format!("{what}: {row}"))
    });
    found.collect()
}

/// The namespace of every preview and the deployment it shows.
pub(super) fn current(data: &Path) -> Vec<Value> {
    read(
        data,
        "SELECT namespace, current_deployment FROM previews ORDER BY namespace",
    )
}

fn read(data: &Path, query: &str) -> Vec<Value> {
    let database = data.join("state.db");
    let output = Command::new("python3")
        .args(["-c", READ])
        .arg(database)
        .arg(query)
        .output()
        .unwrap();
    assert!(output.status.success(), "{query}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}
