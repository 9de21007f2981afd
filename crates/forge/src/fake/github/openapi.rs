//! GitHub's own description of its API: what a call may look like, what an answer must look like, and an example of each
//! to begin with. So neither our calls nor the fake's answers are only what we think.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use boon::{Compiler, Draft, SchemaIndex, Schemas};
use serde_json::{Map, Value, json};

/// Where `scripts/prepare test` puts it.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/tools/github/api.json");
const NAME: &str = "http://localhost/api.json";
/// Statuses that any call can be answered with, whether they are described for it or not.
const ANYWHERE: [u16; 8] = [301, 304, 307, 401, 403, 404, 422, 429];

/// What GitHub answers `null` for without saying so: a copy that has been deleted.
const UNSAID_NULLS: [&str; 2] = [
    "/components/schemas/pull-request/properties/head/properties/repo",
    "/components/schemas/pull-request-simple/properties/head/properties/repo",
];

pub(super) struct Spec {
    document: Value,
    schemas: Schemas,
    /// By the place of the schema in the document.
    known: HashMap<String, SchemaIndex>,
}

/// The operations that the fake has; loaded once, since it is long.
pub(super) fn spec() -> &'static Spec {
    static SPEC: OnceLock<Spec> = OnceLock::new();
    SPEC.get_or_init(|| Spec::load(Path::new(FILE)))
}

impl Spec {
    fn load(file: &Path) -> Self {
        let text = std::fs::read(file)
            .unwrap_or_else(|error| panic!("{FILE}: {error}; `scripts/prepare test` fetches it"));
        let whole: Value = serde_json::from_slice(&text).expect("a description of an API");
        let mut document = subset(&whole);
        without_nullable(&mut document);
        for place in UNSAID_NULLS {
            or_null(document.pointer_mut(place).expect("a schema"));
        }
        let mut compiler = Compiler::new();
        compiler.set_default_draft(Draft::V4);
        compiler.enable_format_assertions();
        compiler
            .add_resource(NAME, document.clone())
            .expect("its name is an address");
        let mut spec = Self {
            document,
            schemas: Schemas::new(),
            known: HashMap::new(),
        };
        for pointer in spec.schemas_of_operations() {
            let index = compiler.compile(&address(&pointer), &mut spec.schemas);
            let index = index.unwrap_or_else(|error| panic!("{pointer}: {error:#}"));
            spec.known.insert(pointer, index);
        }
        spec
    }

    /// Where the schemas of all bodies are, of calls and of answers.
    fn schemas_of_operations(&self) -> BTreeSet<String> {
        let mut pointers = BTreeSet::new();
        for route in super::routes::ROUTES {
            let (method, template) = (route.method, route.template);
            pointers.insert(body_of_call(method, template));
            let responses = &self.document["paths"][template][method]["responses"];
            for status in responses.as_object().into_iter().flat_map(Map::keys) {
                pointers.insert(self.body_of_answer((method, template), status));
            }
        }
        pointers.retain(|pointer| self.document.pointer(pointer).is_some());
        pointers
    }

    fn body_of_answer(&self, (method, template): (&str, &str), status: &str) -> String {
        let described = &self.document["paths"][template][method]["responses"][status];
        let place = match described["$ref"].as_str() {
            Some(reference) => reference.trim_start_matches('#').to_owned(),
            None => format!("/paths/{}/{method}/responses/{status}", escaped(template)),
        };
        format!("{place}/content/application~1json/schema")
    }

    /// GitHub's first example of a successful answer in JSON.
    pub(super) fn example(&self, method: &str, template: &str) -> Value {
        let operation = &self.document["paths"][template][method];
        let answers = operation["responses"]
            .as_object()
            .expect("an operation has answers");
        let good = answers.iter().find(|(status, _)| status.starts_with('2'));
        let (_, answer) = good.expect("one of them is good");
        let examples = &self.resolved(answer)["content"]["application/json"]["examples"];
        let example = examples.as_object().and_then(|examples| examples.values().next());
        let example = example.unwrap_or_else(|| panic!("no example of {method} {template}"));
        self.resolved(example)["value"].clone()
    }

    /// What is wrong with a call: a parameter that is not described, or a body that does not fit.
    pub(super) fn check_call(
        &self,
        (method, template): (&str, &str),
        query: &BTreeMap<String, String>,
        body: Option<&Value>,
    ) -> Vec<String> {
        let operation = &self.document["paths"][template][method];
        let mut wrong = self.check_query(operation, query);
        let described = &operation["requestBody"]["content"]["application/json"]["schema"];
        match body {
            Some(body) if described.is_object() => {
                wrong.extend(self.fits(&body_of_call(method, template), body));
                wrong.extend(self.unknown(described, body));
            }
            Some(_) => wrong.push("no body is described".to_owned()),
            None if operation["requestBody"]["required"] == true => {
                wrong.push("the body is missing".to_owned())
            }
            None => {}
        }
        wrong
    }

    /// What is wrong with an answer.
    pub(super) fn check_answer(
        &self,
        (method, template): (&str, &str),
        status: u16,
        body: Option<&Value>,
    ) -> Vec<String> {
        let responses = &self.document["paths"][template][method]["responses"];
        let text = status.to_string();
        let Some(described) = responses.get(&text) else {
            return match ANYWHERE.contains(&status) {
                true => Vec::new(),
                false => vec![format!("the status {status} is not described")],
            };
        };
        let described = self.resolved(described);
        let schema = &described["content"]["application/json"]["schema"];
        match body {
            Some(body) if schema.is_object() => {
                self.fits(&self.body_of_answer((method, template), &text), body)
            }
            None if schema.is_object() && status < 300 => vec!["the body is missing".to_owned()],
            Some(_) if described["content"].is_null() && status < 300 => {
                vec!["no body is described".to_owned()]
            }
            _ => Vec::new(),
        }
    }

    fn check_query(&self, operation: &Value, query: &BTreeMap<String, String>) -> Vec<String> {
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .filter(|parameter| parameter["in"] == "query")
            .collect();
        let mut wrong = Vec::new();
        for (name, value) in query {
            let Some(parameter) = parameters.iter().find(|p| p["name"] == name.as_str()) else {
                wrong.push(format!("the parameter `{name}` is not described"));
                continue;
            };
            let schema = &parameter["schema"];
            let is_number = schema["type"] != "integer" || value.parse::<i64>().is_ok();
            let choices = schema["enum"].as_array();
            let is_choice =
                choices.is_none_or(|choices| choices.iter().any(|choice| choice == value.as_str()));
            if !is_number || !is_choice {
                wrong.push(format!("the parameter `{name}` cannot be `{value}`"));
            }
        }
        wrong
    }

    /// Members of a body that its description does not name: most likely mistyped.
    fn unknown(&self, schema: &Value, body: &Value) -> Vec<String> {
        let named = |schema: &Value| -> Vec<String> {
            let properties = self.resolved(schema)["properties"].as_object();
            properties.into_iter().flat_map(|p| p.keys().cloned()).collect()
        };
        let mut names = named(schema);
        for choice in ["oneOf", "anyOf", "allOf"] {
            names.extend(schema[choice].as_array().into_iter().flatten().flat_map(named));
        }
        let members = body.as_object().into_iter().flat_map(Map::keys);
        members
            .filter(|member| !names.is_empty() && !names.contains(member))
            .map(|member| format!("the body's `{member}` is not described"))
            .collect()
    }

    fn fits(&self, pointer: &str, value: &Value) -> Vec<String> {
        let Some(&index) = self.known.get(pointer) else {
            return vec![format!("no schema at {pointer}")];
        };
        match self.schemas.validate(value, index) {
            Ok(()) => Vec::new(),
            Err(error) => vec![format!("{error:#}")],
        }
    }

    fn resolved<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value["$ref"].as_str() {
            let pointer = reference.trim_start_matches('#');
            value = self
                .document
                .pointer(pointer)
                .expect("a reference leads somewhere");
        }
        value
    }
}

/// The described operations of the fake, and what they refer to.
fn subset(whole: &Value) -> Value {
    let mut paths = Map::new();
    for template in super::routes::templates() {
        let path = whole["paths"].get(template);
        let path = path.unwrap_or_else(|| panic!("{template} is not described"));
        paths.insert(template.to_owned(), path.clone());
    }
    let paths = Value::Object(paths);
    let (mut waiting, mut seen) = (references(&paths), BTreeSet::new());
    let mut components: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    while let Some(reference) = waiting.pop() {
        if !seen.insert(reference.clone()) {
            continue;
        }
        let found = whole
            .pointer(reference.trim_start_matches('#'))
            .expect("a reference leads somewhere");
        waiting.extend(references(found));
        let mut parts = reference.trim_start_matches("#/components/").splitn(2, '/');
        if let (Some(kind), Some(name)) = (parts.next(), parts.next()) {
            let kind = components.entry(kind.to_owned()).or_default();
            kind.insert(name.to_owned(), found.clone());
        }
    }
    json!({ "paths": paths, "components": components })
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(object) => {
            let own = object.get("$ref").and_then(Value::as_str).map(str::to_owned);
            let inside = object.values().flat_map(references);
            own.into_iter().chain(inside).collect()
        }
        Value::Array(list) => list.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// OpenAPI 3.0 says `nullable` where JSON Schema says "or null".
fn without_nullable(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(without_nullable),
        Value::Object(object) => {
            object.values_mut().for_each(without_nullable);
            if object.remove("nullable") == Some(Value::Bool(true)) {
                or_null(value);
            }
        }
        _ => {}
    }
}

fn or_null(schema: &mut Value) {
    let whole = schema.take();
    *schema = json!({ "anyOf": [whole, { "type": "null" }] });
}

fn body_of_call(method: &str, template: &str) -> String {
    format!(
        "/paths/{}/{method}/requestBody/content/application~1json/schema",
        escaped(template)
    )
}

/// Where a schema is, as an address.
fn address(pointer: &str) -> String {
    format!("{NAME}#{}", pointer.replace('{', "%7B").replace('}', "%7D"))
}

/// A name as part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
