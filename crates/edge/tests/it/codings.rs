//! Static files compressed, kept, and asked for under conditions.

use std::io::Read;

use model::Digest;
use model::route::Target;
use store::Coding;

use crate::visitor::{Answer, Visitor};
use crate::world::{PATIENCE, World};

const HOST: &str = "a.localhost";

fn script() -> Vec<u8> {
    "console.log('the same again');\n".repeat(100).into_bytes()
}

async fn site(files: &[(&str, &[u8])]) -> World {
    let mut world = World::new().await;
    let tree = world.tree(files);
    let target = Target::Static { tree, spa: false };
    world.publish(vec![(HOST, target)]).await;
    world
}

async fn ask(world: &World, path: &str, lines: &str) -> Answer {
    Visitor::new(world.address).await.get(HOST, path, lines).await
}

/// Asks until the form is there: it is made beside everything else.
async fn until_encoded(world: &World, path: &str, coding: &str) -> Answer {
    let lines = format!("Accept-Encoding: {coding}\r\n");
    let looking = async {
        loop {
            let answer = ask(world, path, &lines).await;
            assert_eq!(
                (answer.status, answer.header("vary")),
                (200, Some("accept-encoding"))
            );
            if answer.header("content-encoding") == Some(coding) {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, looking)
        .await
        .expect("it is compressed in time")
}

#[tokio::test]
async fn each_form_has_its_tag_and_gives_the_file_back() {
    let bytes = script();
    let world = site(&[("app.js", &bytes), ("app.png", &bytes)]).await;
    let (mut plain, mut unzipped) = (Vec::new(), Vec::new());
    let brotli = until_encoded(&world, "/app.js", "br").await;
    brotli::BrotliDecompress(&mut brotli.body.as_slice(), &mut plain).unwrap();
    let gzip = until_encoded(&world, "/app.js", "gzip").await;
    flate2::read::GzDecoder::new(gzip.body.as_slice())
        .read_to_end(&mut unzipped)
        .unwrap();
    assert!(plain == bytes && unzipped == bytes);
    assert!(brotli.body.len() < bytes.len() / 2);
    let hex = Digest::of(&bytes).hex();
    let tags = [brotli.header("etag"), gzip.header("etag")].map(Option::unwrap);
    assert_eq!(tags, [format!("\"{hex}-br\""), format!("\"{hex}-gzip\"")]);
    for (lines, tag) in [
        ("", format!("\"{hex}\"")),
        ("Accept-Encoding: gzip, br\r\n", format!("\"{hex}-br\"")),
        ("Accept-Encoding: br;q=0.1, gzip\r\n", format!("\"{hex}-gzip\"")),
        ("Accept-Encoding: br;q=0\r\n", format!("\"{hex}\"")),
    ] {
        assert_eq!(
            ask(&world, "/app.js", lines).await.header("etag"),
            Some(tag.as_str()),
            "{lines}"
        );
    }
    // The same bytes under a name that is not compressed are as they are, and do not vary.
    let picture = ask(&world, "/app.png", "Accept-Encoding: br\r\n").await;
    assert_eq!((picture.body == bytes, picture.header("vary")), (true, None));
    assert_eq!(picture.header("content-encoding"), None);
}

#[tokio::test]
async fn conditions_and_parts_are_about_the_form_that_is_sent() {
    let bytes = script();
    let world = site(&[("app.js", &bytes)]).await;
    let whole = until_encoded(&world, "/app.js", "br").await;
    let tag = whole.header("etag").unwrap().to_owned();
    let plain_tag = format!("\"{}\"", Digest::of(&bytes).hex());
    let accept = "Accept-Encoding: br\r\n";
    let known = ask(&world, "/app.js", &format!("{accept}If-None-Match: {tag}\r\n")).await;
    assert_eq!(
        (known.status, known.header("vary")),
        (304, Some("accept-encoding"))
    );
    assert_eq!(known.header("etag"), Some(tag.as_str()));
    let other = ask(
        &world,
        "/app.js",
        &format!("{accept}If-None-Match: {plain_tag}\r\n"),
    )
    .await;
    assert_eq!(other.status, 200);
    let part = ask(
        &world,
        "/app.js",
        &format!("{accept}Range: bytes=3-9\r\nIf-Range: {tag}\r\n"),
    )
    .await;
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[3..10]));
    let size = format!("bytes 3-9/{}", whole.body.len());
    assert_eq!(part.header("content-range"), Some(size.as_str()));
    let changed = ask(
        &world,
        "/app.js",
        &format!("{accept}Range: bytes=3-9\r\nIf-Range: {plain_tag}\r\n"),
    )
    .await;
    assert_eq!((changed.status, changed.body == whole.body), (200, true));
}

#[tokio::test]
async fn who_refuses_the_file_as_it_is_gets_a_form_or_nothing() {
    let world = site(&[("app.js", &script()), ("small.js", b"1")]).await;
    until_encoded(&world, "/app.js", "gzip").await;
    let lines = "Accept-Encoding: identity;q=0, gzip;q=0.5\r\n";
    assert_eq!(
        ask(&world, "/app.js", lines).await.header("content-encoding"),
        Some("gzip")
    );
    let nothing = ask(&world, "/app.js", "Accept-Encoding: *;q=0\r\n").await;
    assert_eq!(
        (nothing.status, nothing.header("vary")),
        (406, Some("accept-encoding"))
    );
    // Nothing else will ever be there of a file so small.
    assert_eq!(
        ask(&world, "/small.js", "Accept-Encoding: *;q=0\r\n")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_form_is_made_once_and_goes_on_serving_from_another_tree() {
    let bytes = script();
    let mut world = site(&[("app.js", &bytes)]).await;
    until_encoded(&world, "/app.js", "br").await;
    assert!(
        world
            .store
            .open_encoded(&Digest::of(&bytes), Coding::Gzip)
            .is_ok()
    );
    let tree = world.tree(&[("renamed.js", &bytes)]);
    world
        .publish(vec![(HOST, Target::Static { tree, spa: false })])
        .await;
    let answer = ask(&world, "/renamed.js", "Accept-Encoding: br\r\n").await;
    assert_eq!(answer.header("content-encoding"), Some("br"));
    assert_eq!(ask(&world, "/app.js", "").await.status, 404);
}

#[tokio::test]
async fn names_that_change_with_the_content_are_kept_for_ever() {
    let world = site(&[("index.html", b"1"), ("assets/index-BQ7sY2k3.js", b"2")]).await;
    let kept = ask(&world, "/assets/index-BQ7sY2k3.js", "").await;
    assert_eq!(
        kept.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    let page = ask(&world, "/", "").await;
    assert_eq!(
        page.header("cache-control"),
        Some("public, max-age=0, must-revalidate")
    );
}

#[tokio::test]
async fn several_parts_come_in_one_answer() {
    let large: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    let world = site(&[("s.txt", b"0123456789"), ("l.bin", &large)]).await;
    let answer = ask(&world, "/s.txt", "Range: bytes=0-1, -2\r\n").await;
    assert_eq!((answer.status, answer.header("content-range")), (206, None));
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert_eq!(
        answer.text(),
        format!(
            "\r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes 0-1/10\r\n\r\n01\
             \r\n--{boundary}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-range: bytes 8-9/10\r\n\r\n89\
             \r\n--{boundary}--\r\n"
        )
    );
    let parts = ask(&world, "/l.bin", "Range: bytes=0-99999,150000-150009\r\n").await;
    assert_eq!(parts.status, 206);
    let holds = |wanted: &[u8]| parts.body.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(&large[..100_000]) && holds(&large[150_000..150_010]));
    assert_eq!(
        ask(&world, "/s.txt", "Range: bytes=20-,30-\r\n").await.status,
        416
    );
    assert_eq!(
        ask(&world, "/s.txt", "Range: bytes=0-8,1-9\r\n").await.text(),
        "0123456789"
    );
}

#[tokio::test]
async fn a_file_is_asked_for_by_its_tag_and_not_by_its_date() {
    let world = site(&[("s.txt", b"0123456789")]).await;
    let tag = format!("\"{}\"", Digest::of(b"0123456789").hex());
    for (lines, status) in [
        (format!("If-Match: {tag}\r\n"), 200),
        ("If-Match: \"other\"\r\n".to_owned(), 412),
        // There are no dates, so nothing can be said of them (RFC 9110, section 13.1.3).
        (
            "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n".to_owned(),
            200,
        ),
    ] {
        let answer = ask(&world, "/s.txt", &lines).await;
        assert_eq!(
            (answer.status, answer.header("last-modified")),
            (status, None),
            "{lines}"
        );
    }
}

#[tokio::test]
async fn a_head_says_what_a_get_would() {
    let world = site(&[("app.js", &script())]).await;
    let whole = until_encoded(&world, "/app.js", "br").await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send(format!(
            "HEAD /app.js HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: br\r\n\r\n"
        ))
        .await;
    let head = visitor.head().await;
    for name in [
        "content-length",
        "content-encoding",
        "etag",
        "vary",
        "content-type",
        "accept-ranges",
    ] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    assert_eq!(visitor.get(HOST, "/app.js", "").await.status, 200);
}
