//! `cx list`: the previews, newest first.

use control::view;

use super::App;
use crate::cli::ListArgs;
use crate::exit::Exit;
use crate::terminal::{Paint, ago, now_ms, status_word, table, until};

pub(super) async fn run(app: &App, args: &ListArgs) -> anyhow::Result<Exit> {
    let mut previews = app.client()?.previews().await?;
    previews.retain(|preview| {
        args.project
            .as_ref()
            .is_none_or(|project| *project == preview.project)
            && args
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == preview.namespace)
    });
    previews.sort_by_key(|preview| std::cmp::Reverse(newest_ms(preview)));
    if app.terminal.json {
        app.terminal.json(&previews)?;
    } else if previews.is_empty() {
        app.terminal
            .say("There are no previews. Deploy a directory with `cx deploy`.");
    } else {
        app.terminal
            .results(&lines(&previews, now_ms(), app.terminal.out));
    }
    Ok(Exit::Ok)
}

/// The table of `previews`.
pub(super) fn lines(previews: &[view::Preview], now_ms: i64, paint: Paint) -> Vec<String> {
    let row = |preview: &view::Preview| {
        vec![
            preview.project.to_string(),
            preview.namespace.to_string(),
            status_word(preview.status, Paint::default()),
            ago(newest_ms(preview), now_ms),
            preview
                .expires_at_ms
                .map_or_else(|| "never".to_owned(), |at| until(at, now_ms)),
            preview.url.clone(),
        ]
    };
    let rows: Vec<Vec<String>> = previews.iter().map(row).collect();
    table(
        &["PROJECT", "NAMESPACE", "STATUS", "DEPLOYED", "EXPIRES", "URL"],
        &rows,
        paint,
        |row, column, text| match column {
            0 => paint.bold(text),
            2 => status_word(previews[row].status, paint),
            5 => paint.cyan(text),
            _ => text.to_owned(),
        },
    )
}

fn newest_ms(preview: &view::Preview) -> i64 {
    preview
        .newest
        .as_ref()
        .map_or(preview.created_at_ms, |newest| newest.created_at_ms)
}
