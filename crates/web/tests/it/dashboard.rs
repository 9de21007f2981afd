//! The dashboard: who gets in, and who may press buttons.

use crate::server::{Answer, Server, TOKEN};

const SITE: &str = r#"{"project": "site", "files": {"index.html": "x"}}"#;

async fn login(server: &Server) -> String {
    let answer = server.send(&format!("GET /login?token={TOKEN}"), &[], "").await;
    let cookie = answer.header("set-cookie").expect("a session");
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(TOKEN),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

fn form_token(page: &Answer) -> String {
    let rest = page.body.split("name=\"form\" value=\"").nth(1).expect("a form");
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn strangers_are_sent_to_log_in() {
    let server = Server::start().await;
    let answer = server.send("GET /", &[], "").await;
    assert_eq!((answer.status, answer.header("location")), (303, Some("/login")));
    let wrong = server.send("GET /login?token=wrong", &[], "").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (403, None));
}

#[tokio::test]
async fn the_link_logs_in_and_the_list_shows_previews() {
    let server = Server::start().await;
    let cookie = login(&server).await;
    let empty = server.send("GET /", &[("cookie", &cookie)], "").await;
    assert!(empty.body.contains("cx deploy"));
    server.call("POST /api/v1/deployments?wait=true", SITE).await;
    let page = server.send("GET /", &[("cookie", &cookie)], "").await;
    assert!(
        page.body.contains("site.localhost:7700") && page.body.contains(">Live<"),
        "{}",
        page.body
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'self'")
    );
    assert!(!page.body.contains("style=") && !page.body.contains("<script>"));
}

#[tokio::test]
async fn buttons_work_from_our_own_pages_only() {
    let server = Server::start().await;
    let cookie = login(&server).await;
    let preview = server
        .call("POST /api/v1/deployments?wait=true", SITE)
        .await
        .json();
    let id = preview["id"].as_str().unwrap();
    let page = server
        .send(&format!("GET /deployments/{id}"), &[("cookie", &cookie)], "")
        .await;
    let body = format!("form={}", form_token(&page));
    let own = format!("http://{}", server.host());
    let line = format!("POST /deployments/{id}/redeploy");
    let kind = ("content-type", "application/x-www-form-urlencoded");
    let press = async |origin: &str, body: &str| {
        server
            .send(&line, &[("cookie", &cookie), ("origin", origin), kind], body)
            .await
            .status
    };
    assert_eq!(press("http://site.localhost:7700", &body).await, 403);
    assert_eq!(press(&own, "form=guessed").await, 403);
    assert_eq!(press(&own, &body).await, 303);
}

#[tokio::test]
async fn a_session_reads_the_api_and_changes_nothing_through_it() {
    let server = Server::start().await;
    let cookie = login(&server).await;
    assert_eq!(
        server
            .send("GET /api/v1/previews", &[("cookie", &cookie)], "")
            .await
            .status,
        200
    );
    let own = format!("http://{}", server.host());
    let change = [
        ("cookie", cookie.as_str()),
        ("origin", &own),
        ("content-type", "application/json"),
    ];
    assert_eq!(
        server
            .send("POST /api/v1/projects", &change, r#"{"name": "x"}"#)
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn assets_are_cached_by_their_digest() {
    let server = Server::start().await;
    let first = server.send("GET /assets/cygni.css", &[], "").await;
    let etag = first.header("etag").unwrap();
    let again = server
        .send("GET /assets/cygni.css", &[("if-none-match", etag)], "")
        .await;
    assert_eq!((first.status, again.status, again.body.as_str()), (200, 304, ""));
}

#[tokio::test]
async fn what_projects_are_called_cannot_become_markup() {
    let server = Server::start().await;
    let cookie = login(&server).await;
    let files = r#"{"project": "bad", "files": {"package.json": "{\"name\": <script>alert(1)</script>}"}}"#;
    let failed = server
        .call("POST /api/v1/deployments?wait=true", files)
        .await
        .json();
    assert_eq!(failed["state"], "failed");
    let line = format!("GET /deployments/{}", failed["id"].as_str().unwrap());
    let page = server.send(&line, &[("cookie", &cookie)], "").await;
    assert!(page.body.contains("package.json") && !page.body.contains("<script>alert"));
}
