//! Every reason for which the edge answers itself, and the words for each.

use http::StatusCode;
use model::Failure;
use model::route::Notice;

/// Why a request is not answered by an application or a file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Trouble {
    BadHost,
    BadRequest {
        why: &'static str,
    },
    ConnectRefused,
    /// `home` is where the platform itself answers.
    UnknownHost {
        host: String,
        home: String,
    },
    Queued,
    Building,
    Starting,
    Failed(Box<Failure>),
    Gone,
    FileNotFound {
        path: String,
    },
    MethodNotAllowed,
    RangeNotSatisfiable {
        size_bytes: u64,
    },
    ContentMissing,
    PreconditionFailed,
    NotAcceptable,
    PlatformFailed,
    TooManyHeaders {
        limit: usize,
    },
    TooLarge {
        limit_bytes: u64,
    },
    BodyStalled,
    WakeTookTooLong {
        seconds: u64,
    },
    TooManyWaiting,
    TooManyRequests {
        limit: u64,
    },
    Unreachable,
    UpstreamClosed,
    UpstreamInvalid,
    UpstreamTimeout {
        seconds: u64,
    },
    Dropped,
}

/// What is said, three parts for people and the rest for programs.
pub(super) struct Words {
    pub(super) status: StatusCode,
    pub(super) code: &'static str,
    /// What happened.
    pub(super) title: &'static str,
    /// The value involved.
    pub(super) detail: String,
    /// What to do next.
    pub(super) hint: String,
    /// It ends by itself soon; pages look again.
    pub(super) passes: bool,
}

impl From<&Notice> for Trouble {
    fn from(notice: &Notice) -> Self {
        match notice {
            Notice::Queued => Self::Queued,
            Notice::Building => Self::Building,
            Notice::Starting => Self::Starting,
            Notice::Failed(failure) => Self::Failed(failure.clone()),
            Notice::Gone => Self::Gone,
        }
    }
}

impl Trouble {
    pub(super) fn words(&self) -> Words {
        match self {
            Self::Queued | Self::Building | Self::Starting | Self::Failed(_) | Self::Gone => {
                self.of_the_deployment()
            }
            Self::WakeTookTooLong { .. }
            | Self::TooManyWaiting
            | Self::TooManyRequests { .. }
            | Self::Unreachable
            | Self::UpstreamClosed
            | Self::UpstreamInvalid
            | Self::UpstreamTimeout { .. }
            | Self::Dropped => self.of_the_application(),
            _ => self.of_the_request(),
        }
    }

    fn of_the_deployment(&self) -> Words {
        const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        let soon = "This page shows the preview as soon as it is ready.";
        match self {
            Self::Queued => words(BUSY, "queued", "Waiting for its turn")
                .detail("The first deployment of this preview waits for a free place to build.")
                .hint(soon)
                .passing(),
            Self::Building => words(BUSY, "building", "Building")
                .detail("The first deployment of this preview is being built.")
                .hint(soon)
                .passing(),
            Self::Starting => words(BUSY, "starting", "Starting")
                .detail("The first deployment of this preview has been built and is starting.")
                .hint(soon)
                .passing(),
            Self::Failed(failure) => words(StatusCode::BAD_GATEWAY, "failed", "The deployment failed")
                .detail(&failure.message)
                .hint(&failure.hint),
            _ => words(StatusCode::GONE, "gone", "This preview is gone")
                .detail("It was deleted, or its time is over.")
                .hint("Deploy again to bring it back under the same name."),
        }
    }

    fn of_the_application(&self) -> Words {
        const BAD: StatusCode = StatusCode::BAD_GATEWAY;
        const BUSY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
        const LATE: StatusCode = StatusCode::GATEWAY_TIMEOUT;
        let log = "See what it printed with `cx logs --runtime`.";
        match self {
            Self::WakeTookTooLong { seconds } => words(LATE, "wake_timeout", "The preview did not wake up")
                .detail(format!(
                    "It was asleep, and did not wake within {seconds} seconds."
                ))
                .hint("Try again; if it stays so, see the server's log.")
                .passing(),
            Self::TooManyWaiting => words(BUSY, "too_many_waiting", "Too many requests wait")
                .detail("The preview is waking up, and no more requests can wait for it.")
                .hint("Try again in a moment.")
                .passing(),
            Self::TooManyRequests { limit } => words(BUSY, "too_many_requests", "The preview is overloaded")
                .detail(format!("{limit} requests to it are open already."))
                .hint("Try again in a moment.")
                .passing(),
            Self::Unreachable => words(BAD, "upstream_unreachable", "The application does not answer")
                .detail("No connection to it could be made; it may have ended.")
                .hint(log),
            Self::UpstreamClosed => words(BAD, "upstream_closed", "The application broke off")
                .detail("It ended the connection before it gave an answer.")
                .hint(log),
            Self::UpstreamInvalid => words(BAD, "upstream_invalid", "The application's answer is broken")
                .detail("What it sent is not a valid HTTP answer.")
                .hint(log),
            Self::UpstreamTimeout { seconds } => {
                words(LATE, "upstream_timeout", "The application takes too long")
                    .detail(format!("It did not begin to answer within {seconds} seconds."))
                    .hint(log)
            }
            _ => words(BUSY, "dropped", "The application was replaced")
                .detail("It was removed while it worked on this request.")
                .hint("Send the request again.")
                .passing(),
        }
    }

    fn of_the_request(&self) -> Words {
        match self {
            Self::UnknownHost { host, home } => {
                words(StatusCode::NOT_FOUND, "unknown_host", "No preview here")
                    .detail(format!("Nothing is deployed at {host}."))
                    .hint(format!(
                        "Check the address; `cx list` and {home} show the previews that there are."
                    ))
            }
            Self::FileNotFound { path } => words(StatusCode::NOT_FOUND, "not_found", "Page not found")
                .detail(format!("This preview has no file for {path}."))
                .hint("Check the address, or add the file and deploy again."),
            Self::MethodNotAllowed => words(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "Method not allowed",
            )
            .detail("This preview is made of static files, which can only be read.")
            .hint("Use GET or HEAD."),
            Self::RangeNotSatisfiable { size_bytes } => words(
                StatusCode::RANGE_NOT_SATISFIABLE,
                "range_not_satisfiable",
                "No such part",
            )
            .detail(format!(
                "The file has {size_bytes} bytes, and the part asked for lies outside."
            ))
            .hint("Ask for a part that lies inside the file."),
            Self::ContentMissing => words(
                StatusCode::INTERNAL_SERVER_ERROR,
                "content_missing",
                "The file is missing",
            )
            .detail("The file belongs to this preview, and the server could not read it.")
            .hint("See the server's log, and deploy again."),
            Self::PreconditionFailed => words(
                StatusCode::PRECONDITION_FAILED,
                "precondition_failed",
                "The file is another one",
            )
            .detail("The file that the request is about is not the one that is here.")
            .hint("Ask for it without If-Match."),
            Self::NotAcceptable => words(
                StatusCode::NOT_ACCEPTABLE,
                "not_acceptable",
                "Not available in that form",
            )
            .detail("The request refuses the file as it is, and names no coding that is here.")
            .hint("Allow `identity` in Accept-Encoding."),
            Self::PlatformFailed => words(
                StatusCode::INTERNAL_SERVER_ERROR,
                "platform_failed",
                "The server failed",
            )
            .detail("It broke off while it worked on this request.")
            .hint("See the server's log, and report what it says."),
            Self::TooManyHeaders { limit } => words(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "too_many_headers",
                "Too many header fields",
            )
            .detail(format!("The request has more than {limit} header fields."))
            .hint("Send fewer."),
            Self::TooLarge { limit_bytes } => {
                words(StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too much was sent")
                    .detail(format!(
                        "The body is larger than the {limit_bytes} bytes that are taken."
                    ))
                    .hint("Send less at once.")
            }
            Self::BodyStalled => words(
                StatusCode::REQUEST_TIMEOUT,
                "body_stalled",
                "The request stood still",
            )
            .detail("No more of its body came.")
            .hint("Send the request again."),
            Self::ConnectRefused => words(
                StatusCode::METHOD_NOT_ALLOWED,
                "connect_refused",
                "No tunnels here",
            )
            .detail("CONNECT is not offered.")
            .hint("Send the request itself."),
            Self::BadRequest { why } => {
                words(StatusCode::BAD_REQUEST, "bad_request", "The request is not valid")
                    .detail(*why)
                    .hint("Correct the request.")
            }
            _ => words(StatusCode::BAD_REQUEST, "bad_host", "The host is not valid")
                .detail("The request names no host, several, or one that is not valid.")
                .hint("Send exactly one valid Host field."),
        }
    }
}

fn words(status: StatusCode, code: &'static str, title: &'static str) -> Words {
    Words {
        status,
        code,
        title,
        detail: String::new(),
        hint: String::new(),
        passes: false,
    }
}

impl Words {
    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    fn passing(mut self) -> Self {
        self.passes = true;
        self
    }
}
