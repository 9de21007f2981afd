//! Every problem that the API knows: its code, its status, and when it comes.
//!
//! A status of 400 means that the request does not have the form that is described, 422 that it has and still asks for
//! something that cannot be.

/// One code.
pub(super) struct Known {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) when: &'static str,
}

const fn known(status: u16, code: &'static str, when: &'static str) -> Known {
    Known { code, status, when }
}

/// All of them, by status.
pub(super) const KNOWN: &[Known] = &[
    known(400, "no_host", "The request names no host."),
    known(400, "invalid_path", "A part of the path does not have its form."),
    known(
        400,
        "invalid_parameter",
        "A parameter after `?` is unknown or does not have its form.",
    ),
    known(
        400,
        "invalid_body",
        "The body is not JSON, or not of the described form.",
    ),
    known(400, "body_broken", "The body broke off before its end."),
    known(
        400,
        "invalid_source",
        "Neither or both of `tree` and `files` are given.",
    ),
    known(
        400,
        "delivery_unreadable",
        "A header of a delivery is missing, or its body cannot be read.",
    ),
    known(401, "delivery_unsigned", "The delivery carries no signature."),
    known(
        401,
        "wrong_signature",
        "The signature of the delivery does not fit.",
    ),
    known(401, "no_token", "The request carries no token."),
    known(401, "wrong_token", "The token is not that of this server."),
    known(
        403,
        "forge_denied",
        "The forge refused the credentials that it was given to us with.",
    ),
    known(404, "no_forge", "No forge is known yet."),
    known(
        404,
        "repository_not_found",
        "The forge has no such repository, or none that we may see.",
    ),
    known(404, "not_found", "What the path names is not there."),
    known(
        409,
        "already_finished",
        "The deployment can no longer be cancelled.",
    ),
    known(409, "not_ready", "The deployment is not ready and cannot serve."),
    known(
        409,
        "nothing_before",
        "There is no ready deployment before the current one.",
    ),
    known(
        409,
        "in_use",
        "The project was given something new while it was being deleted.",
    ),
    known(
        409,
        "connected",
        "The project belongs to another repository already.",
    ),
    known(409, "not_connected", "The project has no repository."),
    known(
        409,
        "forge_in_use",
        "Projects belong to repositories of the forge.",
    ),
    known(409, "not_held", "The repository is not held."),
    known(
        409,
        "missing_blobs",
        "The tree names blobs that this project has not sent.",
    ),
    known(413, "too_large", "The body is larger than this operation takes."),
    known(
        413,
        "delivery_too_large",
        "The delivery is larger than any that a forge sends.",
    ),
    known(
        413,
        "too_many_digests",
        "More digests are asked for than are taken at a time.",
    ),
    known(
        413,
        "too_many_variables",
        "More variables than one place can have.",
    ),
    known(
        413,
        "too_many_subscribers",
        "There are as many subscribers as there can be.",
    ),
    known(413, "variable_too_large", "The value of a variable is too long."),
    known(
        413,
        "source_too_large",
        "The files together are larger than a source may be.",
    ),
    known(413, "file_too_large", "A file is larger than one may be."),
    known(415, "unsupported_media_type", "The body is not sent as JSON."),
    known(
        421,
        "unknown_host",
        "The request asks for a host that is not the server's own.",
    ),
    known(
        422,
        "invalid_ttl",
        "The time to live is no duration, or not a possible one.",
    ),
    known(
        422,
        "invalid_keep",
        "The number of kept deployments is not a possible one.",
    ),
    known(
        422,
        "invalid_tree",
        "A path leaves the tree, is listed twice, or is a file and a directory.",
    ),
    known(422, "invalid_base64", "The content of a file is not base64."),
    known(
        422,
        "invalid_variable",
        "The name or the value of a variable is not a possible one.",
    ),
    known(
        422,
        "invalid_forge_name",
        "The name of a forge is not a possible one.",
    ),
    known(
        422,
        "forge_invalid",
        "The address or the credentials of a forge cannot be right.",
    ),
    known(
        422,
        "forge_ambiguous",
        "There are several forges, and none is named.",
    ),
    known(422, "forge_refused", "The forge would not do what it was asked."),
    known(
        422,
        "invalid_root",
        "The root directory is not a path in a repository.",
    ),
    known(
        422,
        "invalid_settings",
        "What is said of a project cannot be: a limit of 0, or a name that is too long.",
    ),
    known(
        422,
        "repository_ambiguous",
        "Several forges have a repository of that name.",
    ),
    known(
        422,
        "invalid_url",
        "The address is not one of the web, or holds a password.",
    ),
    known(422, "unknown_event_kind", "Nothing of this kind ever happens."),
    known(
        422,
        "invalid_replay",
        "Neither or both of `event` and `since_ms` are given.",
    ),
    known(422, "no_scope", "Neither a project nor a namespace is named."),
    known(422, "ambiguous", "Several deployments begin with what is given."),
    known(
        422,
        "digest_mismatch",
        "The bytes are not those that the digest names.",
    ),
    known(422, "wrong_size", "The bytes are not as many as was said."),
    known(422, "upload_broken", "The bytes broke off before their end."),
    known(
        500,
        "internal",
        "The server could not do it; its log says why, under the request's id.",
    ),
    known(
        503,
        "forge_unavailable",
        "The forge cannot be reached, or asks us to wait.",
    ),
    known(
        503,
        "forge_without_credentials",
        "The credentials of the forge were not given to the server at this start.",
    ),
    known(503, "too_many_followers", "Too many event streams are open."),
    known(
        503,
        "not_startable",
        "What is gone back to could not be started again.",
    ),
    known(503, "unavailable", "The server is ending, or not there yet."),
    known(
        507,
        "disk_full",
        "The server's disk has less room than must stay free; what serves goes on.",
    ),
];

/// What every operation can answer.
pub(super) const OF_ALL: &[&str] = &["no_host", "unknown_host", "internal", "unavailable"];
pub(super) const OF_GUARDED: &[&str] = &["no_token", "wrong_token"];
pub(super) const OF_PATH: &[&str] = &["invalid_path"];
pub(super) const OF_QUERY: &[&str] = &["invalid_parameter"];
pub(super) const OF_JSON: &[&str] = &[
    "invalid_body",
    "body_broken",
    "too_large",
    "unsupported_media_type",
];

/// The problem that `code` names.
pub(super) fn of(code: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.code == code)
}
