//! What a deployment is made of: digests of blobs that were sent before, or the files themselves.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use control::ops::{DeployRequest, InlineFile, LiveDirectory};
use control::view;
use data_encoding::BASE64;
use model::preview::Origin;
use model::tree::{ENTRIES_MAX, Entry, TreeError};
use model::{EnvironmentName, NamespaceName, ProjectName, Tree};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::previews::{TTL_PATTERN, time_to_live};
use crate::extract::Object;
use crate::problem::Problem;
use crate::service::Web;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["tree"] }, { "required": ["files"] }]))]
pub(super) struct NewDeployment {
    project: ProjectName,
    /// `main` when absent.
    #[serde(default = "NamespaceName::main")]
    namespace: NamespaceName,
    #[serde(default)]
    environment: EnvironmentName,
    /// How long the preview lives after its newest deployment, such as `7d`, or `never`.
    #[serde(default)]
    #[schemars(extend("pattern" = TTL_PATTERN))]
    ttl: Option<String>,
    /// For this deployment alone.
    #[serde(default)]
    variables: BTreeMap<String, String>,
    /// Pass by all caches.
    #[serde(default)]
    rebuild: bool,
    /// Where the files come from; told to people.
    #[serde(default)]
    #[schemars(with = "Option<Origin>")]
    origin: Option<Object<Origin>>,
    /// Digests of blobs that were sent before.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "Vec<Entry>", length(max = ENTRIES_MAX))]
    tree: Option<Vec<Entry>>,
    /// Contents, by path.
    #[serde(default, deserialize_with = "given")]
    #[schemars(with = "BTreeMap<String, File>")]
    files: Option<BTreeMap<String, File>>,
    /// How long the upload took, as measured by whoever sent it.
    #[serde(default)]
    #[schemars(with = "Option<Uploaded>")]
    uploaded: Option<Object<Uploaded>>,
    /// Run the development server over a directory of the server's machine; only from that machine.
    #[serde(default)]
    #[schemars(with = "Option<Live>")]
    live: Option<Object<Live>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Uploaded {
    #[serde(deserialize_with = "model::units::whole")]
    started_at_ms: i64,
    #[serde(deserialize_with = "model::units::whole")]
    millis: u64,
}

/// A directory of the server's machine, and the name of a file in it that was made just now.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Live {
    directory: String,
    proof: String,
}

/// A file sent inline: its text, or an object that says more.
#[derive(Debug, PartialEq, Eq)]
struct File {
    content: String,
    encoding: Encoding,
    executable: bool,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct FileObject {
    /// Its bytes, in the encoding.
    content: String,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    executable: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(rename = "FileEncoding")]
enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

impl NewDeployment {
    /// Stores inline files; gives the request for the operation.
    pub(super) async fn into_request(self, web: &Web) -> Result<DeployRequest, Problem> {
        let ttl = self.ttl.as_deref().map(time_to_live).transpose()?;
        let inline = self.files.is_some();
        let tree = match (self.tree, self.files) {
            (Some(entries), None) => Tree::new(entries).map_err(invalid_tree)?,
            (None, Some(files)) => web.control.put_inline(&self.project, decode(files)?).await?,
            (Some(_), Some(_)) => return Err(source("both `tree` and `files` are given")),
            (None, None) => return Err(source("neither `tree` nor `files` is given")),
        };
        let unnamed = if inline {
            Origin::Files
        } else {
            Origin::Directory { path: String::new() }
        };
        Ok(DeployRequest {
            project: self.project,
            namespace: self.namespace,
            environment: self.environment,
            tree,
            origin: self.origin.map_or(unnamed, |Object(origin)| origin),
            ttl,
            variables: self.variables,
            rebuild: self.rebuild,
            live: self.live.map(|Object(live)| LiveDirectory {
                path: live.directory,
                proof: live.proof,
            }),
            uploaded: self.uploaded.map(|Object(uploaded)| view::Phase {
                name: "upload".to_owned(),
                started_at_ms: uploaded.started_at_ms,
                millis: Some(uploaded.millis),
            }),
        })
    }
}

fn invalid_tree(error: TreeError) -> Problem {
    Problem::impossible("invalid_tree", error.to_string())
}

fn source(detail: &str) -> Problem {
    Problem::invalid("invalid_source", detail)
        .hint("Send `files` with the contents, or `tree` with digests of sent blobs.")
}

fn decode(files: BTreeMap<String, File>) -> Result<Vec<InlineFile>, Problem> {
    let decode = |(path, file): (String, File)| {
        let bytes = match file.encoding {
            Encoding::Utf8 => file.content.into_bytes(),
            Encoding::Base64 => BASE64.decode(file.content.as_bytes()).map_err(|error| {
                Problem::impossible(
                    "invalid_base64",
                    format!("the content of `{path}` is not base64: {error}"),
                )
                .hint("Use the standard alphabet with padding, and no line breaks.")
            })?,
        };
        Ok(InlineFile {
            path,
            bytes,
            executable: file.executable,
        })
    };
    files.into_iter().map(decode).collect()
}

/// A field that may be absent but not null.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl JsonSchema for File {
    fn schema_name() -> Cow<'static, str> {
        "InlineFile".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The text of a file, or an object that says more.",
            "anyOf": [{ "type": "string" }, generator.subschema_for::<FileObject>()],
        })
    }
}

impl<'de> Deserialize<'de> for File {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FileVisitor)
    }
}

struct FileVisitor;

impl<'de> Visitor<'de> for FileVisitor {
    type Value = File;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the text of the file, or an object with `content`, `encoding` and `executable`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<File, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, content: String) -> Result<File, E> {
        Ok(File {
            content,
            encoding: Encoding::Utf8,
            executable: false,
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<File, A::Error> {
        let object = FileObject::deserialize(MapAccessDeserializer::new(map))?;
        Ok(File {
            content: object.content,
            encoding: object.encoding,
            executable: object.executable,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_as_text_or_with_more_said() {
        let json = r#"{"a": "x", "b": {"content": "AAE=", "encoding": "base64", "executable": true}}"#;
        let files = decode(serde_json::from_str(json).unwrap()).unwrap();
        assert_eq!(
            (files[0].bytes.as_slice(), files[0].executable),
            (b"x".as_slice(), false)
        );
        assert_eq!(
            (files[1].bytes.as_slice(), files[1].executable),
            ([0, 1].as_slice(), true)
        );
    }

    #[test]
    fn wrong_files_are_named() {
        let text = |json: &str| {
            serde_json::from_str::<BTreeMap<String, File>>(json)
                .unwrap_err()
                .to_string()
        };
        assert!(
            text(r#"{"a": 1}"#).contains("the text of the file, or an object"),
            "{}",
            text(r#"{"a": 1}"#)
        );
        assert!(text(r#"{"a": {"contents": ""}}"#).contains("unknown field `contents`"));
        let broken = serde_json::from_str(r#"{"logo.png": {"content": "?", "encoding": "base64"}}"#).unwrap();
        assert!(
            decode(broken)
                .err()
                .unwrap()
                .detail
                .contains("`logo.png` is not base64")
        );
    }
}
