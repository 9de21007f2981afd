//! What this machine can do, and what to do about the rest.
//!
//! Every finding says what was looked at, how it is, and, unless it is fine, what to do. Nothing here changes anything.

mod apparmor;
mod isolation;
mod kernel;
mod machine;
mod network;
mod readings;
mod settings;

use serde::Serialize;

use self::readings::Readings;
use crate::server::ServerOptions;
use crate::terminal::Paint;

/// How a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    Ok,
    /// Something works less well than it could.
    Warn,
    /// Something does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    pub(crate) name: String,
    pub(crate) level: Level,
    pub(crate) detail: String,
    /// What to do; empty where nothing is to be done.
    pub(crate) advice: String,
}

impl Finding {
    fn ok(name: &str, detail: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            level: Level::Ok,
            detail: detail.into(),
            advice: String::new(),
        }
    }

    fn warn(name: &str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            level: Level::Warn,
            detail: detail.into(),
            advice: advice.into(),
        }
    }

    fn bad(name: &str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            level: Level::Bad,
            detail: detail.into(),
            advice: advice.into(),
        }
    }
}

/// Looks at everything. `privilege` is what the process could acquire, or why it could not.
pub(crate) async fn examine(
    options: &ServerOptions,
    privilege: Result<sandbox::Privilege, String>,
) -> Vec<Finding> {
    let readings = Readings::take(privilege.as_ref().copied().map_err(|_| ()), &options.data);
    let mut findings = isolation::findings(privilege).await;
    findings.extend(apparmor::finding(&readings));
    findings.extend(kernel::findings(&readings));
    findings.push(machine::toolchains(&builder::toolchain::find(
        &options.toolchain_search,
    )));
    findings.push(machine::disk(&options.data));
    findings.push(settings::settings(options));
    findings.extend(machine::ports(&options.listen).await);
    findings.push(network::local_names(&options.domain));
    findings.extend(network::registry(options).await);
    findings
}

/// The findings, for people.
pub(crate) fn lines(findings: &[Finding], paint: Paint) -> Vec<String> {
    let width = findings
        .iter()
        .map(|finding| finding.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for Finding {
        name,
        level,
        detail,
        advice,
    } in findings
    {
        let mark = match level {
            Level::Ok => paint.green("✓"),
            Level::Warn => paint.yellow("!"),
            Level::Bad => paint.red("✗"),
        };
        lines.push(format!("{mark} {name:<width$}  {detail}"));
        if !advice.is_empty() {
            // What is to be copied stands at the left edge.
            let mut advice = advice.lines();
            let first = advice.next().unwrap_or("");
            lines.push(format!("  {:width$}  {} {first}", "", paint.cyan("→")));
            lines.extend(advice.map(str::to_owned));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_says_what_to_do() {
        let findings = [
            Finding::ok("disk", "12 GB free"),
            Finding::bad("port 7700", "taken", "stop the other program"),
        ];
        let lines = lines(&findings, Paint::default());
        assert_eq!(
            lines,
            [
                "✓ disk       12 GB free",
                "✗ port 7700  taken",
                "             → stop the other program"
            ]
        );
    }
}
