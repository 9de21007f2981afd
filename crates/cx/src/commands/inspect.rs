//! `cx inspect`: everything about one preview, and whether its public URL answers right now.

use std::time::{Duration, Instant};

use control::view::{self, InstanceState};
use model::deployment::State;
use model::units::format_millis;
use reqwest::Url;
use serde::Serialize;

use super::App;
use super::target::Target;
use crate::cli::TargetArgs;
use crate::client::{Client, deepest, host_of, http};
use crate::exit::Exit;
use crate::terminal::{Paint, ago, failure_lines, now_ms, plan_lines, status_word, until};

/// The check waits for a sleeping instance to wake.
const CHECK: Duration = Duration::from_secs(35);
/// Deployments shown at the most.
const SHOWN: usize = 10;

/// What the public URL answered.
#[derive(Clone, Debug, Serialize)]
struct Check {
    url: String,
    /// HTTP status; `None` without an answer.
    status: Option<u16>,
    millis: u64,
    /// Who answered.
    deployment: Option<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct Report {
    preview: view::Preview,
    deployments: Vec<view::Deployment>,
    check: Check,
}

pub(super) async fn run(app: &App, args: &TargetArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let preview = Target::here(args)?.preview(&client).await?;
    let deployments = client.preview_deployments(&preview.id).await?;
    let check = check(&client, &preview.url).await;
    let report = Report {
        preview,
        deployments,
        check,
    };
    if app.terminal.json {
        app.terminal.json(&report)?;
    } else {
        app.terminal.results(&lines(&report, now_ms(), app.terminal.out));
    }
    Ok(Exit::Ok)
}

/// Fetches `url` as a visitor would. The hosts of a local server are reached at its socket, because not every system
/// resolves `*.localhost`.
async fn check(client: &Client, url: &str) -> Check {
    let begin = Instant::now();
    let fetch = async {
        let parsed = Url::parse(url)?;
        let pin = host_of(&parsed)
            .map(|(host, _)| host)
            .zip(client.address().local());
        let http = http(pin.is_some(), pin)?;
        anyhow::Ok(
            http.get(parsed)
                .header("accept", "text/html,*/*")
                .timeout(CHECK)
                .send()
                .await?,
        )
    };
    let answer = fetch.await;
    let millis = u64::try_from(begin.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut check = Check {
        url: url.to_owned(),
        status: None,
        millis,
        deployment: None,
        error: None,
    };
    match answer {
        Ok(response) => {
            check.status = Some(response.status().as_u16());
            let named = response.headers().get("x-cygni-deployment");
            check.deployment = named.and_then(|id| id.to_str().ok()).map(str::to_owned);
        }
        Err(error) => check.error = Some(deepest(error.as_ref())),
    }
    check
}

fn lines(report: &Report, now_ms: i64, paint: Paint) -> Vec<String> {
    let Report {
        preview,
        deployments,
        check,
    } = report;
    let field = |name: &str, value: String| format!("  {}  {value}", paint.dim(format!("{name:<11}")));
    let title = paint.bold(format!("{} · {}", preview.project, preview.namespace));
    let mut lines = vec![
        format!("{title}  {}", status_word(preview.status, paint)),
        field("url", paint.cyan(&preview.url)),
        field("answers", answer(check, preview, paint)),
        field("environment", preview.environment.to_string()),
        field("created", ago(preview.created_at_ms, now_ms)),
        field(
            "expires",
            preview
                .expires_at_ms
                .map_or_else(|| "never".to_owned(), |at| until(at, now_ms)),
        ),
        String::new(),
        paint.bold("Deployments"),
    ];
    for deployment in deployments.iter().take(SHOWN) {
        lines.extend(deployment_lines(deployment, now_ms, paint));
    }
    if let Some(hidden) = deployments.len().checked_sub(SHOWN).filter(|hidden| *hidden > 0) {
        lines.push(paint.dim(format!("  … and {hidden} more; --json shows all")));
    }
    let newest = deployments.first();
    if let Some(reason) = newest.and_then(|newest| newest.waiting.as_ref()) {
        lines.push(format!("  {} {reason}", paint.yellow("waits:")));
    }
    if let Some(failure) = newest.and_then(|newest| newest.failure.as_ref()) {
        lines.push(String::new());
        lines.extend(failure_lines(failure, paint));
    }
    if let Some(plan) = newest.and_then(|newest| newest.plan.as_ref()) {
        lines.extend([String::new(), paint.bold("Plan")]);
        lines.extend(plan_lines(plan, paint));
    }
    lines
}

fn answer(check: &Check, preview: &view::Preview, paint: Paint) -> String {
    let took = paint.dim(format!("in {}", format_millis(check.millis)));
    let Some(status) = check.status else {
        return paint.red(format!("no: {}", check.error.as_deref().unwrap_or("no answer")));
    };
    let text = if status < 500 {
        paint.green(status)
    } else {
        paint.red(status)
    };
    match (&check.deployment, &preview.current) {
        (Some(by), Some(current)) if by == current.as_str() => format!("{text} {took}"),
        (Some(by), _) => format!("{text} {took}, {}", paint.yellow(format!("by {by}"))),
        (None, _) => format!("{text} {took}, {}", paint.yellow("from no deployment")),
    }
}

fn instance(instance: &view::Instance, paint: Paint) -> String {
    let state = instance.state.as_str();
    let state = match instance.state {
        InstanceState::Running => paint.green(state),
        InstanceState::Restarting => paint.yellow(state),
        InstanceState::Starting | InstanceState::Asleep => paint.dim(state),
    };
    format!("{} {state}", instance.name())
}

fn deployment_lines(deployment: &view::Deployment, now_ms: i64, paint: Paint) -> Vec<String> {
    let mark = if deployment.current {
        paint.green("●")
    } else {
        paint.dim("○")
    };
    let state = match deployment.state {
        State::Ready => paint.green("ready"),
        State::Failed => paint.red("failed"),
        state => paint.dim(state),
    };
    let age = ago(deployment.created_at_ms, now_ms);
    let mut lines = vec![format!(
        "{mark} {}  {state}  {}  {}",
        deployment.id,
        age,
        paint.dim(&deployment.url)
    )];
    let phase = |phase: &view::Phase| {
        format!(
            "{} {}",
            phase.name,
            phase.millis.map_or_else(|| "…".to_owned(), format_millis)
        )
    };
    let phases: Vec<String> = deployment.phases.iter().map(phase).collect();
    if !phases.is_empty() {
        lines.push(format!("    {}", paint.dim(phases.join(" · "))));
    }
    // Of what is ready; while it starts, the phases say more.
    if deployment.state == State::Ready && !deployment.instances.is_empty() {
        let instances: Vec<String> = deployment
            .instances
            .iter()
            .map(|one| instance(one, paint))
            .collect();
        lines.push(format!("    {}", instances.join(" · ")));
    }
    if let Some(earlier) = &deployment.reused_build_of {
        lines.push(format!(
            "    {}",
            paint.dim(format!("uses the build of {earlier}"))
        ));
    }
    lines
}
