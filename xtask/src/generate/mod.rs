//! The generated part of the reference. A test fails when what is committed is not what the code says.

mod api;
mod failures;
mod project_file;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::Value;

/// Every generated file with its content.
fn files(root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let schema = model::project_file::json_schema();
    let description = web::description();
    let pages = [
        ("cx.schema.json", pretty(&schema)?),
        ("cx-toml.md", project_file::page(&schema)),
        ("failures.md", failures::page()),
        ("commands.md", cx::reference::commands()),
        ("openapi.json", pretty(&description)?),
        ("api.md", api::page(&description)),
    ];
    let reference = root.join("docs/reference");
    Ok(pages
        .map(|(name, content)| (reference.join(name), content))
        .into())
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The text of a field, or nothing.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or("")
}

/// A schema in few words: `string`, `list of TreeEntry`, `preview, development or production`.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or(reference);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for choice in ["anyOf", "oneOf"] {
        if let Some(choices) = schema[choice].as_array() {
            let kinds: Vec<String> = choices.iter().map(kind).filter(|kind| kind != "null").collect();
            return kinds.join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("`{}`", value.as_str().unwrap_or("null")))
            .collect();
        return values.join(", ");
    }
    if let Some(value) = schema.get("const") {
        return format!(
            "`{}`",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        );
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .filter(|name| *name != "null")
            .collect(),
        name => name.as_str().into_iter().collect(),
    };
    match names.as_slice() {
        ["array"] => format!("list of {}", kind(&schema["items"])),
        ["integer"] => "whole number".to_owned(),
        ["object"] if schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        [] => "anything".to_owned(),
        names => names.join(" or "),
    }
}

/// A cell of a table: one line.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

/// Writes all of them.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    for (path, content) in files(root)? {
        let directory = path.parent().context("a generated file lies in a directory")?;
        fs::create_dir_all(directory)?;
        fs::write(&path, content).with_context(|| format!("{} could not be written", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_what_the_code_says() {
        for (path, content) in files(&crate::root()).unwrap() {
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                committed == content,
                "{} is stale; run `cargo xtask generate`",
                path.display()
            );
        }
    }

    #[test]
    fn schemas_are_told_in_few_words() {
        let table = [
            (
                r##"{"$ref": "#/components/schemas/Preview"}"##,
                "[Preview](#preview)",
            ),
            (r#"{"type": ["integer", "null"]}"#, "whole number"),
            (
                r#"{"type": "array", "items": {"type": "string"}}"#,
                "list of string",
            ),
            (
                r#"{"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}"#,
                "`a`, `b`",
            ),
        ];
        for (schema, words) in table {
            assert_eq!(kind(&serde_json::from_str(schema).unwrap()), words);
        }
    }
}
