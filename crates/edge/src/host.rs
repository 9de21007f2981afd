//! The host that a request is for. Looked up and never parsed further.
//!
//! Guards against requests that two parties could read differently: no host, several, user information in it.

use http::header::HOST;
use http::uri::Authority;
use http::{HeaderMap, Uri};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// Lower case, no port, no final dot; an IPv6 address stands in brackets.
    pub(crate) name: String,
    /// As it was sent, port included.
    pub(crate) authority: String,
    pub(crate) port: Option<u16>,
}

impl Host {
    /// Reads the host of a request: the target's where it is in absolute form (RFC 9112, section 3.2.2), else the
    /// `Host` field. `None` where there is no single valid one.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(HOST).iter();
        let field = fields.next();
        if fields.next().is_some() {
            return None;
        }
        let authority = match uri.authority() {
            Some(authority) => authority.clone(),
            None => Authority::try_from(field?.as_bytes()).ok()?,
        };
        let (whole, host) = (authority.as_str(), authority.host());
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        if name.is_empty() || whole.contains('@') {
            return None;
        }
        let port = match whole[host.len()..].strip_prefix(':') {
            Some("") | None => None,
            Some(port) => Some(port.parse().ok()?),
        };
        Some(Self {
            name,
            port,
            authority: authority.as_str().to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn of(uri: &str, hosts: &[&str]) -> Option<Host> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, HeaderValue::from_str(host).unwrap());
        }
        Host::of(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn port_case_and_final_dot_do_not_matter() {
        for host in [
            "App.Localhost",
            "app.localhost.",
            "APP.localhost:7700",
            "app.localhost.:80",
            "app.localhost:",
        ] {
            assert_eq!(of("/", &[host]).unwrap().name, "app.localhost", "{host}");
        }
        let host = of("/", &["[::1]:7700"]).unwrap();
        assert_eq!((host.name.as_str(), host.port), ("[::1]", Some(7700)));
    }

    #[test]
    fn the_absolute_form_wins() {
        assert_eq!(
            of("http://a.localhost/x", &["b.localhost"]).unwrap().name,
            "a.localhost"
        );
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for hosts in [
            &[][..],
            &[""],
            &["."],
            &["a", "b"],
            &["a", "a"],
            &["u@a"],
            &["a b"],
            &["a/b"],
            &["a:99999"],
        ] {
            assert_eq!(of("/", hosts), None, "{hosts:?}");
        }
    }
}
