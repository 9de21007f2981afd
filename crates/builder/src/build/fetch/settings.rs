//! What git is told in the environment, where no repository and no file of settings can change it.

use model::inside::{CA_BUNDLE, HOME_DIRECTORY};
use model::trust::Trust;

use super::request::FetchRequest;
use crate::build::environment::CACHE_DIRECTORY;

/// The whole environment of the step.
pub(super) fn environment(request: &FetchRequest, resolved: &str) -> Vec<(String, String)> {
    let remote = &request.remote;
    let plain = [
        ("LC_ALL", "C.UTF-8"),
        ("LANGUAGE", "C"),
        ("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        ("HOME", HOME_DIRECTORY),
        ("TMPDIR", "/tmp"),
        ("SSL_CERT_FILE", CA_BUNDLE),
        ("GIT_SSL_CAINFO", CA_BUNDLE),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_TEMPLATE_DIR", ""),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_OPTIONAL_LOCKS", "0"),
        // Everything else is refused before it is tried: file, ssh, git, ext and whatever helpers there are.
        ("GIT_ALLOW_PROTOCOL", "http:https"),
        ("GIT_LFS_SKIP_PUSH", "1"),
        ("CYGNI_URL", &remote.url),
        ("CYGNI_SCOPE", &remote.scope),
        ("CYGNI_REFERENCE", &request.reference),
        ("CYGNI_COMMIT", request.commit.as_str()),
        ("CYGNI_CACHE", CACHE_DIRECTORY),
        ("CYGNI_LFS", if request.lfs { "1" } else { "0" }),
    ];
    let plain = plain.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings = settings(request, resolved);
    let count = ("GIT_CONFIG_COUNT".to_owned(), settings.len().to_string());
    let numbered = settings.into_iter().enumerate().flat_map(|(at, (name, value))| {
        [
            (format!("GIT_CONFIG_KEY_{at}"), name),
            (format!("GIT_CONFIG_VALUE_{at}"), value),
        ]
    });
    plain.into_iter().chain([count]).chain(numbered).collect()
}

fn settings(request: &FetchRequest, resolved: &str) -> Vec<(String, String)> {
    let fixed = [
        ("safe.directory", "*"),
        ("core.hooksPath", "/dev/null"),
        ("core.fsmonitor", "false"),
        ("core.attributesFile", "/dev/null"),
        ("core.autocrlf", "false"),
        ("core.symlinks", "true"),
        ("core.quotePath", "false"),
        ("credential.helper", ""),
        ("credential.interactive", "false"),
        ("gc.auto", "0"),
        ("fetch.fsckObjects", "false"),
        ("advice.detachedHead", "false"),
        ("http.followRedirects", "initial"),
        // A server that sends nothing is not waited for until the end of the step.
        ("http.lowSpeedLimit", "100"),
        ("http.lowSpeedTime", "60"),
        ("lfs.concurrentTransfers", "4"),
        ("lfs.locksverify", "false"),
        ("lfs.dialtimeout", "20"),
        ("lfs.activitytimeout", "60"),
        ("lfs.transfer.maxretries", "3"),
    ];
    let mut all: Vec<_> = fixed
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    // The name leads where it led the platform, whatever it would lead to now.
    all.push(("http.curloptResolve".to_owned(), resolved.to_owned()));
    if let Some(authorization) = &request.remote.authorization {
        let header = format!("Authorization: {authorization}");
        let places = credential_places(request).into_iter();
        all.extend(places.map(|place| (format!("http.{place}.extraHeader"), header.clone())));
    }
    all
}

/// What the addresses begin with that are given the credentials, at whole names between slashes.
fn credential_places(request: &FetchRequest) -> Vec<String> {
    match request.trust {
        // A stranger's .gitmodules must not read what the token can and the stranger cannot.
        Trust::Fork => {
            let url = request.remote.url.trim_end_matches(".git");
            vec![url.to_owned(), format!("{url}.git")]
        }
        Trust::Member | Trust::Owner => vec![request.remote.scope.clone()],
    }
}

/// What no log may show: the header's value, and the token in it however it is written.
pub(super) fn secrets(request: &FetchRequest) -> Vec<String> {
    let Some(authorization) = &request.remote.authorization else {
        return Vec::new();
    };
    let words = authorization.split_whitespace().skip(1);
    let mut secrets: Vec<String> = words.map(str::to_owned).collect();
    let decoded = authorization
        .strip_prefix("Basic ")
        .and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let password = decoded.and_then(|text| Some(text.split_once(':')?.1.to_owned()));
    secrets.extend(password);
    secrets.push(authorization.clone());
    secrets
}
