//! package.json, as far as detection needs it.
//!
//! Guards against a manifest that does not parse: the failure names line and column. It does *not* insist on types
//! where nothing depends on them: real manifests hold all sorts of things.

use model::Failure;
use model::failure::{Code, Location};
use serde_json::{Map, Value};

/// What a package.json says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    fields: Map<String, Value>,
}

/// Scripts that npm runs at install.
const INSTALL_HOOKS: [&str; 8] = [
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
    "dependencies",
];

const DEPENDENCIES: [&str; 4] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
];

impl Manifest {
    /// Reads the text of the manifest at `path`, a path of the source.
    pub(crate) fn parse(path: &str, text: &str) -> Result<Self, Failure> {
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(fields)) => Ok(Self { fields }),
            Ok(_) => {
                let message = format!("{path} is not a JSON object");
                Err(Failure::new(Code::InvalidManifest, message).location(Location::at(path, 1, 1)))
            }
            Err(error) => {
                let what = error.to_string();
                let what = what.split(" at line ").next().unwrap_or(&what);
                let message = format!("{path}:{}:{}: {what}", error.line(), error.column());
                let number = |number| u32::try_from(number).unwrap_or(u32::MAX);
                let place = Location::at(path, number(error.line()), number(error.column()));
                Err(Failure::new(Code::InvalidManifest, message).location(place))
            }
        }
    }

    /// Whether `name` is in dependencies or devDependencies.
    pub(crate) fn depends_on(&self, name: &str) -> bool {
        ["dependencies", "devDependencies"].iter().any(|table| {
            self.fields
                .get(*table)
                .and_then(Value::as_object)
                .is_some_and(|table| table.contains_key(name))
        })
    }

    /// Whether an install would do anything.
    pub(crate) fn needs_install(&self) -> bool {
        let filled = |name: &str| match self.fields.get(name) {
            Some(Value::Object(table)) => !table.is_empty(),
            _ => false,
        };
        DEPENDENCIES.iter().any(|name| filled(name))
            || self.fields.contains_key("workspaces")
            || self.install_hook().is_some()
    }

    /// The first script that npm runs at install.
    pub(crate) fn install_hook(&self) -> Option<&'static str> {
        INSTALL_HOOKS.into_iter().find(|name| self.script(name).is_some())
    }

    /// A dependency that lies in the source itself, such as `file:../lib`.
    pub(crate) fn local_dependency(&self) -> Option<&str> {
        let tables = DEPENDENCIES
            .iter()
            .filter_map(|name| self.fields.get(*name)?.as_object());
        tables.flatten().find_map(|(name, version)| {
            let version = version.as_str()?;
            let local = ["file:", "link:", "./", "../", "~/", "/"]
                .iter()
                .any(|prefix| version.starts_with(prefix));
            local.then_some(name.as_str())
        })
    }

    /// The script `name`, unless it is empty.
    pub(crate) fn script(&self, name: &str) -> Option<&str> {
        let script = self.fields.get("scripts")?.get(name)?.as_str()?.trim();
        (!script.is_empty()).then_some(script)
    }

    /// A top-level field that is a text.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .get(name)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    /// The version range in `engines`.
    pub(crate) fn engine(&self, name: &str) -> Option<&str> {
        self.fields
            .get("engines")?
            .get(name)?
            .as_str()
            .filter(|text| !text.trim().is_empty())
    }

    /// The exact version of `name` in `packageManager`, such as `10.2.0` of `npm@10.2.0+sha512.…`.
    pub(crate) fn package_manager(&self) -> Option<(&str, &str)> {
        let (name, version) = self.field("packageManager")?.split_once('@')?;
        Some((name.trim(), version.split('+').next().unwrap_or(version).trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_is_located() {
        let failure = Manifest::parse("web/package.json", "{\n  \"name\": oops\n}").unwrap_err();
        assert_eq!(failure.code, Code::InvalidManifest);
        assert_eq!(failure.message, "web/package.json:2:11: expected value");
        assert_eq!(failure.locations[0].line, Some(2));
        assert_eq!(
            Manifest::parse("package.json", "[]").unwrap_err().message,
            "package.json is not a JSON object"
        );
    }

    #[test]
    fn odd_types_do_not_matter() {
        let text =
            r#"{"scripts": {"start": 3, "build": " "}, "engines": [], "dependencies": "x", "main": null}"#;
        let manifest = Manifest::parse("package.json", text).unwrap();
        assert!(manifest.script("start").is_none() && manifest.script("build").is_none());
        assert!(manifest.engine("node").is_none() && manifest.field("main").is_none());
        assert!(!manifest.needs_install());
    }

    #[test]
    fn what_an_install_reads_is_seen() {
        let text = r#"{"scripts": {"postinstall": "x"}, "dependencies": {"a": "^1", "b": "file:../b"},
            "packageManager": "npm@10.2.0+sha512.abc"}"#;
        let manifest = Manifest::parse("package.json", text).unwrap();
        assert_eq!(manifest.install_hook(), Some("postinstall"));
        assert_eq!(manifest.local_dependency(), Some("b"));
        assert_eq!(manifest.package_manager(), Some(("npm", "10.2.0")));
    }
}
