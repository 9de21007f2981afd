//! Content types by file name, as registered at IANA. Texts are UTF-8.

/// The content type of `path`; bytes of an unknown kind where its extension is not known.
pub(super) fn of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, extension)) = name.rsplit_once('.') else {
        return "application/octet-stream";
    };
    let extension = extension.to_ascii_lowercase();
    match extension.as_str() {
        "html" | "htm" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" | "cjs" => "text/javascript; charset=utf-8",
        "txt" | "text" | "log" => "text/plain; charset=utf-8",
        "md" | "markdown" => "text/markdown; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "vtt" => "text/vtt; charset=utf-8",
        "ics" => "text/calendar; charset=utf-8",
        "xml" | "xsl" => "text/xml; charset=utf-8",
        "json" | "map" => "application/json; charset=utf-8",
        "jsonld" => "application/ld+json; charset=utf-8",
        "geojson" => "application/geo+json; charset=utf-8",
        "webmanifest" => "application/manifest+json; charset=utf-8",
        "rss" => "application/rss+xml; charset=utf-8",
        "atom" => "application/atom+xml; charset=utf-8",
        "xhtml" => "application/xhtml+xml; charset=utf-8",
        "yaml" | "yml" => "application/yaml; charset=utf-8",
        "svg" => "image/svg+xml; charset=utf-8",
        _ => of_binary(&extension),
    }
}

fn of_binary(extension: &str) -> &'static str {
    match extension {
        "png" => "image/png",
        "apng" => "image/apng",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "avif" => "image/avif",
        "ico" => "image/vnd.microsoft.icon",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "otf" => "font/otf",
        "mp4" | "m4v" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "ogv" => "video/ogg",
        "mp3" => "audio/mpeg",
        "m4a" => "audio/mp4",
        "aac" => "audio/aac",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "wav" => "audio/wav",
        "weba" => "audio/webm",
        "pdf" => "application/pdf",
        "wasm" => "application/wasm",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "tar" => "application/x-tar",
        "epub" => "application/epub+zip",
        "glb" => "model/gltf-binary",
        "gltf" => "model/gltf+json",
        _ => "application/octet-stream",
    }
}

/// Whether files of a content type become smaller when they are compressed: texts, and what is not packed already.
pub(super) fn is_compressible(kind: &str) -> bool {
    const OTHERS: [&str; 7] = [
        "application/wasm",
        "image/svg+xml; charset=utf-8",
        "image/bmp",
        "image/vnd.microsoft.icon",
        "font/ttf",
        "font/otf",
        "model/gltf+json",
    ];
    kind.starts_with("text/")
        || (kind.starts_with("application/") && kind.ends_with("; charset=utf-8"))
        || OTHERS.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::{is_compressible, of};

    #[test]
    fn texts_and_unpacked_kinds_are_compressed() {
        for path in ["a.html", "a.js", "a.json", "a.svg", "a.wasm", "a.ttf"] {
            assert!(is_compressible(of(path)), "{path}");
        }
        for path in ["a.png", "a.woff2", "a.mp4", "a.zip", "a.bin", "a.pdf"] {
            assert!(!is_compressible(of(path)), "{path}");
        }
    }

    #[test]
    fn kinds() {
        let table = [
            ("index.html", "text/html; charset=utf-8"),
            ("a/B.JS", "text/javascript; charset=utf-8"),
            ("app.min.css", "text/css; charset=utf-8"),
            ("x.wasm", "application/wasm"),
            ("LICENSE", "application/octet-stream"),
            ("a.b/LICENSE", "application/octet-stream"),
            ("logo.svg", "image/svg+xml; charset=utf-8"),
        ];
        for (path, kind) in table {
            assert_eq!(of(path), kind, "{path}");
        }
    }
}
