//! The description as an OpenAPI 3.1 document (spec.openapis.org/oas/v3.1.1).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Bytes;
use model::{Digest, NamespaceName, PreviewId, ProjectName, SubscriberId};
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::operation::{Answer, Body, Content, Lead, Operation};
use super::problems::{KNOWN, Known, OF_ALL, OF_GUARDED, OF_JSON, OF_PATH, OF_QUERY};
use super::{examples, problems};
use crate::problem::{Document as ProblemDocument, MEDIA_TYPE};

const ABOUT: &str = "Everything that the command line and the dashboard can do. \
Paths are below `/api/v1` of the host of the dashboard; requests for other hosts are refused. \
Bodies are JSON unless an operation says otherwise, times are milliseconds since 1970, and unknown fields of a request are errors. \
An answer may get more fields in later versions.

Every error is a problem document (RFC 9457, `application/problem+json`) with a stable `code`, and every answer carries \
its request's id in `x-request-id`; a caller may send one of its own.

Streams are server-sent events: `id` takes a stream up again by `Last-Event-ID`, `data` is JSON, comments keep the connection \
alive every 15 seconds, and the event `end` says that nothing more will come.";

const TOKEN: &str =
    "The server's token: the file `token` in its data directory. The session of the dashboard may read, too.";

/// Schemas of what is taken and of what is given: the same type may look different in both.
struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
}

/// The document, as bytes.
pub(crate) fn bytes() -> Bytes {
    static BYTES: LazyLock<Bytes> = LazyLock::new(|| document().to_string().into());
    BYTES.clone()
}

/// The description of all operations of the API, as an OpenAPI document.
pub fn document() -> Value {
    let mut schemas = Schemas {
        taken: generator(Contract::Deserialize),
        given: generator(Contract::Serialize),
    };
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in crate::api::operations() {
        let methods = paths.entry(operation.path).or_default();
        let method = operation.method.as_str().to_lowercase();
        methods.insert(method, describe(&operation, &mut schemas));
    }
    schemas.given.subschema_for::<ProblemDocument>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cygni",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": env!("CARGO_PKG_LICENSE"), "identifier": env!("CARGO_PKG_LICENSE") },
        },
        "servers": [{ "url": "/api/v1" }],
        "security": [{ "token": [] }],
        "tags": tags(),
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": TOKEN } },
            "headers": { "request-id": {
                "description": "The request's id, as the log of the server has it.",
                "schema": { "type": "string" },
            } },
            "schemas": schemas.finish(),
        },
        "x-problems": KNOWN.iter().map(|Known { code, status, when }| {
            json!({ "code": code, "status": status, "when": when })
        }).collect::<Vec<_>>(),
    })
}

fn generator(contract: Contract) -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
        settings.contract = contract;
    });
    settings.into_generator()
}

impl Schemas {
    fn finish(mut self) -> Map<String, Value> {
        let mut all = self.given.take_definitions(true);
        for (name, taken) in self.taken.take_definitions(true) {
            let given = all.entry(name.clone()).or_insert_with(|| taken.clone());
            assert!(
                *given == taken,
                "`{name}` is given in another form than it is taken; give the two forms two names"
            );
        }
        for (name, schema) in &mut all {
            bound_numbers(schema);
            if let Some(example) = examples::of(name) {
                schema["examples"] = json!([example]);
            }
        }
        all
    }
}

fn tags() -> Value {
    let tag = |(name, description): (&str, &str)| json!({ "name": name, "description": description });
    let tags = [
        ("server", "The server itself."),
        (
            "projects",
            "Codebases with settings, and the files that they have sent.",
        ),
        ("forges", "Where changes of repositories come from."),
        ("webhooks", "Where forges deliver to."),
        (
            "repositories",
            "Repositories that projects belong to, and what is followed of them.",
        ),
        ("changes", "Pull requests and branches that are followed."),
        ("deliveries", "What forges have told."),
        ("deployments", "Attempts to serve one state of a project's files."),
        ("previews", "Long-lived environments with a stable address each."),
        ("namespaces", "The previews that belong to one change."),
        ("variables", "Variables and secrets of projects and namespaces."),
        ("events", "What happens."),
    ];
    tags.map(tag).into_iter().collect()
}

fn describe(operation: &Operation, schemas: &mut Schemas) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.noun()],
        "summary": operation.summary,
        "parameters": parameters(operation, schemas),
        "responses": responses(operation, schemas),
    });
    if !operation.details.is_empty() {
        described["description"] = operation.details.into();
    }
    if operation.open {
        described["security"] = json!([]);
    }
    if let Some(body) = &operation.body {
        described["requestBody"] = request_body(body, schemas);
    }
    described
}

fn parameters(operation: &Operation, schemas: &mut Schemas) -> Vec<Value> {
    let mut parameters: Vec<Value> = operation.parts().map(|name| part(name, schemas)).collect();
    if let Some(shape) = operation.query {
        parameters.extend(query(shape(&mut schemas.taken).to_value()));
    }
    if operation.resumes {
        parameters.push(json!({
            "name": "Last-Event-ID",
            "in": "header",
            "description": "Goes on after the event with this id; anything else is passed over.",
            "schema": { "type": "string" },
        }));
    }
    parameters
}

/// A variable part of a path, by its name.
fn part(name: &str, schemas: &mut Schemas) -> Value {
    fn of<T: JsonSchema>(schemas: &mut Schemas) -> Value {
        schemas.taken.subschema_for::<T>().to_value()
    }
    let (schema, says) = match name {
        "project" => (of::<ProjectName>(schemas), "The name of a project."),
        "namespace" => (of::<NamespaceName>(schemas), "The name of a namespace."),
        "preview" => (of::<PreviewId>(schemas), "The id of a preview."),
        "subscriber" => (of::<SubscriberId>(schemas), "The id of a subscriber."),
        "forge" => {
            let text = json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,39}$" });
            (text, "The name that a forge has here.")
        }
        "digest" => (of::<Digest>(schemas), "The SHA-256 of the bytes."),
        "deployment" => {
            let text = json!({ "type": "string", "minLength": 1 });
            (
                text,
                "The id of a deployment, or a beginning of it that no other has.",
            )
        }
        _ => panic!("`{name}` is not a part of a path that is described"),
    };
    json!({ "name": name, "in": "path", "required": true, "description": says, "schema": schema })
}

/// The fields of an object, as parameters.
fn query(object: Value) -> Vec<Value> {
    let required = object["required"].as_array().cloned().unwrap_or_default();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema
            .as_object_mut()
            .and_then(|schema| schema.remove("description"));
        let schema = without_null(schema);
        json!({
            "name": name,
            "in": "query",
            "required": required.contains(&json!(name)),
            "description": description.unwrap_or_default(),
            "schema": schema,
        })
    };
    object["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(parameter)
        .collect()
}

/// A parameter is given or not; it is never null.
fn without_null(mut schema: Value) -> Value {
    if let Some(choices) = schema["anyOf"].as_array() {
        let mut others = choices.iter().filter(|choice| choice["type"] != "null");
        if let (Some(only), None) = (others.next(), others.next()) {
            return only.clone();
        }
    }
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned();
        schema["type"] = kind.unwrap_or_default();
    }
    if let Some(object) = schema.as_object_mut() {
        object.retain(|name, value| name != "default" || !value.is_null());
    }
    bound_numbers(&mut schema);
    schema
}

fn request_body(body: &Body, schemas: &mut Schemas) -> Value {
    let mut media = match &body.content {
        Content::Json(shape) | Content::Events(shape) => json!({ "schema": shape(&mut schemas.taken) }),
        Content::Bytes => json!({ "schema": { "type": "string", "format": "binary" } }),
    };
    if let Some(example) = &body.example {
        media["example"] = example.clone();
    }
    json!({
        "required": true,
        "description": format!("At most {} bytes.", body.bytes_max),
        "content": { media_type(&body.content): media },
    })
}

fn media_type(content: &Content) -> &'static str {
    match content {
        Content::Json(_) => "application/json",
        Content::Bytes => "application/octet-stream",
        Content::Events(_) => "text/event-stream",
    }
}

fn responses(operation: &Operation, schemas: &mut Schemas) -> Map<String, Value> {
    let mut responses = Map::new();
    for Answer {
        status,
        says,
        content,
        leads,
    } in &operation.answers
    {
        let media = match content {
            Content::Json(shape) => json!({ "schema": shape(&mut schemas.given) }),
            Content::Bytes => json!({ "schema": { "type": "string", "format": "binary" } }),
            Content::Events(shape) => json!({ "schema": event(shape(&mut schemas.given).to_value()) }),
        };
        let response = responses
            .entry(status.as_str())
            .or_insert_with(|| json!({ "description": says, "headers": request_id(), "content": {} }));
        response["content"][media_type(content)] = media;
        if !leads.is_empty() {
            response["links"] = leads.iter().map(link).collect::<Map<_, _>>().into();
        }
    }
    let mut by_status: BTreeMap<u16, Vec<&Known>> = BTreeMap::new();
    for code in codes(operation) {
        let known = problems::of(code).unwrap_or_else(|| panic!("`{code}` is not a known problem"));
        by_status.entry(known.status).or_default().push(known);
    }
    for (status, known) in by_status {
        responses.insert(status.to_string(), refusal(status, &known));
    }
    responses
}

/// What can be asked about what was answered.
fn link(lead: &Lead) -> (String, Value) {
    let part = |(name, field): &(&str, &str)| ((*name).to_owned(), format!("$response.body#/{field}").into());
    let parameters: Map<String, Value> = lead.parts.iter().map(part).collect();
    (
        lead.to.to_owned(),
        json!({ "operationId": lead.to, "parameters": parameters }),
    )
}

/// One server-sent event; before OpenAPI 3.2 a stream is described by what comes in it.
fn event(data: Value) -> Value {
    json!({
        "type": "object",
        "description": "One event of the stream.",
        "properties": {
            "id": { "type": "string" },
            "event": { "enum": ["message", "end"] },
            "data": {
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": { "anyOf": [data, { "type": "object", "maxProperties": 0, "description": "Of `end`." }] },
            },
        },
        "required": ["data"],
    })
}

/// All codes that an operation can answer with.
fn codes(operation: &Operation) -> Vec<&'static str> {
    let json = matches!(
        &operation.body,
        Some(Body {
            content: Content::Json(_),
            ..
        })
    );
    let groups = [
        (true, OF_ALL),
        (!operation.open, OF_GUARDED),
        (operation.parts().next().is_some(), OF_PATH),
        (operation.query.is_some(), OF_QUERY),
        (json, OF_JSON),
        (true, operation.problems.as_slice()),
    ];
    let codes = groups
        .into_iter()
        .filter(|(has, _)| *has)
        .flat_map(|(_, codes)| codes);
    codes.copied().collect()
}

fn refusal(status: u16, known: &[&Known]) -> Value {
    let codes: Vec<&str> = known.iter().map(|known| known.code).collect();
    let lines: Vec<String> = known
        .iter()
        .map(|Known { code, when, .. }| format!("`{code}`: {when}"))
        .collect();
    let mut headers = request_id();
    // Who signs is told by no header how to.
    let of_signatures = |known: &&&Known| matches!(known.code, "delivery_unsigned" | "wrong_signature");
    if status == 401 && known.iter().filter(of_signatures).count() == 0 {
        headers["www-authenticate"] = json!({ "required": true, "schema": { "const": "Bearer" } });
    }
    json!({
        "description": lines.join("\n\n"),
        "headers": headers,
        "content": { MEDIA_TYPE: { "schema": {
            "allOf": [{ "$ref": "#/components/schemas/Problem" }],
            "properties": { "status": { "const": status }, "code": { "enum": codes } },
        } } },
    })
}

fn request_id() -> Value {
    json!({ "x-request-id": { "$ref": "#/components/headers/request-id" } })
}

/// Says of every whole number how large it may be, for readers who do not know formats.
fn bound_numbers(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let range = match object.get("format").and_then(Value::as_str) {
                Some("uint16") => Some((0, u64::from(u16::MAX))),
                Some("uint32") => Some((0, u64::from(u32::MAX))),
                Some("uint64") => Some((0, u64::MAX)),
                Some("int64") => Some((i64::MIN, i64::MAX as u64)),
                _ => None,
            };
            if let Some((least, most)) = range {
                object.entry("minimum").or_insert_with(|| least.into());
                object.entry("maximum").or_insert_with(|| most.into());
            }
            object.values_mut().for_each(bound_numbers);
        }
        Value::Array(values) => values.iter_mut().for_each(bound_numbers),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_says_what_it_is_and_has_an_id_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for operation in crate::api::operations() {
            assert!(operation.summary.ends_with('.'), "{}", operation.id);
            assert!(!operation.answers.is_empty(), "{}", operation.id);
            assert!(ids.insert(operation.id), "{} is there twice", operation.id);
        }
    }

    #[test]
    fn links_give_what_the_other_operation_takes() {
        let operations = crate::api::operations();
        for lead in operations
            .iter()
            .flat_map(|operation| &operation.answers)
            .flat_map(|answer| &answer.leads)
        {
            let to = operations
                .iter()
                .find(|operation| operation.id == lead.to)
                .unwrap();
            let given: Vec<&str> = lead.parts.iter().map(|(part, _)| *part).collect();
            assert_eq!(to.parts().collect::<Vec<_>>(), given, "{}", lead.to);
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(values) => values.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 50);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn codes_are_known_once() {
        let codes: std::collections::BTreeSet<_> = KNOWN.iter().map(|known| known.code).collect();
        assert_eq!(codes.len(), KNOWN.len());
        assert!(KNOWN.is_sorted_by_key(|known| known.status));
    }
}
