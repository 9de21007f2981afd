//! Finding the application object of a WSGI or ASGI project without running it: simple textual looks.
//!
//! Guards against guessing a module that is not there. A look that finds nothing is no error here: `python app.py` may
//! be meant, and cx.toml can say otherwise.

use model::Failure;

use crate::plan::project::Project;
use crate::plan::rules::Rule;
use crate::plan::view::join;

/// Modules that hold applications, in the order in which they are looked for.
const MODULES: [&str; 10] = [
    "main",
    "app",
    "wsgi",
    "asgi",
    "server",
    "application",
    "api",
    "index",
    "run",
    "__init__",
];
/// Directories of the root that hold them.
const DIRECTORIES: [&str; 5] = ["", "app", "src", "api", "backend"];
/// Functions that make an application.
const FACTORIES: [&str; 3] = ["create_app", "make_app", "get_app"];
/// Names under which modules offer an application that they import.
const NAMES: [&str; 2] = ["application", "app"];

/// The name that a text offers an application by, and whether it is a function that makes it.
type Look<'a> = &'a dyn Fn(&str) -> Option<(String, bool)>;

/// Where an application is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Application {
    /// The file, for the reason.
    pub(super) file: String,
    /// Dotted, as Python imports it.
    pub(super) module: String,
    pub(super) name: String,
    /// Whether `name` is a function that makes it.
    pub(super) factory: bool,
    /// The directory to import from; `""` is the root.
    pub(super) path: &'static str,
}

/// The application of a framework: an object that one of its constructors makes, else a function that does, else one
/// that a module named for it imports.
pub(super) fn find(project: &Project<'_>, rule: &Rule) -> Result<Option<Application>, Failure> {
    let candidates = candidates(project)?;
    let made = |text: &str| {
        let constructed = rule.application.iter().find_map(|maker| assigned(text, maker));
        constructed.map(|name| (name, false))
    };
    let factory = |text: &str| {
        let name = FACTORIES.iter().find(|name| {
            text.contains(&format!("\ndef {name}(")) || text.starts_with(&format!("def {name}("))
        });
        name.map(|name| ((*name).to_owned(), true))
    };
    let imported = |text: &str| {
        let name = NAMES.iter().find(|name| imports(text, name));
        name.map(|name| ((*name).to_owned(), false))
    };
    let looks: [Look<'_>; 3] = [&made, &factory, &imported];
    for look in looks {
        for (path, text) in &candidates {
            if let Some((name, factory)) = look(text) {
                return Ok(Some(place(project, path, text, (name, factory))));
            }
        }
    }
    Ok(None)
}

/// Files that may hold it, with their texts: the usual names, then the packages of the project.
fn candidates(project: &Project<'_>) -> Result<Vec<(String, String)>, Failure> {
    let mut all = Vec::new();
    for directory in DIRECTORIES {
        for module in MODULES {
            let path = join(directory, &format!("{module}.py"));
            if let Some(text) = project.view.text(&path)? {
                all.push((path, text));
            }
        }
    }
    let packages = |path: &str| path.ends_with("/__init__.py") && path.matches('/').count() <= 2;
    for path in project.view.files(packages) {
        let usual = all.iter().any(|(known, _)| *known == path);
        if !usual && let Some(text) = project.view.text(&path)? {
            all.push((path, text));
        }
    }
    Ok(all)
}

/// `app` of a line `app = Flask(__name__)` or `app: FastAPI = fastapi.FastAPI()` that is not indented.
fn assigned(text: &str, maker: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        let name = name.split(':').next()?.trim_end();
        let value = value.trim_start();
        let call = value.split('(').next().filter(|_| value.contains('('))?;
        let called = call.rsplit('.').next()?.trim();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        (is_name && called == maker).then(|| name.to_owned())
    })
}

/// Whether `text` imports or assigns `name` at its top level.
fn imports(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        let assigned = line
            .strip_prefix(name)
            .is_some_and(|rest| rest.trim_start().starts_with('='));
        let imported = line.starts_with("from ")
            && line.split_once(" import ").is_some_and(|(_, names)| {
                names.trim_matches(['(', ')']).split(',').any(|one| {
                    one.trim()
                        .rsplit(" as ")
                        .next()
                        .is_some_and(|last| last.trim() == name)
                })
            });
        assigned || imported
    })
}

fn place(project: &Project<'_>, file: &str, text: &str, (name, factory): (String, bool)) -> Application {
    let dotted = |path: &str| {
        path.trim_end_matches(".py")
            .trim_end_matches("/__init__")
            .replace('/', ".")
    };
    let top = file.split_once('/').map(|(top, _)| top);
    let source = DIRECTORIES.into_iter().find(|directory| Some(*directory) == top);
    // A directory that is no package, and whose files do not import each other through it, is where imports begin.
    let begins = source.filter(|directory| {
        let package = project.view.has(&format!("{directory}/__init__.py"));
        let through =
            text.contains(&format!("from {directory}.")) || text.contains(&format!("import {directory}."));
        let relative = text.contains("from .");
        !(package || through || relative && file.matches('/').count() == 1)
    });
    let (path, inside) = match begins {
        Some(directory) => (
            directory,
            file.strip_prefix(directory)
                .unwrap_or(file)
                .trim_start_matches('/'),
        ),
        None => ("", file),
    };
    Application {
        file: file.to_owned(),
        module: dotted(inside),
        name,
        factory,
        path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_of_applications_are_found() {
        let table = [
            ("app = Flask(__name__)", Some("app")),
            ("x = 1\nweb = flask.Flask('x')\n", Some("web")),
            ("app: Flask = Flask(__name__)", Some("app")),
            ("    app = Flask(__name__)", None),
            ("app = Flaskless()", None),
            ("app = Flask", None),
        ];
        for (text, expected) in table {
            assert_eq!(assigned(text, "Flask").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn imported_applications_are_found() {
        assert!(imports("from site import app as application\n", "application"));
        assert!(imports("from site import (db, app)", "app"));
        assert!(imports("application = middleware(app)", "application"));
        assert!(!imports("    from site import app", "app"));
        assert!(!imports("import app", "app"));
    }
}
