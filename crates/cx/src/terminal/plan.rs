//! A plan, field by field, each with its reason.

use model::Plan;
use model::plan::{Serve, Step};

use super::{Paint, plain};

/// One line for every field that says something, and the reason why it says so.
pub(crate) fn plan_lines(plan: &Plan, paint: Paint) -> Vec<String> {
    let fields = fields(plan);
    let width = fields
        .iter()
        .map(|(name, _)| name.len())
        .chain(plan.reasons.keys().map(String::len))
        .max()
        .unwrap_or(0);
    let mut lines = Vec::new();
    for (name, value) in &fields {
        lines.push(format!(
            "  {}  {}",
            paint.dim(format!("{name:<width$}")),
            plain(value)
        ));
        if let Some(reason) = plan.reasons.get(*name) {
            lines.push(format!("  {:width$}  {}", "", paint.dim(plain(reason))));
        }
    }
    // A reason for what is not there matters too: why nothing is installed, for example.
    for (name, reason) in plan
        .reasons
        .iter()
        .filter(|(name, _)| !fields.iter().any(|(field, _)| field == name))
    {
        lines.push(format!(
            "  {}  {}",
            paint.dim(format!("{name:<width$}")),
            paint.dim(plain(reason))
        ));
    }
    lines
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
            } => {
                fields.push(("start", command.clone()));
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
