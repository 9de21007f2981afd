//! Which repository a call is about: by its name, by one it had before, or by its number.

use reqwest::Url;
use serde_json::json;

use super::reply::Reply;
use super::world::World;

/// Where a call goes.
pub(super) enum Place {
    Repository(u64),
    Moved(u64),
    Elsewhere,
}

/// Which repository a path is about; one that names it by number is rewritten.
pub(super) fn place(world: &World, segments: &mut Vec<String>) -> Place {
    match segments.as_slice() {
        [first, id, ..] if first == "repositories" => {
            let id: u64 = id.parse().unwrap_or_default();
            segments.splice(..2, ["repos", "-", "-"].map(str::to_owned));
            Place::Repository(id)
        }
        [first, owner, name, ..] if first == "repos" => {
            let Ok(name) = format!("{owner}/{name}").parse() else {
                return Place::Elsewhere;
            };
            match (world.find(&name), world.old_names.get(&name)) {
                (Some(id), _) => Place::Repository(id),
                (None, Some(&id)) if world.repositories.contains_key(&id) => Place::Moved(id),
                _ => Place::Elsewhere,
            }
        }
        _ => Place::Elsewhere,
    }
}

/// GitHub keeps leading old names to where the repository is now, even who could not see it there.
pub(super) fn moved(world: &World, (method, url): (&str, &Url), id: u64) -> Reply {
    let rest: Vec<&str> = url.path().splitn(5, '/').skip(4).collect();
    let mut to = format!("{}/repositories/{id}", world.url);
    if let Some(rest) = rest.first() {
        to = format!("{to}/{rest}");
    }
    if let Some(query) = url.query() {
        to = format!("{to}?{query}");
    }
    let status = if method == "get" { 301 } else { 307 };
    let mut reply = Reply::problem(status, "Moved Permanently");
    if let Some(body) = &mut reply.body {
        body["url"] = json!(to);
    }
    reply.with("location", to)
}

pub(super) fn segments(url: &Url) -> Vec<String> {
    let decode = |segment: &str| percent_decoded(segment);
    url.path_segments().into_iter().flatten().map(decode).collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let decoded = data_encoding::HEXLOWER_PERMISSIVE
                    .decode(&digits)
                    .unwrap_or_default();
                bytes.extend(decoded);
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
