//! Whether the policy of a page (Content Security Policy Level 3) lets it load a script of its own origin and connect to
//! it by WebSocket. In doubt it does not: a page without live reload is better than one that reports violations.
//!
//! Only header fields are read. A policy in the page itself makes the browser refuse the script, and nothing else.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::CONTENT_SECURITY_POLICY;

/// Where a page is, as its visitor sees it.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

type Directives<'a> = HashMap<String, Vec<&'a str>>;

/// Whether every policy of the page allows it.
pub(super) fn allows(headers: &HeaderMap, site: &Site) -> bool {
    headers.get_all(CONTENT_SECURITY_POLICY).iter().all(|field| {
        let policies = field.to_str().ok().map(|text| text.split(','));
        policies.is_some_and(|mut policies| policies.all(|policy| one_allows(policy, site)))
    })
}

fn one_allows(policy: &str, site: &Site) -> bool {
    let directives = parse(policy);
    let list = |names: &[&str]| names.iter().find_map(|name| directives.get(*name));
    let sandboxed = directives.get("sandbox").is_some_and(|flags| {
        !["allow-scripts", "allow-same-origin"]
            .iter()
            .all(|flag| flags.iter().any(|given| given.eq_ignore_ascii_case(flag)))
    });
    let script = list(&["script-src-elem", "script-src", "default-src"]);
    let connect = list(&["connect-src", "default-src"]);
    !sandboxed
        && script.is_none_or(|sources| loads(sources, site))
        && connect.is_none_or(|sources| connects(sources, site))
}

/// By name in lower case; of equal ones the first counts.
fn parse(policy: &str) -> Directives<'_> {
    let mut directives = Directives::new();
    for directive in policy.split(';') {
        let mut words = directive.split_ascii_whitespace();
        if let Some(name) = words.next() {
            directives
                .entry(name.to_ascii_lowercase())
                .or_insert_with(|| words.collect());
        }
    }
    directives
}

fn loads(sources: &[&str], site: &Site) -> bool {
    let is = |word: &str| sources.iter().any(|source| source.eq_ignore_ascii_case(word));
    // Then only a nonce or a hash counts, and we have neither.
    if is("'strict-dynamic'") {
        return false;
    }
    is("'self'")
        || is("*")
        || is("http:")
        || (site.scheme == "https" && is("https:"))
        || sources
            .iter()
            .any(|source| names(source, site, &["http", "https"]))
}

fn connects(sources: &[&str], site: &Site) -> bool {
    let is = |word: &str| sources.iter().any(|source| source.eq_ignore_ascii_case(word));
    is("'self'")
        || is("*")
        || is("ws:")
        || (site.scheme == "https" && is("wss:"))
        // A host without a scheme is that of HTTP only.
        || sources
            .iter()
            .any(|source| source.contains("://") && names(source, site, &["ws", "wss"]))
}

/// Whether a source such as `http://a.example:8080` is the site. Wildcards and paths are left to the browser: no.
fn names(source: &str, site: &Site, schemes: &[&str]) -> bool {
    let source = source.to_ascii_lowercase();
    let (scheme, rest) = match source.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, source.as_str()),
    };
    let secure = site.scheme == "https";
    let fits =
        |scheme: &str| schemes.contains(&scheme) && (secure || !scheme.ends_with('s') || scheme == "ws");
    if !scheme.is_none_or(fits) {
        return false;
    }
    let usual = if secure { 443 } else { 80 };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) => (host, port),
        None => (rest, ""),
    };
    let port_fits = match port {
        "*" => true,
        "" => site.port.is_none_or(|port| port == usual),
        port => port.parse() == Ok(site.port.unwrap_or(usual)),
    };
    host == site.host && port_fits
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn allowed(policies: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for policy in policies {
            headers.append(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        let site = Site {
            scheme: "http".into(),
            host: "a.localhost".into(),
            port: Some(7700),
        };
        allows(&headers, &site)
    }

    #[test]
    fn policies() {
        let table = [
            ("", true),
            ("img-src 'none'", true),
            ("default-src 'self'", true),
            ("DEFAULT-SRC 'SELF'", true),
            ("default-src *", true),
            ("default-src 'none'", false),
            ("default-src 'none'; script-src 'self'; connect-src 'self'", true),
            ("script-src 'self'; connect-src 'none'", false),
            ("script-src 'self'; connect-src ws:", true),
            ("script-src 'self'; connect-src a.localhost:7700", false),
            ("script-src 'self'; connect-src ws://a.localhost:7700", true),
            ("script-src a.localhost:7700", true),
            ("script-src http://a.localhost:*", true),
            ("script-src https://a.localhost:7700", false),
            ("script-src a.localhost", false),
            ("script-src b.localhost:7700", false),
            ("script-src a.localhost:7700/js/", false),
            ("script-src https://cdn.example 'unsafe-inline'", false),
            ("script-src 'self'; script-src-elem https://cdn.example", false),
            ("script-src 'none'; script-src-elem 'self'", true),
            ("script-src 'self' 'nonce-abc' 'strict-dynamic'", false),
            ("script-src 'self'; script-src 'none'", true),
            ("sandbox allow-scripts", false),
            ("sandbox allow-scripts allow-same-origin", true),
            ("default-src 'self', default-src 'none'", false),
        ];
        for (policy, expected) in table {
            assert_eq!(allowed(&[policy]), expected, "{policy}");
        }
        assert!(
            !allowed(&["default-src 'self'", "script-src 'none'"]),
            "every one counts"
        );
        assert!(allowed(&[]));
    }
}
