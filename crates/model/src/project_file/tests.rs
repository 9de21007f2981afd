//! Files and what is said of them.

use super::*;
use crate::units::{parse_bytes, parse_seconds};

fn error(text: &str) -> String {
    ProjectFile::parse(text).unwrap_err().to_string()
}

#[test]
fn nothing_is_required() {
    assert_eq!(ProjectFile::parse("").unwrap(), ProjectFile::default());
}

#[test]
fn everything_can_be_said() {
    let text = r#"
        project = "shop"
        root = "apps/web"
        [build]
        install = "npm ci"
        command = "npm run build"
        output = "dist"
        [run]
        command = "node server.js"
        port = 3000
        instances = 3
        health.path = "/healthz"
        health.timeout = "30s"
        spa = false
        [limits]
        cpu = 0.5
        memory = "512MB"
        disk = "1GiB"
        timeout = "10m"
        idle = "30m"
        [env]
        COLOR = "blue"
        [env.production]
        COLOR = "green"
        [network]
        run = ["api.example.com"]
        build = "none"
        [preview]
        ttl = "7d"
        keep = 3
    "#;
    let file = ProjectFile::parse(text).unwrap();
    assert_eq!(file.limits.memory, Some(512_000_000));
    assert_eq!(file.run.instances, Some(3));
    assert_eq!(file.preview.ttl, Some(TimeToLive::Seconds(604_800)));
    assert_eq!(file.variables(EnvironmentName::Preview)["COLOR"], "blue");
    assert_eq!(file.variables(EnvironmentName::Production)["COLOR"], "green");
    assert_eq!(file.network.build, Some(Egress::None));
}

#[test]
fn errors_say_where_and_what_was_meant() {
    let table = [
        (
            "[build]\noutptu = \"dist\"\n",
            "cx.toml:2:1: unknown field `outptu`; did you mean `output`?",
        ),
        (
            "[bild]\n",
            "cx.toml:1:2: unknown field `bild`; did you mean `build`?",
        ),
        (
            "[limits]\nmemory = \"lots\"\n",
            "cx.toml:2:10: `lots` is not a size; write for example `512MB` or `2GiB`",
        ),
        (
            "root = \"../up\"\n",
            "cx.toml:1:1: `../up` is not a directory inside the source in `root`",
        ),
        (
            "[run]\ninstances = 9\n",
            "cx.toml:2:1: 9 instances are not possible, 1 to 8 are in `run.instances`",
        ),
        (
            "[run]\ninstances = 0\n",
            "cx.toml:2:1: 0 instances are not possible, 1 to 8 are in `run.instances`",
        ),
    ];
    for (text, message) in table {
        assert_eq!(error(text), message);
    }
    assert_eq!(
        error("[run]\nport = 1\nport = 2\n"),
        "cx.toml:3:1: `port` is given twice"
    );
    assert!(
        error("build = 3\n").ends_with("expected a table, such as `[build]`"),
        "{}",
        error("build = 3\n")
    );
    let port = error("[run]\nport = \"abc\"\n");
    assert!(port.contains("such as 3000") && !port.contains("u16"), "{port}");
    assert!(error("project = \n").starts_with("cx.toml:1:"));
    assert!(error("[env]\n\"A B\" = \"x\"\n").contains("`A B` cannot be the name of a variable"));
    assert!(error("[env.staging]\nA = \"x\"\n").contains("`staging` is not an environment"));
    assert!(error("[network]\nrun = \"all\"\n").contains("is not a network policy"));
}

#[test]
fn the_schema_names_the_defaults_that_hold() {
    let schema = json_schema();
    let default = |table: &str, key: &str| schema["$defs"][table]["properties"][key]["default"].clone();
    let text = |key| default("Limits", key).as_str().unwrap().to_owned();
    let limits = crate::limits::Limits::default();
    assert_eq!(
        default("Limits", "cpu").as_f64(),
        Some(f64::from(limits.cpu_millis) / 1000.0)
    );
    assert_eq!(parse_bytes(&text("memory")), Ok(limits.memory_bytes));
    assert_eq!(parse_bytes(&text("disk")), Ok(limits.disk_bytes));
    assert_eq!(
        parse_seconds(&text("timeout")),
        Ok(limits.build_seconds_max.into())
    );
    let health = default("Health", "timeout");
    assert_eq!(
        parse_seconds(health.as_str().unwrap()),
        Ok(crate::limits::HEALTH_SECONDS.into())
    );
    assert_eq!(default("Preview", "keep"), DEPLOYMENTS_KEPT);
}

#[test]
fn bytes_that_are_no_text_are_refused_where_they_are() {
    let read = |bytes: &[u8]| ProjectFile::read(bytes).unwrap_err().to_string();
    assert!(read(b"[build]\nx = \xff").starts_with("cx.toml:2:5: here it is not UTF-8"));
    let large = vec![b'#'; FILE_BYTES_MAX as usize + 1];
    assert_eq!(
        read(&large),
        "cx.toml:1:1: it is larger than the 256 KiB that are read"
    );
    assert!(
        ProjectFile::read(b"\xef\xbb\xbf[build]\n").is_ok(),
        "a mark of the byte order"
    );
}

#[test]
fn the_schema_knows_every_table() {
    let schema = json_schema().to_string();
    for key in ["install", "health", "memory", "ttl", "network"] {
        assert!(schema.contains(key), "{key}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}") {
        let _ = ProjectFile::parse(&text);
    }
}
