//! Python projects: each manager, each framework, each server.

use model::failure::Code;

use super::{Texts, check, plan};

const PIP: &str = "uv venv --seed --clear .venv && uv pip install --python .venv -r requirements.txt";

/// `+uvicorn` stands for a server that the install adds.
fn checked(files: Texts, expected: &str) {
    check(files, &expected.replace("PIP", PIP));
}

#[test]
fn applications_are_served_by_what_the_project_brings() {
    let flask = "from flask import Flask\napp = Flask(__name__)\n";
    checked(
        &[("requirements.txt", "Flask==3\ngunicorn"), ("app.py", flask)],
        "flask | PIP | - | gunicorn --bind 0.0.0.0:$PORT app:app",
    );
    checked(
        &[
            ("requirements.txt", "flask\nwaitress"),
            ("wsgi.py", "from app import app\n"),
            ("site/__init__.py", ""),
        ],
        "flask | PIP | - | waitress-serve --listen=0.0.0.0:$PORT wsgi:app",
    );
    checked(
        &[
            ("requirements.txt", "flask"),
            ("web/__init__.py", "def create_app():\n"),
            ("app.py", "print(1)"),
        ],
        "flask | PIP | - | flask --app web run --host 0.0.0.0 --port $PORT",
    );
    checked(
        &[
            ("requirements.txt", "flask\ngunicorn"),
            ("web/__init__.py", "x = 1\ndef create_app():\n"),
        ],
        "flask | PIP | - | gunicorn --bind 0.0.0.0:$PORT 'web:create_app()'",
    );
    let fastapi = "import fastapi\napi = fastapi.FastAPI()\n";
    checked(
        &[("requirements.txt", "fastapi[standard]"), ("main.py", fastapi)],
        "fastapi | PIP | - | uvicorn --host 0.0.0.0 --port $PORT main:api",
    );
    checked(
        &[("requirements.txt", "fastapi"), ("main.py", fastapi)],
        "fastapi | PIP && uv pip install --python .venv uvicorn | - | uvicorn --host 0.0.0.0 --port $PORT main:api",
    );
    checked(
        &[
            ("requirements.txt", "starlette\nhypercorn"),
            ("asgi.py", "app = Starlette(routes=[])"),
        ],
        "starlette | PIP | - | hypercorn --bind 0.0.0.0:$PORT asgi:app",
    );
}

#[test]
fn modules_are_named_as_python_imports_them() {
    let fastapi = "from fastapi import FastAPI\napp = FastAPI()\n";
    let table: [(&str, &str, &str, Option<&str>); 5] = [
        ("src/main.py", fastapi, "main:app", Some("src")),
        (
            "app/main.py",
            "from app.db import x\nfrom fastapi import FastAPI\napp = FastAPI()\n",
            "app.main:app",
            None,
        ),
        (
            "app/main.py",
            "from .db import x\nfrom fastapi import FastAPI\napp = FastAPI()\n",
            "app.main:app",
            None,
        ),
        ("app/main.py", fastapi, "main:app", Some("app")),
        ("shop/__init__.py", fastapi, "shop:app", None),
    ];
    for (path, text, module, python_path) in table {
        let files = [("requirements.txt", "fastapi\nuvicorn"), (path, text)];
        checked(
            &files,
            &format!("fastapi | PIP | - | uvicorn --host 0.0.0.0 --port $PORT {module}"),
        );
        let plan = plan(&files).unwrap();
        assert_eq!(
            plan.variables.get("PYTHONPATH").map(String::as_str),
            python_path,
            "{path}"
        );
    }
}

#[test]
fn every_manager_installs_with_its_lock() {
    let project =
        "[project]\nname = \"a\"\nrequires-python = \">=3.11\"\ndependencies = [\"flask\", \"gunicorn\"]\n";
    let packaged = format!("{project}[build-system]\nrequires = [\"hatchling\"]\n");
    let local = format!("{project}[tool.uv.sources]\nlib = {{ path = \"lib\" }}\n");
    let poetry = "[tool.poetry]\nname = \"a\"\n[tool.poetry.dependencies]\npython = \"^3.10\"\nflask = \"*\"\ngunicorn = \"*\"\n";
    let app = ("app.py", "app = Flask(__name__)");
    let start = "gunicorn --bind 0.0.0.0:$PORT app:app";
    let table: [(Texts, &str); 8] = [
        (
            &[("pyproject.toml", project), ("uv.lock", ""), app],
            "flask | uv sync --locked --no-dev --no-install-project | - | START",
        ),
        (
            &[("pyproject.toml", project), app],
            "flask | uv sync --no-dev --no-install-project | - | START",
        ),
        (
            &[("pyproject.toml", &packaged), ("uv.lock", ""), app],
            "flask | uv sync --locked --no-dev --no-install-project | uv sync --no-dev --inexact | START",
        ),
        (
            &[("pyproject.toml", &local), ("uv.lock", ""), app],
            "flask | uv sync --no-dev | - | START",
        ),
        (
            &[("pyproject.toml", poetry), ("poetry.lock", ""), app],
            "flask | uv tool run poetry install --only main --no-root --no-interaction | - | START",
        ),
        (
            &[
                ("Pipfile", "[packages]\nflask = \"*\"\ngunicorn = \"*\"\n"),
                ("Pipfile.lock", "{}"),
                app,
            ],
            "flask | uv tool run pipenv sync | - | START",
        ),
        (
            &[("setup.py", ""), ("app.py", "serve()")],
            "python | uv venv --seed --clear .venv && uv pip install --python .venv . | - | python app.py",
        ),
        (
            &[("main.py", "serve()")],
            "python-script | - | - | python main.py",
        ),
    ];
    for (files, expected) in table {
        check(files, &expected.replace("START", start));
    }
}

#[test]
fn django_says_how_in_its_settings() {
    let manage = (
        "manage.py",
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')",
    );
    let settings =
        "INSTALLED_APPS = ['django.contrib.staticfiles']\nWSGI_APPLICATION = 'shop.wsgi.application'\n";
    checked(
        &[
            manage,
            ("requirements.txt", "django\ngunicorn"),
            ("shop/settings.py", settings),
        ],
        "django | PIP | - | gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application",
    );
    checked(
        &[
            manage,
            ("requirements.txt", "django"),
            ("shop/settings.py", settings),
        ],
        "django | PIP | - | python manage.py runserver --noreload --insecure 0.0.0.0:$PORT",
    );
    let filed =
        format!("{settings}STATIC_ROOT = BASE_DIR / 'static'\nENGINE = 'django.db.backends.sqlite3'\n");
    checked(
        &[
            manage,
            ("requirements.txt", "django\ngunicorn"),
            ("shop/settings/base.py", &filed),
        ],
        "django | PIP | python manage.py collectstatic --noinput | python manage.py migrate --noinput && \
         exec gunicorn --bind 0.0.0.0:$PORT shop.wsgi:application",
    );
    let asgi = "ASGI_APPLICATION = 'shop.asgi.application'\nWSGI_APPLICATION = 'shop.wsgi.application'\n";
    checked(
        &[
            manage,
            ("requirements.txt", "django\ndaphne\ngunicorn"),
            ("shop/settings.py", asgi),
        ],
        "django | PIP | - | daphne --bind 0.0.0.0 --port $PORT shop.asgi:application",
    );
    checked(
        &[
            manage,
            ("requirements.txt", "django\nuvicorn"),
            ("shop/settings.py", ""),
            ("shop/asgi.py", ""),
        ],
        "django | PIP | - | uvicorn --host 0.0.0.0 --port $PORT shop.asgi:application",
    );
    let styles = r#"{"scripts": {"build": "tailwindcss -o static/a.css"}}"#;
    let plan = plan(&[manage, ("requirements.txt", "django"), ("package.json", styles)]).unwrap();
    assert_eq!(plan.framework, "django");
}

#[test]
fn commands_given_win() {
    let files = [("requirements.txt", "flask"), ("app.py", "app = Flask(__name__)")];
    let with = |name: &'static str, text: &'static str| [files[0], files[1], (name, text)];
    checked(
        &with("Procfile", "web: poetry run gunicorn a:b"),
        "flask | PIP | - | gunicorn a:b",
    );
    checked(
        &with(
            "cx.toml",
            "[build]\ninstall = \"pip install x\"\n[run]\ncommand = \"serve\"",
        ),
        "flask | pip install x | - | serve",
    );
    let uv = plan(&with("Procfile", "web: uv run gunicorn a:b")).unwrap();
    assert!(!uv.toolchains[1].only_builds, "it runs uv");
}

#[test]
fn interpreters_are_asked_for() {
    let project = "[project]\nname = \"a\"\nrequires-python = \">=3.11,<4\"\n";
    let table: [(Texts, &str, &str); 5] = [
        (
            &[("pyproject.toml", project)],
            ">=3.11 <4",
            "pyproject.toml asks for Python >=3.11,<4",
        ),
        (
            &[("pyproject.toml", project), (".python-version", "3.12.4\n")],
            "3.12.x",
            ".python-version asks for Python 3.12.4",
        ),
        (
            &[("runtime.txt", "python-3.11.9")],
            "3.11.x",
            "runtime.txt asks for python-3.11.9",
        ),
        (
            &[("Pipfile", "[requires]\npython_version = \"3.10\"\n")],
            "3.10.x",
            "the Pipfile asks for it",
        ),
        (&[], "*", "nothing asks for a version of Python"),
    ];
    for (files, range, reason) in table {
        let all: Vec<(&str, &str)> = files.iter().copied().chain([("main.py", "")]).collect();
        let plan = plan(&all).unwrap();
        assert_eq!(
            (
                plan.toolchains[0].name.as_str(),
                plan.toolchains[0].version.as_str()
            ),
            ("python", range)
        );
        assert_eq!(plan.reasons["toolchains"], reason);
    }
}

#[test]
fn what_says_too_little_is_told() {
    let failure = plan(&[("pyproject.toml", "[project\n")]).unwrap_err();
    assert_eq!(failure.code, Code::InvalidManifest);
    assert!(
        failure.message.starts_with("pyproject.toml:1:"),
        "{}",
        failure.message
    );
    check(
        &[("requirements.txt", "mkdocs"), ("index.html", "")],
        "python | PIP | - | static:".replace("PIP", PIP).as_str(),
    );
}
