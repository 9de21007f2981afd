//! `cx df`: what the server takes on its disk, and what is left.

use control::view;
use model::units::{format_bytes, format_millis};

use super::App;
use crate::exit::Exit;
use crate::terminal::{Paint, ago, now_ms, table};

pub(super) async fn run(app: &App) -> anyhow::Result<Exit> {
    let usage = app.client()?.usage().await?;
    match app.terminal.json {
        true => app.terminal.json(&usage)?,
        false => app.terminal.results(&lines(&usage, now_ms(), app.terminal.out)),
    }
    Ok(Exit::Ok)
}

fn lines(usage: &view::Usage, now_ms: i64, paint: Paint) -> Vec<String> {
    let total = usage.parts.values().map(|part| part.bytes).sum();
    let files = usage.parts.values().map(|part| part.files).sum::<u64>();
    let row =
        |name: &str, bytes: u64, files: u64| vec![name.to_owned(), format_bytes(bytes), files.to_string()];
    let mut rows: Vec<_> = usage
        .parts
        .iter()
        .map(|(name, part)| row(name, part.bytes, part.files))
        .collect();
    rows.push(row("together", total, files));
    let mut lines = table(
        &["WHAT", "SIZE", "FILES"],
        &rows,
        paint,
        |_, column, text| match column {
            0 => paint.bold(text),
            _ => text.to_owned(),
        },
    );
    let (free, floor) = (format_bytes(usage.free_bytes), format_bytes(usage.floor_bytes));
    lines.push(String::new());
    lines.push(match usage.free_bytes < usage.floor_bytes {
        true => paint.red(format!(
            "{free} are free and {floor} must stay free: builds wait and uploads are refused"
        )),
        false => format!(
            "{free} of {} are free; {floor} stay free",
            format_bytes(usage.total_bytes)
        ),
    });
    if let Some(last) = usage.collected {
        lines.push(paint.dim(format!(
            "looked through {} in {}: {} files, {} trees, {} layers and {} directories went",
            ago(last.at_ms, now_ms),
            format_millis(last.millis),
            last.blobs,
            last.trees,
            last.layers,
            last.scratches
        )));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_said_with_what_follows() {
        let part = view::UsagePart {
            bytes: 3_000_000,
            files: 12,
        };
        let mut usage = view::Usage {
            free_bytes: 5_000_000_000,
            total_bytes: 9_000_000_000,
            floor_bytes: 1_000_000_000,
            parts: [("files".to_owned(), part), ("logs".to_owned(), part)].into(),
            collected: None,
        };
        let text = lines(&usage, 0, Paint::default()).join("\n");
        assert!(
            text.contains("together  6.0 MB  24") && text.contains("5.0 GB of 9.0 GB are free"),
            "{text}"
        );
        usage.free_bytes = 7;
        assert!(
            lines(&usage, 0, Paint::default())
                .join("\n")
                .contains("builds wait")
        );
    }
}
