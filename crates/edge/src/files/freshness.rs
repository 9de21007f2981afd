//! How long a visitor may use a file without asking again.
//!
//! For ever where its name changes with its content. Guards against taking a name for such a one: a file that changes
//! under a name that was said to be for ever stays wrong in browsers, while one that is asked for again costs a 304. So
//! only what the tools that make such names write is believed, and pictures only with the longer hexadecimal forms: a
//! camera names them much alike.

/// The name changes with the content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Browsers keep files and ask each time whether they are still right; the answer is mostly 304.
const ASK_AGAIN: &str = "public, max-age=0, must-revalidate";

/// Directories in which every name is such: Next, SvelteKit.
const DIRECTORIES: [&str; 2] = ["_next/static/", "_app/immutable/"];
/// Where Vite, Astro and Nuxt write.
const MIXED_DIRECTORIES: [&str; 3] = ["assets/", "_astro/", "_nuxt/"];
/// What stands between the hash and the extension.
const SUFFIXES: [&str; 7] = ["js", "mjs", "css", "chunk", "bundle", "module", "min"];
/// Extensions of what is written by a program and hardly ever by hand.
const CODE: [&str; 7] = ["js", "mjs", "css", "map", "wasm", "woff", "woff2"];

/// The `Cache-Control` of the file at `path`.
pub(super) fn of(path: &str) -> &'static str {
    match changes_its_name(path) {
        true => FOR_EVER,
        false => ASK_AGAIN,
    }
}

fn changes_its_name(path: &str) -> bool {
    if DIRECTORIES.iter().any(|directory| lies_in(path, directory)) {
        return true;
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((mut stem, extension)) = name.rsplit_once('.') else {
        return false;
    };
    while let Some((rest, suffix)) = stem.rsplit_once('.')
        && SUFFIXES.contains(&suffix)
    {
        stem = rest;
    }
    let code = CODE.contains(&extension);
    let tail = stem.rsplit(['-', '.', '_']).next().unwrap_or(stem);
    is_hexadecimal(tail, code)
        || (code && tail.len() < stem.len() && is_base32(tail))
        || (code
            && MIXED_DIRECTORIES.iter().any(|directory| lies_in(path, directory))
            && ends_in_base64(stem))
}

/// Whether `path` lies in `directory`, wherever that lies.
fn lies_in(path: &str, directory: &str) -> bool {
    path.match_indices(directory)
        .any(|(at, _)| at == 0 || path[..at].ends_with('/'))
}

/// webpack, Parcel, Gatsby, Create React App: at least 8 digits, for pictures 16, with both figures and letters.
fn is_hexadecimal(tail: &str, code: bool) -> bool {
    let long = tail.len() >= if code { 8 } else { 16 };
    let digits = tail.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    long && digits && has(tail, u8::is_ascii_digit) && has(tail, u8::is_ascii_lowercase)
}

/// esbuild, Angular, Remix: 8 of `A` to `Z` and `2` to `7`.
fn is_base32(tail: &str) -> bool {
    let digits = tail.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7'));
    tail.len() == 8 && digits && has(tail, u8::is_ascii_digit) && has(tail, u8::is_ascii_uppercase)
}

/// Vite and what stands on it: 8 characters of the kind that addresses take, here with capitals, small letters and
/// something else, as four of five of them have.
fn ends_in_base64(stem: &str) -> bool {
    let Some(at) = stem.len().checked_sub(8).filter(|at| stem.is_char_boundary(*at)) else {
        return false;
    };
    let (before, tail) = stem.split_at(at);
    let other = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (before.is_empty() || before.ends_with(['-', '.']))
        && tail
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || other(&byte))
        && has(tail, u8::is_ascii_lowercase)
        && has(tail, u8::is_ascii_uppercase)
        && has(tail, other)
}

fn has(text: &str, kind: impl Fn(&u8) -> bool) -> bool {
    text.bytes().any(|byte| kind(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_of_the_content_are_for_ever() {
        for path in [
            "_next/static/chunks/main-app.js",
            "docs/_next/static/media/inter.woff2",
            "_app/immutable/entry/start.js",
            "assets/index-BQ7sY2k3.js",
            "assets/vendor-Dk_3x-9Z.css",
            "app/assets/index-BQ7sY2k3.js.map",
            "_astro/page.C4f2Xy_1.css",
            "_nuxt/B2x9QkLm.js",
            "static/js/main.1a2b3c4d.chunk.js",
            "main.8e4f2a1b.js",
            "app-0f3e5d7c9b1a2f4e6d8c.js",
            "photo.0f3e5d7c9b1a2f4e6d8c.png",
            "main-7PWQ2ABC.js",
        ] {
            assert_eq!(of(path), FOR_EVER, "{path}");
        }
    }

    #[test]
    fn other_names_are_asked_for_again() {
        for path in [
            "index.html",
            "assets/header-carousel.js",
            "assets/bootstrap-datepicker.js",
            "assets/app.js",
            "assets/hero-iPhone15.png",
            "DSC23456.jpg",
            "IMG_20240101.jpg",
            "release-20240101.js",
            "docs/deadbeef.html",
            "facade.css",
            "main.min.js",
            "jquery-3.7.1.min.js",
            "my_next/static/x.js",
            "7PWQ2ABC.js",
            "é.js",
            "LICENSE",
        ] {
            assert_eq!(of(path), ASK_AGAIN, "{path}");
        }
    }
}
