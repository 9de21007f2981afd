//! Places in the source that the output of a tool names.

use model::failure::{LOCATIONS_MAX, Location};

use super::Sources;
use super::rules::{Place, Rank, group, places};
use model::inside::APP_DIRECTORY;

/// How far from a place its message may stand, in lines.
const MESSAGE_LINES_MAX: usize = 30;
/// Characters of a message at the most.
const MESSAGE_CHARS_MAX: usize = 300;
/// What bundlers write before the paths of modules.
const PREFIXES: [&str; 4] = ["file://", "webpack:///", "webpack://", "./"];

/// The places of the surest rank that `lines` name, in the order of the lines, each once.
pub(super) fn find(lines: &[String], sources: Sources<'_>) -> Vec<Location> {
    let found = matches(lines, sources);
    let Some(rank) = found.iter().map(|(place, _)| place.rank).min() else {
        return Vec::new();
    };
    let mut kept: Vec<Location> = Vec::new();
    for (index, (place, location)) in found.iter().enumerate() {
        let inner = place.last && found[index + 1..].iter().any(|(later, _)| later.last);
        let exact = |other: &Location| other.file == location.file && other.line.is_some();
        let vague = location.line.is_none() && found.iter().any(|(_, other)| exact(other));
        if place.rank != rank || inner || vague {
            continue;
        }
        let mut location = location.clone();
        if location.column.is_none() {
            location.column = column_elsewhere(&found, &location);
        }
        let same = |kept: &Location| kept.file == location.file && kept.line == location.line;
        if !kept
            .iter()
            .any(|kept| same(kept) && kept.column == location.column)
        {
            kept.push(location);
        }
        if kept.len() == LOCATIONS_MAX {
            break;
        }
    }
    // A stack is one error: its innermost call in the source.
    if rank == Rank::Frame {
        kept.truncate(1);
    }
    kept
}

fn column_elsewhere(found: &[(&Place, Location)], wanted: &Location) -> Option<u32> {
    let same = |other: &Location| other.file == wanted.file && other.line == wanted.line;
    found
        .iter()
        .filter(|(_, other)| same(other))
        .find_map(|(_, other)| other.column)
}

fn matches(lines: &[String], sources: Sources<'_>) -> Vec<(&'static Place, Location)> {
    let mut found = Vec::new();
    let mut headers: Vec<Option<String>> = vec![None; places().len()];
    for (at, line) in lines.iter().enumerate() {
        for (index, place) in places().iter().enumerate() {
            let header = place.header.as_ref().and_then(|header| header.captures(line));
            if let Some(file) = header.and_then(|header| group(&header, "file").map(str::to_owned)) {
                headers[index] = in_source(&file, sources);
            }
            if let Some(location) = locate(place, (lines, at), headers[index].as_deref(), sources) {
                found.push((place, location));
                break;
            }
        }
    }
    found
}

fn locate(
    place: &Place,
    (lines, at): (&[String], usize),
    header: Option<&str>,
    sources: Sources<'_>,
) -> Option<Location> {
    let found = place.pattern.captures(&lines[at])?;
    let file = match group(&found, "file") {
        Some(file) => in_source(file, sources)?,
        None => header?.to_owned(),
    };
    if place.rank == Rank::Mention && lines[at].to_ascii_lowercase().contains("warning") {
        return None;
    }
    let number = |name| group(&found, name).and_then(|text| text.parse().ok());
    let near = || message_near(place, lines, at);
    let message = group(&found, "message").map(str::to_owned).or_else(near);
    if place.needs_message && message.is_none() {
        return None;
    }
    Some(Location {
        file,
        line: number("line"),
        column: number("column"),
        message: message.map(|text| text.chars().take(MESSAGE_CHARS_MAX).collect()),
    })
}

fn message_near(place: &Place, lines: &[String], at: usize) -> Option<String> {
    let above = lines[..at].iter().rev().take(MESSAGE_LINES_MAX);
    let below = lines[at + 1..].iter().take(MESSAGE_LINES_MAX);
    let before = place.before.as_ref().map(|pattern| nearest(pattern, above));
    before
        .or_else(|| place.after.as_ref().map(|pattern| nearest(pattern, below)))
        .flatten()
}

fn nearest<'a>(pattern: &regex::Regex, mut lines: impl Iterator<Item = &'a String>) -> Option<String> {
    let found = lines.find_map(|line| pattern.captures(line))?;
    group(&found, "message").map(str::to_owned)
}

/// The path relative to the source, if the source has such a file.
fn in_source(path: &str, sources: Sources<'_>) -> Option<String> {
    let mut path = path.split('?').next().unwrap_or(path);
    for prefix in PREFIXES {
        path = path.strip_prefix(prefix).unwrap_or(path);
    }
    if path.is_empty() || path.contains("node_modules/") {
        return None;
    }
    let has = |path: &str| sources.tree.get(path).is_some();
    if let Some(inside) = path
        .strip_prefix(APP_DIRECTORY)
        .and_then(|rest| rest.strip_prefix('/'))
    {
        return has(inside).then(|| inside.to_owned());
    }
    let below = match sources.root {
        "" => path.to_owned(),
        root => format!("{root}/{path}"),
    };
    [below, path.to_owned()].into_iter().find(|path| has(path))
}

#[cfg(test)]
#[path = "locations_tests.rs"]
mod tests;
