//! The description of the API agrees with the server: what is described is there, and what is there is described.

use serde_json::Value;

use crate::server::{Answer, Server, TOKEN};

const PREFIX: &str = "/api/v1";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// The description of `method` at `path`, and of nothing else at that address.
fn operation<'a>(description: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let path = path.split('?').next()?.strip_prefix(PREFIX)?;
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let wanted: Vec<&str> = template.split('/').collect();
        wanted.len() == parts.len()
            && wanted
                .iter()
                .zip(&parts)
                .all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    let paths = description["paths"].as_object()?;
    let (_, methods) = paths.iter().find(|(template, _)| fits(template))?;
    methods.get(method.to_lowercase())
}

/// Fails where the answer to a described operation is not one of those that are described.
pub(crate) fn assert_described(line: &str, answer: &Answer) {
    let description = web::description();
    let Some((method, path)) = line.split_once(' ') else {
        return;
    };
    let Some(operation) = operation(&description, method, path) else {
        return;
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(
        response.is_object(),
        "{line}: {} is not described: {}",
        answer.status,
        answer.body
    );
    let kind = answer.header("content-type").unwrap_or("");
    let media = &response["content"][kind];
    assert!(
        media.is_object(),
        "{line}: {kind} is not described for {}",
        answer.status
    );
    if answer.status >= 400 {
        let code = &answer.json()["code"];
        let codes = media["schema"]["properties"]["code"]["enum"].as_array().unwrap();
        assert!(
            codes.contains(code),
            "{line}: {code} is not described for {}",
            answer.status
        );
    }
}

/// Every path, with something in the place of its parts.
fn paths(description: &Value) -> Vec<(String, Vec<String>)> {
    let fill = |template: &str| {
        template
            .replace("{project}", "nobody")
            .replace("{namespace}", "nowhere")
            .replace("{preview}", "pre_aaaaaaaaaaaaaaaa")
            .replace("{deployment}", "dpl_aaaaaaaaaaaaaaaa")
            .replace("{digest}", &model::Digest::of(b"x").to_string())
    };
    let of = |(template, methods): (&String, &Value)| {
        let methods = methods
            .as_object()
            .unwrap()
            .keys()
            .map(|method| method.to_uppercase());
        (format!("{PREFIX}{}", fill(template)), methods.collect())
    };
    description["paths"].as_object().unwrap().iter().map(of).collect()
}

#[tokio::test]
async fn every_described_operation_is_there_and_no_other_method_is() {
    let server = Server::start().await;
    let description = web::description();
    let (mut there, mut absent) = (0, 0);
    for (path, methods) in paths(&description) {
        for method in METHODS {
            let described = methods.iter().any(|known| known == method);
            // A stream would not end; that it begins is seen elsewhere.
            if path.ends_with("/events") && described || method == "HEAD" {
                continue;
            }
            let answer = server.call(&format!("{method} {path}"), "").await;
            assert_eq!(
                answer.status == 405,
                !described,
                "{method} {path}: {}",
                answer.body
            );
            if described {
                let nothing = "there is nothing at this address";
                assert!(!answer.body.contains(nothing), "{method} {path}: {}", answer.body);
                there += 1;
            } else {
                assert!(answer.header("allow").is_some(), "{method} {path}");
                absent += 1;
            }
        }
    }
    assert!(there >= 25 && absent >= 60, "{there} {absent}");
}

#[tokio::test]
async fn everything_that_is_not_open_needs_the_token() {
    let server = Server::start().await;
    let description = web::description();
    for (path, methods) in paths(&description) {
        for method in methods {
            let line = format!("{method} {path}");
            let open = operation(&description, &method, &path)
                .unwrap()
                .get("security")
                .is_some();
            for headers in [
                &[][..],
                &[("authorization", "Bearer wrong")],
                &[("authorization", "Basic eDp5")],
            ] {
                let answer = server.send(&line, headers, "").await;
                assert_eq!(answer.status == 401, !open, "{line}: {}", answer.body);
            }
        }
    }
}

#[tokio::test]
async fn the_description_is_served_to_anybody() {
    let server = Server::start().await;
    let answer = server.send("GET /api/v1/openapi.json", &[], "").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json"))
    );
    assert_eq!(answer.json(), web::description());
    assert!(!answer.body.contains(TOKEN));
}
