//! Answers and payloads made of GitHub's own examples: whole in form, with what matters replaced.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::Value;

use super::openapi::spec;

/// Where `scripts/prepare test` puts the examples of webhooks.
const WEBHOOKS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../target/tools/github/webhooks.json"
);

/// GitHub's example of what `method` at `template` answers, an entry of it where that is a list, with `changes`.
pub(super) fn answer(method: &str, template: &str, changes: Value) -> Value {
    let mut example = spec().example(method, template);
    if let Value::Array(list) = &mut example {
        example = list.swap_remove(0);
    }
    merged(example, changes)
}

/// GitHub's example of the payload of `event`, of that action where there is one, with `changes`.
pub(super) fn payload(event: &str, action: Option<&str>, changes: Value) -> Value {
    let examples = examples_of(event);
    let fits = |example: &&Value| example["action"].as_str() == action;
    let example = examples.iter().find(fits).unwrap_or(&examples[0]);
    let mut payload = merged(example.clone(), changes);
    if let Some(action) = action {
        payload["action"] = action.into();
    }
    payload
}

/// All of GitHub's examples of an event.
fn examples_of(event: &str) -> &'static Vec<Value> {
    let found = webhooks().iter().find(|entry| entry["name"] == event);
    let examples = found.and_then(|entry| entry["examples"].as_array());
    examples.unwrap_or_else(|| panic!("no example of the event {event}"))
}

/// GitHub's examples of webhooks: a list of `{name, examples}`.
pub fn webhooks() -> &'static Vec<Value> {
    static EXAMPLES: OnceLock<Vec<Value>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let text = std::fs::read(Path::new(WEBHOOKS));
        let text =
            text.unwrap_or_else(|error| panic!("{WEBHOOKS}: {error}; `scripts/prepare test` fetches it"));
        serde_json::from_slice(&text).expect("examples of webhooks")
    })
}

/// Objects are merged, everything else is replaced.
fn merged(mut base: Value, changes: Value) -> Value {
    match (&mut base, changes) {
        (Value::Object(object), Value::Object(changes)) => {
            for (name, change) in changes {
                let old = object.remove(&name).unwrap_or_default();
                object.insert(name, merged(old, change));
            }
            base
        }
        (_, changes) => changes,
    }
}
