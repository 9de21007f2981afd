//! The one comment on a pull request: all projects in one table, what failed below it.

use super::markdown::{block, code, cut, link, plain, sentence};
use super::words;
use crate::report::{Comment, ProjectReport, Report, Status};

/// Characters of a comment that the forges take.
const BODY_CHARS_MAX: usize = 65_535;
/// Projects whose failure is told in full; the table has all of them.
const FAILURES_MAX: usize = 20;
/// Places in the source that are named for each.
const LOCATIONS_MAX: usize = 5;
/// Characters of one line of a log.
const LINE_CHARS_MAX: usize = 300;
/// Characters of one notice.
const NOTICE_CHARS_MAX: usize = 4_000;

const COMMANDS: &str = "\
| comment | what it does |
|---|---|
| `/cx redeploy` | deploys the newest commit again |
| `/cx logs` | says where the log is |
| `/cx sleep` | puts the preview to sleep; a visit wakes it |
| `/cx delete` | removes the preview until the next push |
| `/cx approve SHA` | lets this commit of a fork be built |
| `/cx help` | says this |";

/// The comment, where somebody wants one and there is a pull request to write it on.
pub(super) fn comment(report: &Report, installation: &str) -> Option<Comment> {
    let number = report.number?;
    let projects: Vec<&ProjectReport> = report
        .projects
        .iter()
        .filter(|project| project.settings.comment)
        .collect();
    if projects.is_empty() {
        return None;
    }
    let marker = format!("<!-- cygni {installation} {} -->", report.namespace);
    let mut parts = vec![heading(report)];
    parts.extend(report.notices.iter().map(|notice| quote(notice)));
    parts.push(table(&projects));
    parts.extend(projects.iter().filter_map(|project| approval(project)));
    let failures = projects.iter().filter_map(|project| failure(project));
    parts.extend(failures.take(FAILURES_MAX));
    if !report.ended {
        parts.push(format!(
            "<details><summary>Commands</summary>\n\n{COMMANDS}\n\n</details>"
        ));
    }
    let body = format!("{marker}\n{}", parts.join("\n\n"));
    Some(Comment {
        number,
        marker,
        body: within(body),
    })
}

fn heading(report: &Report) -> String {
    if report.ended {
        return "### Preview\n\nThis is over: the preview is gone, with its processes, files and routes."
            .to_owned();
    }
    "### Preview".to_owned()
}

fn quote(notice: &str) -> String {
    let notice = cut(notice, NOTICE_CHARS_MAX);
    let lines: Vec<String> = notice
        .lines()
        .map(|line| format!("> {}", sentence(line)))
        .collect();
    lines.join("\\\n")
}

fn table(projects: &[&ProjectReport]) -> String {
    let mut lines = vec![
        "| Project | Status | Preview | Commit | Time | Log |".to_owned(),
        "|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(projects.iter().map(|project| line(project)));
    lines.join("\n")
}

fn line(project: &ProjectReport) -> String {
    let preview = match (&project.url, &project.serving) {
        (Some(url), Some(serving)) => format!("{} (still {})", link(shown(url), url), code(serving.short())),
        (Some(url), None) => link(shown(url), url),
        (None, _) => String::new(),
    };
    let commit = match &project.deployment_url {
        Some(url) => format!("[{}]({url})", code(project.commit.short())),
        None => code(project.commit.short()),
    };
    let log = project
        .log_url
        .as_deref()
        .filter(|_| project.status != Status::Deleted)
        .map_or(String::new(), |url| link("log", url));
    let status = match &project.status {
        Status::Skipped { reason } => format!("{}: {}", words::label(&project.status), sentence(reason)),
        status => words::label(status),
    };
    let cells = [
        plain(project.project.as_str()),
        status,
        preview,
        commit,
        words::phases(project),
        log,
    ];
    format!("| {} |", cells.join(" | "))
}

/// An address without its scheme.
fn shown(url: &str) -> &str {
    url.split_once("://").map_or(url, |(_, rest)| rest)
}

fn approval(project: &ProjectReport) -> Option<String> {
    (project.status == Status::AwaitsApproval).then(|| {
        format!(
            "🔒 **{}** comes from a fork. Read the change; then somebody who may write here lets exactly this commit be \
             built with `/cx approve {}`. It is given no secrets and no network at run time.",
            plain(project.project.as_str()),
            project.commit.short()
        )
    })
}

fn failure(project: &ProjectReport) -> Option<String> {
    let failure = project
        .failure
        .as_ref()
        .filter(|_| project.status == Status::Failed)?;
    let mut parts = vec![
        format!(
            "<details open><summary>❌ {}: <code>{}</code></summary>",
            project.project,
            failure.code.as_str()
        ),
        sentence(&cut(&failure.message, NOTICE_CHARS_MAX)),
    ];
    let places: Vec<String> = failure
        .locations
        .iter()
        .take(LOCATIONS_MAX)
        .map(|location| {
            let mut place = location.file.clone();
            for number in [location.line, location.column].into_iter().flatten() {
                place.push_str(&format!(":{number}"));
            }
            match &location.message {
                Some(message) => format!("- {} {}", code(&place), sentence(&cut(message, LINE_CHARS_MAX))),
                None => format!("- {}", code(&place)),
            }
        })
        .collect();
    if !places.is_empty() {
        parts.push(places.join("\n"));
    }
    parts.push(format!("**What to do:** {}", sentence(&failure.hint)));
    if !failure.log_excerpt.is_empty() {
        let lines: Vec<String> = failure
            .log_excerpt
            .iter()
            .map(|line| cut(line, LINE_CHARS_MAX))
            .collect();
        parts.push(block(&lines));
    }
    parts.push("</details>".to_owned());
    Some(parts.join("\n\n"))
}

/// What does not fit is left out at the end, and said so.
fn within(body: String) -> String {
    const CUT: &str = "\n\n…";
    if body.chars().count() <= BODY_CHARS_MAX {
        return body;
    }
    let kept: String = body.chars().take(BODY_CHARS_MAX - CUT.len()).collect();
    // A block that is cut in the middle would swallow the sign.
    let whole = kept.rfind("\n\n<details").unwrap_or(kept.len());
    format!("{}{CUT}", &kept[..whole])
}
