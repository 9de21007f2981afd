//! One operation of the API: its handler, and everything that a caller has to know.

use axum::extract::DefaultBodyLimit;
use axum::routing::MethodRouter;
use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

use crate::service::{BODY_BYTES_MAX, Web};

/// Gives the schema of a type to whoever collects schemas.
pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;

/// An operation; made by [`operation`].
pub(crate) struct Operation {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// Stable, for clients that are generated.
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) details: &'static str,
    /// Whether it is answered without the token.
    pub(super) open: bool,
    pub(super) query: Option<Shape>,
    pub(super) resumes: bool,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<Answer>,
    /// Codes of problems that are its own.
    pub(super) problems: Vec<&'static str>,
    handler: MethodRouter<Web>,
}

/// What an operation is sent.
pub(super) struct Body {
    pub(super) content: Content,
    pub(super) bytes_max: u64,
    pub(super) example: Option<Value>,
}

/// What an operation answers when it is done.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) says: &'static str,
    pub(super) content: Content,
    pub(super) leads: Vec<Lead>,
}

/// Another operation that takes what an answer holds.
pub(super) struct Lead {
    pub(super) to: &'static str,
    /// Parts of its path, and the fields of the answer that they are.
    pub(super) parts: &'static [(&'static str, &'static str)],
}

pub(super) enum Content {
    Json(Shape),
    /// Any bytes.
    Bytes,
    /// Server-sent events with JSON of this shape.
    Events(Shape),
}

/// `line` is the method and the path below `/api/v1`, as in `GET /projects/{project}`.
pub(crate) fn operation(line: &'static str, id: &'static str, handler: MethodRouter<Web>) -> Operation {
    let (method, path) = line.split_once(' ').unwrap_or(("GET", line));
    Operation {
        method: method.parse().unwrap_or(Method::GET),
        path,
        id,
        summary: "",
        details: "",
        open: false,
        query: None,
        resumes: false,
        body: None,
        answers: Vec::new(),
        problems: Vec::new(),
        handler,
    }
}

impl Operation {
    /// What it does in a few words, and what else there is to know.
    pub(crate) fn says(mut self, summary: &'static str, details: &'static str) -> Self {
        (self.summary, self.details) = (summary, details);
        self
    }

    /// Answered without the token.
    pub(crate) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    /// Takes the fields of `T` as parameters after `?`.
    pub(crate) fn query<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|schemas| T::json_schema(schemas));
        self
    }

    /// Takes a JSON body.
    pub(crate) fn takes<T: JsonSchema>(mut self, example: Value) -> Self {
        self.body = Some(Body {
            content: Content::Json(|schemas| schemas.subschema_for::<T>()),
            bytes_max: BODY_BYTES_MAX as u64,
            example: Some(example),
        });
        self
    }

    /// Takes any bytes; the handler itself keeps to the limit.
    pub(crate) fn takes_bytes(mut self, bytes_max: u64) -> Self {
        self.body = Some(Body {
            content: Content::Bytes,
            bytes_max,
            example: None,
        });
        self
    }

    /// Takes a larger JSON body than others do.
    pub(crate) fn body_up_to(mut self, bytes_max: usize) -> Self {
        self.handler = self.handler.layer(DefaultBodyLimit::max(bytes_max));
        if let Some(body) = &mut self.body {
            body.bytes_max = bytes_max as u64;
        }
        self
    }

    /// Answers with JSON.
    pub(crate) fn answers<T: JsonSchema>(self, status: StatusCode, says: &'static str) -> Self {
        self.answer(
            status,
            says,
            Content::Json(|schemas| schemas.subschema_for::<T>()),
        )
    }

    /// Answers with server-sent events that hold JSON, and takes `Last-Event-ID`.
    pub(crate) fn streams<T: JsonSchema>(mut self, says: &'static str) -> Self {
        self.resumes = true;
        self.answer(
            StatusCode::OK,
            says,
            Content::Events(|schemas| schemas.subschema_for::<T>()),
        )
    }

    /// What is answered can be given to the operations `to`: `parts` names the parts of their paths and the fields.
    pub(crate) fn leads(
        mut self,
        to: &[&'static str],
        parts: &'static [(&'static str, &'static str)],
    ) -> Self {
        if let Some(answer) = self.answers.last_mut() {
            answer.leads.extend(to.iter().map(|to| Lead { to, parts }));
        }
        self
    }

    /// Refuses with problems of these codes, besides those that every operation has.
    pub(crate) fn problems(mut self, codes: &[&'static str]) -> Self {
        self.problems.extend(codes);
        self
    }

    fn answer(mut self, status: StatusCode, says: &'static str, content: Content) -> Self {
        self.answers.push(Answer {
            status,
            says,
            content,
            leads: Vec::new(),
        });
        self
    }

    /// Names of the variable parts of the path.
    pub(super) fn parts(&self) -> impl Iterator<Item = &'static str> {
        let named = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
        self.path.split('/').filter_map(named)
    }

    /// The group it is shown in: the first part of its path.
    pub(super) fn noun(&self) -> &'static str {
        match self.path.split('/').nth(1) {
            Some("health" | "openapi.json" | "usage") | None => "server",
            Some(noun) => noun,
        }
    }

    /// Path and handler, and whether it needs no token.
    pub(crate) fn into_route(self) -> (&'static str, MethodRouter<Web>, bool) {
        (self.path, self.handler, self.open)
    }
}
