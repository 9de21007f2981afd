//! Django: which settings a project has and what follows from them, read from their text.
//!
//! Guards against a start that needs what the project does not have. Settings may lie in several files; all of them are
//! looked at, and none is run.

use model::Failure;

use super::requirements::Requirements;
use super::serve::command_for;
use crate::plan::rules::Interface;
use crate::plan::view::View;

/// The commands that serve the project, and why; `None` without a manage.py.
pub(super) fn start(
    view: &View<'_>,
    requirements: &Requirements,
) -> Result<Option<(String, String)>, Failure> {
    if !view.has("manage.py") {
        return Ok(None);
    }
    let settings = settings(view)?;
    let place = |key: &str, file: &str| {
        let said = quoted(&settings, key);
        let dotted = said.and_then(|path| path.rsplit_once('.'));
        let found = || {
            let beside = view.files(|path| path.split_once('/').is_some_and(|(_, name)| name == file));
            let module = beside.first()?.trim_end_matches(".py").replace('/', ".");
            Some((module, "application".to_owned()))
        };
        dotted
            .map(|(module, name)| (module.to_owned(), name.to_owned()))
            .or_else(found)
            .map(|(module, name)| format!("{module}:{name}"))
    };
    let asgi = place("ASGI_APPLICATION", "asgi.py").filter(|_| settings.contains("ASGI_APPLICATION"));
    let wsgi = place("WSGI_APPLICATION", "wsgi.py");
    let by = |interface, place: &Option<String>| {
        let place = place.as_deref()?;
        command_for(interface, requirements, place)
    };
    let served = by(Interface::Asgi, &asgi)
        .or_else(|| by(Interface::Wsgi, &wsgi))
        .or_else(|| by(Interface::Asgi, &place("ASGI_APPLICATION", "asgi.py")));
    let (server, mut reason) = match served {
        Some(command) => (
            command,
            "manage.py is there, and the project brings a server".to_owned(),
        ),
        None => {
            // It serves static files outside of debugging too when told so.
            let insecure = settings.contains("django.contrib.staticfiles");
            let flag = if insecure { " --insecure" } else { "" };
            let command = format!("python manage.py runserver --noreload{flag} 0.0.0.0:$PORT");
            (
                command,
                "manage.py is there, and the project brings no server".to_owned(),
            )
        }
    };
    if !settings.contains("sqlite3") {
        return Ok(Some((server, reason)));
    }
    reason.push_str("; its database is a file, so migrations run first");
    Ok(Some((
        format!("python manage.py migrate --noinput && exec {server}"),
        reason,
    )))
}

/// Why static files have to be collected; `None` where no directory for them is configured.
pub(super) fn collects(view: &View<'_>) -> Result<Option<String>, Failure> {
    let settings = settings(view)?;
    let set = settings.lines().any(|line| line.starts_with("STATIC_ROOT"));
    let there = view.has("manage.py") && set && settings.contains("django.contrib.staticfiles");
    Ok(there.then(|| "the settings name a STATIC_ROOT".to_owned()))
}

/// The texts of all settings, without what is commented out.
fn settings(view: &View<'_>) -> Result<String, Failure> {
    let mut all = String::new();
    for path in view
        .files(|path| path.ends_with("settings.py") || path.contains("settings/") && path.ends_with(".py"))
    {
        let text = view.text(&path)?.unwrap_or_default();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            all.push_str(line);
            all.push('\n');
        }
    }
    Ok(all)
}

/// The text that `key` is set to on a line of its own.
fn quoted<'t>(text: &'t str, key: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let value = line
            .strip_prefix(key)?
            .trim_start()
            .strip_prefix('=')?
            .trim_start();
        let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        value[1..].split(quote).next()
    })
}
