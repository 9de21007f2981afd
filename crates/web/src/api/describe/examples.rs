//! What the views look like, by the name of their schema.

use serde_json::{Value, json};

/// An example of the schema `name`, for those that people read.
pub(super) fn of(name: &str) -> Option<Value> {
    Some(match name {
        "Project" => json!({
            "id": "prj_k7q2m5x3n4p6r2st",
            "name": "shop",
            "created_at_ms": 1_790_000_000_000_i64,
            "previews": 2,
        }),
        "Preview" => preview(),
        "Namespace" => json!({ "name": "preview-12", "previews": [preview()] }),
        "Deployment" => deployment(),
        "Event" => json!({
            "sequence": 4_711,
            "at_ms": 1_790_000_001_240_i64,
            "kind": "deployment.ready",
            "project": "shop",
            "namespace": "preview-12",
            "deployment": "dpl_4h5j6k7m2n3p4q5r",
            "detail": {},
        }),
        "Subscriber" => subscriber(),
        "AddedSubscriber" => json!({
            "subscriber": subscriber(),
            "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=",
        }),
        "Sending" => json!({
            "sequence": 4_711,
            "kind": "deployment.ready",
            "at_ms": 1_790_000_001_240_i64,
            "state": "sent",
            "attempts": 1,
            "status": 204,
            "trouble": null,
            "done_at_ms": 1_790_000_001_265_i64,
        }),
        "LogLine" => json!({ "at_ms": 1_790_000_000_480_i64, "level": "out", "text": "added 12 packages" }),
        "LogPage" => json!({
            "lines": [{ "at_ms": 1_790_000_000_480_i64, "level": "out", "text": "added 12 packages" }],
            "next": 96,
            "ended": false,
        }),
        "Variable" => json!({ "name": "API_KEY", "secret": true, "value": null }),
        "Problem" => json!({
            "type": "urn:cygni:problem:not_found",
            "title": "Not Found",
            "status": 404,
            "code": "not_found",
            "detail": "there is no project `shop`",
            "hint": "`cx list` shows what there is.",
            "request_id": "req-5f0c2a9be1d34c7788aa01f2",
        }),
        _ => return None,
    })
}

fn subscriber() -> Value {
    json!({
        "id": "sub_c5d6e7f2g3h4i5j6",
        "url": "https://ci.example.org/cygni",
        "kinds": ["deployment.ready", "preview.*"],
        "project": null,
        "paused": false,
        "trouble": null,
        "next_try_at_ms": null,
        "waiting": 0,
        "created_at_ms": 1_790_000_000_000_i64,
    })
}

fn preview() -> Value {
    json!({
        "id": "pre_2b3c4d5e6f7g2h3i",
        "project": "shop",
        "namespace": "preview-12",
        "environment": "preview",
        "status": "live",
        "url": "http://preview-12-shop.localhost:7700",
        "origin": { "kind": "files" },
        "current": "dpl_4h5j6k7m2n3p4q5r",
        "newest": deployment(),
        "created_at_ms": 1_790_000_000_000_i64,
        "expires_at_ms": 1_790_604_800_000_i64,
        "watched": false,
        "ttl": "604800s",
        "keep": 5,
    })
}

fn deployment() -> Value {
    json!({
        "id": "dpl_4h5j6k7m2n3p4q5r",
        "project": "shop",
        "namespace": "preview-12",
        "environment": "preview",
        "state": "ready",
        "url": "http://shop-4h5j6k7m.localhost:7700",
        "preview_url": "http://preview-12-shop.localhost:7700",
        "source": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "created_at_ms": 1_790_000_000_200_i64,
        "finished_at_ms": 1_790_000_001_240_i64,
        "current": true,
        "phases": [{ "name": "detect", "started_at_ms": 1_790_000_000_210_i64, "millis": 4 }],
        "reused_build_of": null,
        "plan": null,
        "artifact": null,
        "failure": null,
        "instances": [],
    })
}

#[cfg(test)]
mod tests {
    use control::view;
    use serde::de::DeserializeOwned;

    use super::of;

    fn reads<T: DeserializeOwned>(name: &str) {
        let example = of(name).expect("an example");
        serde_json::from_value::<T>(example).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    #[test]
    fn examples_are_what_the_views_are() {
        reads::<view::Project>("Project");
        reads::<view::Preview>("Preview");
        reads::<view::Namespace>("Namespace");
        reads::<view::Deployment>("Deployment");
        reads::<view::Event>("Event");
        reads::<view::LogLine>("LogLine");
        reads::<view::LogPage>("LogPage");
        reads::<view::Variable>("Variable");
    }
}
