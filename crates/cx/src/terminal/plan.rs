//! A plan, field by field, each with its reason.

use model::Plan;
use model::plan::{Serve, Step};

use super::{Paint, plain};

/// The name of the reason for what is served.
const SERVE: &str = "serve";

/// One line for every field that says something, and the reason why it says so.
pub(crate) fn plan_lines(plan: &Plan, paint: Paint) -> Vec<String> {
    let fields = fields(plan);
    let width = fields
        .iter()
        .map(|(name, _)| name.len())
        .chain(plan.reasons.keys().filter(|name| *name != SERVE).map(String::len))
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for (name, value) in &fields {
        lines.push(format!(
            "  {}  {}",
            paint.dim(format!("{name:<width$}")),
            plain(value)
        ));
        if let Some(reason) = plan.reasons.get(reason_of(name)) {
            lines.push(format!("  {:width$}  {}", "", paint.dim(plain(reason))));
        }
    }
    // A reason for what is not there matters too: why nothing is installed, for example.
    for (name, reason) in plan
        .reasons
        .iter()
        .filter(|(name, _)| !fields.iter().any(|(field, _)| reason_of(field) == *name))
    {
        lines.push(format!(
            "  {}  {}",
            paint.dim(format!("{name:<width$}")),
            paint.dim(plain(reason))
        ));
    }
    lines
}

/// What the reason for `field` goes by: that a directory or a command is served has one.
fn reason_of(field: &str) -> &str {
    match field {
        "output" | "start" => SERVE,
        field => field,
    }
}

/// The fields with a value, by the names that reasons go by.
fn fields(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut fields = vec![("framework", plan.framework.clone())];
    if !plan.root.is_empty() {
        fields.push(("root", plan.root.clone()));
    }
    if !plan.toolchains.is_empty() {
        let names = plan
            .toolchains
            .iter()
            .map(|toolchain| format!("{} {}", toolchain.name, toolchain.version));
        fields.push(("toolchains", names.collect::<Vec<_>>().join(", ")));
    }
    fields.extend(plan.install.as_ref().map(|step| ("install", command(step))));
    fields.extend(plan.build.as_ref().map(|step| ("build", command(step))));
    for service in &plan.services {
        match &service.serve {
            Serve::Static { output, spa } => {
                let dir = if output.is_empty() { "." } else { output };
                fields.push(("output", dir.to_owned()));
                fields.push(("spa", if *spa { "yes" } else { "no" }.to_owned()));
            }
            Serve::Server {
                command,
                port,
                health,
                instances,
            } => {
                fields.push(("start", command.clone()));
                if *instances > 1 {
                    fields.push(("instances", instances.to_string()));
                }
                fields.extend(port.map(|port| ("port", port.to_string())));
                let path = health.path.as_deref().unwrap_or("/");
                fields.push(("health", format!("{path}, within {}s", health.timeout_seconds)));
            }
        }
    }
    if !plan.variables.is_empty() {
        let pairs = plan
            .variables
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        fields.push(("variables", pairs.collect::<Vec<_>>().join(" ")));
    }
    fields
}

fn command(step: &Step) -> String {
    match &step.fallback {
        Some(fallback) => format!("{} (else {fallback})", step.command),
        None => step.command.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use builder::plan::detect;
    use builder::source::DirectorySource;

    #[test]
    fn the_reason_stands_below_what_it_explains() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("Procfile"), "web: python3 a.py --port $PORT\n").unwrap();
        std::fs::write(dir.path().join("a.py"), "").unwrap();
        let plan = detect(&DirectorySource::walk(dir.path()).unwrap()).unwrap();
        let lines = plan_lines(&plan, Paint::default());
        let start = lines
            .iter()
            .position(|line| line == "  start      python3 a.py --port $PORT")
            .unwrap();
        assert_eq!(lines[start + 1].trim(), "the Procfile has a web line");
        assert!(!lines.iter().any(|line| line.contains("serve  ")), "{lines:?}");
    }
}
