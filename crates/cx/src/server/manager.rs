//! Tells the service manager how the server is, by the protocol of sd_notify(3): one datagram for each piece of news.
//!
//! Guards against a server that runs and answers nobody: the watchdog is fed only after the server has answered itself
//! over its own listener. Without a manager, or with one that is gone, all of this does nothing.

use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinHandle;

/// How often the watchdog is fed within its time.
const FEEDS: u32 = 3;

/// What started the server and wants to hear of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manager {
    /// `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub(crate) socket: Option<PathBuf>,
    /// `WATCHDOG_USEC`: the server is ended when it is silent for so long.
    pub(crate) watchdog: Option<Duration>,
}

impl Manager {
    /// The server answers at its address.
    pub(crate) fn ready(&self, url: &str) {
        self.tell(&format!("READY=1\nSTATUS=Serving at {url}"));
    }

    /// The server is ending on purpose.
    pub(crate) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=Finishing what is under way");
    }

    /// Feeds the watchdog as long as the server at `url` answers.
    pub(crate) fn watch(&self, url: &str) -> Option<JoinHandle<()>> {
        let every = self.watchdog.filter(|_| self.socket.is_some())? / FEEDS;
        let (manager, health) = (self.clone(), format!("{url}/api/v1/health"));
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(every)
            .build()
            .ok()?;
        Some(tokio::spawn(async move {
            loop {
                match client.get(&health).send().await {
                    Ok(answer) if answer.status().is_success() => manager.tell("WATCHDOG=1"),
                    Ok(answer) => {
                        tracing::warn!(status = %answer.status(), "the server does not answer itself as it should")
                    }
                    Err(error) => tracing::warn!(%error, "the server does not answer itself"),
                }
                tokio::time::sleep(every).await;
            }
        }))
    }

    fn tell(&self, news: &str) {
        let Some(socket) = &self.socket else { return };
        let name = socket.as_os_str().as_bytes();
        let address = match name.strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(socket),
        };
        let told = address.and_then(|address| {
            let from = UnixDatagram::unbound()?;
            from.set_nonblocking(true)?;
            from.send_to_addr(news.as_bytes(), &address)
        });
        if let Err(error) = told {
            tracing::debug!(%error, "the service manager could not be told: {news}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn news_reach_a_path_and_an_abstract_name() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let name = format!("cygni-test-{}", std::process::id());
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
                PathBuf::from(format!("@{name}")),
            ),
        ];
        for (listener, socket) in sockets {
            let manager = Manager {
                socket: Some(socket),
                watchdog: None,
            };
            manager.ready("http://127.0.0.1:7700");
            let mut news = [0; 200];
            let count = listener.recv(&mut news).unwrap();
            assert_eq!(
                &news[..count],
                b"READY=1\nSTATUS=Serving at http://127.0.0.1:7700"
            );
        }
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        Manager::default().stopping();
        let gone = Manager {
            socket: Some("/nowhere/notify".into()),
            watchdog: None,
        };
        gone.stopping();
    }
}
