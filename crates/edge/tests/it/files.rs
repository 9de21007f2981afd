//! Static files out of a real store.

use model::route::Target;

use crate::visitor::{Answer, Visitor, get};
use crate::world::{World, deployment};

const HOST: &str = "a.localhost";

async fn site(files: &[(&str, &[u8])], spa: bool) -> World {
    let mut world = World::new().await;
    let tree = world.tree(files);
    world.publish(vec![(HOST, Target::Static { tree, spa })]).await;
    world
}

async fn get_with(world: &World, path: &str, lines: &str) -> Answer {
    Visitor::new(world.address).await.get(HOST, path, lines).await
}

#[tokio::test]
async fn a_file_has_its_type_its_tag_and_its_deployment() {
    let world = site(&[("index.html", b"<h1>hi</h1>"), ("a b/é.js", b"1")], false).await;
    let answer = get(world.address, HOST, "/").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "<h1>hi</h1>"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(
        answer.header("cache-control"),
        Some("public, max-age=0, must-revalidate")
    );
    let tag = format!("\"{}\"", model::Digest::of(b"<h1>hi</h1>").hex());
    assert_eq!(answer.header("etag"), Some(tag.as_str()));
    assert_eq!(answer.header("x-cygni-deployment"), Some(deployment(0).as_str()));
    assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
    let script = get(world.address, HOST, "/a%20b/%C3%A9.js?v=1").await;
    assert_eq!(
        (script.status, script.header("content-type")),
        (200, Some("text/javascript; charset=utf-8"))
    );
}

#[tokio::test]
async fn what_the_visitor_has_is_not_sent_again() {
    let world = site(&[("index.html", b"hello")], false).await;
    let tag = get(world.address, HOST, "/")
        .await
        .header("etag")
        .unwrap()
        .to_owned();
    let mut visitor = Visitor::new(world.address).await;
    for given in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\", {tag}"),
        "*".to_owned(),
    ] {
        let answer = visitor
            .get(HOST, "/", &format!("If-None-Match: {given}\r\n"))
            .await;
        assert_eq!(
            (answer.status, answer.header("etag")),
            (304, Some(tag.as_str())),
            "{given}"
        );
    }
    assert_eq!(
        visitor.get(HOST, "/", "If-None-Match: \"x\"\r\n").await.status,
        200
    );
}

#[tokio::test]
async fn parts_of_small_and_large_files() {
    let large: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    let world = site(&[("s.txt", b"0123456789"), ("l.bin", &large)], false).await;
    let answer = get_with(&world, "/s.txt", "Range: bytes=2-4\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (206, "234"));
    assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    let answer = get_with(&world, "/s.txt", "Range: bytes=10-\r\n").await;
    assert_eq!(
        (answer.status, answer.header("content-range")),
        (416, Some("bytes */10"))
    );
    let answer = get_with(&world, "/s.txt", "Range: bytes=2-4\r\nIf-Range: \"old\"\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "0123456789"));
    assert_eq!(get_with(&world, "/l.bin", "").await.body, large);
    assert_eq!(
        get_with(&world, "/l.bin", "Range: bytes=1000-250000\r\n")
            .await
            .body,
        large[1000..=250_000]
    );
    assert_eq!(
        get_with(&world, "/l.bin", "Range: bytes=-7\r\n").await.body,
        large[299_993..]
    );
}

#[tokio::test]
async fn clean_addresses_and_directories() {
    let files: &[(&str, &[u8])] = &[
        ("index.html", b"top"),
        ("about.html", b"about"),
        ("docs/index.html", b"docs"),
    ];
    let world = site(files, false).await;
    assert_eq!(get(world.address, HOST, "/about").await.text(), "about");
    let answer = get(world.address, HOST, "/docs?a=b").await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/docs/?a=b"))
    );
    assert_eq!(get(world.address, HOST, "/docs/").await.text(), "docs");
    let answer = get(world.address, HOST, "//docs").await;
    assert_eq!((answer.status, answer.header("location")), (404, None));
}

#[tokio::test]
async fn only_a_single_page_application_answers_everywhere() {
    let files: &[(&str, &[u8])] = &[("index.html", b"app"), ("main.js", b"1")];
    for spa in [true, false] {
        let world = site(files, spa).await;
        let deep = get_with(&world, "/users/7", "Accept: text/html\r\n").await;
        assert_eq!(deep.status, if spa { 200 } else { 404 });
        assert_eq!(deep.text() == "app", spa);
        let part = get_with(&world, "/missing.js", "Accept: */*\r\n").await;
        assert_eq!(
            (part.status, part.header("x-cygni-error")),
            (404, Some("not_found"))
        );
    }
}

#[tokio::test]
async fn a_site_has_its_own_page_for_what_it_does_not_have() {
    let world = site(&[("index.html", b"top"), ("404.html", b"not here")], false).await;
    let answer = get(world.address, HOST, "/nothing").await;
    assert_eq!((answer.status, answer.text().as_str()), (404, "not here"));
    assert_eq!(
        (answer.header("etag"), answer.header("x-cygni-error")),
        (None, None)
    );
}

#[tokio::test]
async fn files_that_are_not_for_visitors_do_not_exist() {
    let files: &[(&str, &[u8])] = &[
        ("index.html", b"top"),
        (".git/config", b"secret"),
        (".env", b"secret"),
        ("api/.env.production", b"secret"),
        (".well-known/security.txt", b"public"),
    ];
    let world = site(files, true).await;
    for path in [
        "/.git/config",
        "/.env",
        "/%2eenv",
        "/.%65nv",
        "/api/.env.production",
        "/.git%2Fconfig",
        "/x/../.env",
    ] {
        let answer = get_with(&world, path, "Accept: text/html\r\n").await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("secret"));
    }
    assert_eq!(
        get(world.address, HOST, "/.well-known/security.txt").await.text(),
        "public"
    );
}

#[tokio::test]
async fn files_can_only_be_read() {
    let world = site(&[("index.html", b"hello")], false).await;
    let mut visitor = Visitor::new(world.address).await;
    visitor
        .send(format!("HEAD / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"))
        .await;
    let head = visitor.head().await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("5")));
    for method in ["DELETE", "OPTIONS", "PATCH"] {
        visitor
            .send(format!("{method} / HTTP/1.1\r\nHost: {HOST}\r\n\r\n"))
            .await;
        let answer = visitor.answer().await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    }
}

#[tokio::test]
async fn an_empty_file_and_a_bad_escape() {
    let world = site(&[("empty.txt", b""), ("index.html", b"x")], false).await;
    let answer = get(world.address, HOST, "/empty.txt").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("0")));
    for path in ["/%ff", "/%", "/%00", "/a%0d%0ab"] {
        assert_eq!(get(world.address, HOST, path).await.status, 404, "{path}");
    }
}
