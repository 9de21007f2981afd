//! Where the server is, and the token that opens it.
//!
//! `--url` or `CX_URL` name a server anywhere; otherwise it is the local one, at the first address of `CX_LISTEN`, of
//! `listen` in the `server.toml` of its data directory, or at the default port. The token of a local server lies in its data directory; it is never sent to a server that is not
//! on this machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Url;

use crate::cli::Global;
use crate::environment::Environment;
use crate::exit::{Exit, Fault};
use crate::server::{Settings, UNREADABLE};

/// The port of a server that was told nothing else.
pub(crate) const DEFAULT_PORT: u16 = 7700;
/// The file of a data directory that holds the server's token.
const TOKEN: &str = "token";
/// A local server that does not take a connection within this time is not there.
const LOCAL_CONNECT: Duration = Duration::from_millis(500);

/// A server's address and token.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    pub(crate) url: Url,
    pub(crate) token: Option<String>,
    /// Whether somebody named it, so that no other may be taken instead.
    pub(crate) named: bool,
}

/// Finds the server that `global` and `environment` mean.
pub(crate) fn find(global: &Global, environment: &Environment) -> anyhow::Result<Address> {
    let text = match &global.url {
        Some(url) => url.clone(),
        None => format!("http://{}", reachable(&listen(environment)?)),
    };
    let url = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| {
        Fault::usage(format!("`{text}` is not a server's address"))
            .hint("write it like http://127.0.0.1:7700 in --url or CX_URL")
    })?;
    let mut address = Address {
        url,
        token: global.token.clone(),
        named: global.url.is_some(),
    };
    if address.token.is_none() && address.local().is_some() {
        address.token = read_token(environment)?;
    }
    Ok(address)
}

impl Address {
    /// The socket of a server on this machine.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        let port = self.url.port_or_known_default()?;
        let ip = match self.url.host_str()? {
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.trim_matches(['[', ']']).parse().ok()?,
        };
        ip.is_loopback().then(|| SocketAddr::new(ip, port))
    }

    /// Whether something listens at the local address.
    pub(crate) fn answers(&self) -> bool {
        self.local()
            .is_some_and(|socket| TcpStream::connect_timeout(&socket, LOCAL_CONNECT).is_ok())
    }

    /// The address without a slash at the end, for people.
    pub(crate) fn text(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

/// Where the local server listens, as far as somebody says it. Settings that are not ours to read say nothing.
fn listen(environment: &Environment) -> Result<Vec<SocketAddr>, Fault> {
    if !environment.listen.is_empty() {
        return Ok(environment.listen.clone());
    }
    // The one whose token is used; before the first start there is none.
    let dirs = environment.data_dirs();
    let used = dirs.iter().find(|dir| dir.join(TOKEN).exists());
    let data = used.or(dirs.first()).cloned().unwrap_or_default();
    match Settings::read(&data) {
        Ok(settings) => Ok(settings.listen),
        Err(fault) if fault.code == UNREADABLE => Ok(Vec::new()),
        Err(fault) => Err(fault),
    }
}

/// The first address that is listened at, as a client reaches it.
fn reachable(listen: &[SocketAddr]) -> SocketAddr {
    let mut socket = listen
        .first()
        .copied()
        .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)));
    if socket.ip().is_unspecified() {
        socket.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    socket
}

fn read_token(environment: &Environment) -> anyhow::Result<Option<String>> {
    let mut forbidden = None;
    for file in environment.data_dirs().iter().map(|dir| dir.join(TOKEN)) {
        match std::fs::read_to_string(&file) {
            Ok(text) => return Ok(Some(text.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => forbidden = Some(file),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read the token {}", file.display()));
            }
        }
    }
    match forbidden {
        None => Ok(None),
        Some(file) => {
            let message = format!("the server's token {} belongs to another user", file.display());
            Err(Fault::new(Exit::Refused, "token_unreadable", message)
                .hint("pass it with --token or CX_TOKEN; its owner can read it in that file")
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Address {
        Address {
            url: Url::parse(url).expect("a valid address"),
            token: None,
            named: true,
        }
    }

    #[test]
    fn only_loopback_is_local() {
        for local in [
            "http://127.0.0.1:7700",
            "http://localhost:80",
            "http://[::1]:7700",
        ] {
            assert!(at(local).local().is_some(), "{local}");
        }
        for remote in [
            "https://cx.example.com",
            "http://192.168.1.5:7700",
            "http://localhost.example.com",
        ] {
            assert!(at(remote).local().is_none(), "{remote}");
        }
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_at_loopback() {
        assert_eq!(
            reachable(&["0.0.0.0:80".parse().unwrap()]).to_string(),
            "127.0.0.1:80"
        );
        assert_eq!(reachable(&[]).to_string(), "127.0.0.1:7700");
    }

    #[test]
    fn a_local_server_says_in_its_settings_where_it_listens() {
        let dir = tempfile::tempdir().unwrap();
        let mut environment = Environment::with_data(dir.path());
        let found = |environment: &Environment| {
            find(&Global::default(), environment).map(|found| found.text().to_owned())
        };
        assert_eq!(found(&environment).unwrap(), "http://127.0.0.1:7700");
        let settings = dir.path().join("server.toml");
        std::fs::write(&settings, "listen = [\"0.0.0.0:8800\"]\n").unwrap();
        assert_eq!(found(&environment).unwrap(), "http://127.0.0.1:8800");
        environment.listen = vec!["127.0.0.1:9900".parse().unwrap()];
        assert_eq!(found(&environment).unwrap(), "http://127.0.0.1:9900");
        environment.listen.clear();
        std::fs::write(&settings, "listen = 8800\n").unwrap();
        let fault = crate::exit::fault_of(&found(&environment).unwrap_err());
        assert!(fault.message.contains("server.toml, line 1"), "{}", fault.message);
    }

    #[test]
    fn nonsense_is_a_wrong_usage() {
        let global = Global {
            url: Some("127.0.0.1:7700".into()),
            ..Global::default()
        };
        let error = find(&global, &Environment::default()).unwrap_err();
        assert_eq!(crate::exit::fault_of(&error).exit, Exit::Usage);
    }

    #[test]
    fn the_local_token_stays_on_this_machine() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "secret\n").unwrap();
        let environment = Environment::with_data(dir.path());
        let local = find(&Global::default(), &environment).unwrap();
        assert_eq!(local.token.as_deref(), Some("secret"));
        let global = Global {
            url: Some("https://cx.example.com".into()),
            ..Global::default()
        };
        assert_eq!(find(&global, &environment).unwrap().token, None);
    }
}
