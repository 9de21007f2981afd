//! Programs that serve a Python application, as a table.

use super::requirements::Requirements;
use crate::plan::rules::{Interface, Rule};

/// How a server is told that the name is of a function that makes the application.
#[derive(Clone, Copy)]
pub(super) enum Factory {
    /// A flag before it.
    Flag,
    /// As a call, in quotes.
    Call,
}

/// One server program.
pub(super) struct Server {
    /// The package that brings it.
    pub(super) package: &'static str,
    interfaces: &'static [Interface],
    /// The program and its arguments before the application.
    pub(super) command: &'static str,
    pub(super) factory: Factory,
}

/// In the order in which they are preferred.
const SERVERS: [Server; 7] = [
    Server {
        package: "gunicorn",
        interfaces: &[Interface::Wsgi],
        command: "gunicorn --bind 0.0.0.0:$PORT",
        factory: Factory::Call,
    },
    Server {
        package: "uvicorn",
        interfaces: &[Interface::Asgi],
        command: "uvicorn --host 0.0.0.0 --port $PORT",
        factory: Factory::Flag,
    },
    Server {
        package: "hypercorn",
        interfaces: &[Interface::Asgi, Interface::Wsgi],
        command: "hypercorn --bind 0.0.0.0:$PORT",
        factory: Factory::Call,
    },
    Server {
        package: "granian",
        interfaces: &[Interface::Asgi],
        command: "granian --interface asgi --host 0.0.0.0 --port $PORT",
        factory: Factory::Flag,
    },
    Server {
        package: "granian",
        interfaces: &[Interface::Wsgi],
        command: "granian --interface wsgi --host 0.0.0.0 --port $PORT",
        factory: Factory::Flag,
    },
    Server {
        package: "daphne",
        interfaces: &[Interface::Asgi],
        command: "daphne --bind 0.0.0.0 --port $PORT",
        factory: Factory::Call,
    },
    Server {
        package: "waitress",
        interfaces: &[Interface::Wsgi],
        command: "waitress-serve --listen=0.0.0.0:$PORT",
        factory: Factory::Call,
    },
];

/// The server that the project brings for applications of `interface`.
pub(super) fn of(interface: Interface, requirements: &Requirements) -> Option<&'static Server> {
    SERVERS
        .iter()
        .find(|server| server.interfaces.contains(&interface) && requirements.has(server.package))
}

/// The one that is used where the project brings none; WSGI applications have one for development within them.
pub(super) fn default(interface: Interface) -> Option<&'static Server> {
    SERVERS
        .iter()
        .find(|server| interface == Interface::Asgi && server.package == "uvicorn")
}

/// The package that has to be installed on top, so that something serves the applications of `rule`.
pub(super) fn lacking(rule: &Rule, requirements: &Requirements) -> Option<&'static str> {
    let interface = rule.interface?;
    match of(interface, requirements) {
        Some(_) => None,
        None => default(interface).map(|server| server.package),
    }
}
