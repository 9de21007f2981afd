//! What the environment says: the only place that reads it.
//!
//! It is read once, before anything changes the process's identity: without root, the platform later becomes user 0 of
//! a user namespace of its own, and "am I root?" would get a wrong answer.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The data directory of a server that root runs.
pub(crate) const SYSTEM_DATA: &str = "/var/lib/cygni";

/// The variables and identities that matter, as they were at the start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) root: bool,
    /// `CX_DATA`.
    data: Option<PathBuf>,
    data_home: Option<PathBuf>,
    cache_home: Option<PathBuf>,
    config_home: Option<PathBuf>,
    home: Option<PathBuf>,
    /// Who called `sudo`: the user and group who may read the token too.
    pub(crate) sudo: Option<(u32, u32)>,
    /// `NO_COLOR` (no-color.org).
    pub(crate) no_color: bool,
    pub(crate) path: Option<String>,
    /// Whether there is a desktop to open a browser on.
    pub(crate) desktop: bool,
    /// `CX_LISTEN`: by which a local server is found.
    pub(crate) listen: Vec<SocketAddr>,
    /// `npm_config_registry`: where packages come from, when not from the public registry.
    pub(crate) registry: Option<String>,
    /// `UV_DEFAULT_INDEX`, `UV_INDEX_URL` or `PIP_INDEX_URL`: where Python packages come from.
    pub(crate) python_index: Option<String>,
    /// `GOPROXY` and `GOSUMDB`: where Go modules and their hashes come from.
    pub(crate) go_proxy: Option<String>,
    pub(crate) go_sumdb: Option<String>,
    /// `HTTPS_PROXY` or `https_proxy`.
    pub(crate) proxy: Option<String>,
    /// `SSL_CERT_FILE`: the certificates that programs in sandboxes trust too.
    pub(crate) ca_bundle: Option<PathBuf>,
    /// `CX_LOG`: which records the server writes, in the notation of `tracing`.
    pub(crate) log: Option<String>,
    /// Forges whose tokens are in the environment.
    pub(crate) forges: ForgeTokens,
    /// `NOTIFY_SOCKET`: where a service manager wants to hear how the server is.
    pub(crate) notify_socket: Option<PathBuf>,
    /// `WATCHDOG_USEC`: how long the server may be silent.
    pub(crate) watchdog: Option<Duration>,
}

/// What the environment says of forges. Not `Debug`: it holds tokens.
#[derive(Clone, Default)]
pub(crate) struct ForgeTokens {
    /// `GITHUB_TOKEN`.
    pub(crate) github: Option<String>,
    /// `GITHUB_SERVER_URL` and `GITHUB_API_URL`, as GitHub's own runners have them.
    pub(crate) github_url: Option<String>,
    pub(crate) github_api_url: Option<String>,
    /// `GITEA_TOKEN`.
    pub(crate) gitea: Option<String>,
    /// `GITEA_SERVER_URL`.
    pub(crate) gitea_url: Option<String>,
    /// `CX_WEBHOOK_SECRET`: what their webhooks are signed with.
    pub(crate) webhook_secret: Option<String>,
}

impl std::fmt::Debug for ForgeTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (github, gitea) = (self.github.is_some(), self.gitea.is_some());
        f.debug_struct("ForgeTokens")
            .field("github", &github)
            .field("gitea", &gitea)
            .finish_non_exhaustive()
    }
}

impl Environment {
    pub(crate) fn read() -> Self {
        let path = |name| var(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let number = |name| var(name).and_then(|text| text.parse::<u32>().ok());
        let root = rustix::process::geteuid().is_root();
        Self {
            root,
            data: var("CX_DATA").map(PathBuf::from),
            data_home: path("XDG_DATA_HOME"),
            cache_home: path("XDG_CACHE_HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
            sudo: number("SUDO_UID")
                .zip(number("SUDO_GID"))
                .filter(|(uid, _)| root && *uid != 0),
            no_color: var("NO_COLOR").is_some(),
            path: var("PATH"),
            listen: var("CX_LISTEN")
                .map(|text| text.split(',').filter_map(|one| one.parse().ok()).collect())
                .unwrap_or_default(),
            desktop: var("DISPLAY").is_some() || var("WAYLAND_DISPLAY").is_some(),
            registry: var("npm_config_registry").or_else(|| var("NPM_CONFIG_REGISTRY")),
            python_index: ["UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL"]
                .into_iter()
                .find_map(var),
            go_proxy: var("GOPROXY"),
            go_sumdb: var("GOSUMDB"),
            proxy: var("HTTPS_PROXY").or_else(|| var("https_proxy")),
            ca_bundle: path("SSL_CERT_FILE"),
            log: var("CX_LOG"),
            forges: ForgeTokens {
                github: var("GITHUB_TOKEN"),
                github_url: var("GITHUB_SERVER_URL"),
                github_api_url: var("GITHUB_API_URL"),
                gitea: var("GITEA_TOKEN"),
                gitea_url: var("GITEA_SERVER_URL"),
                webhook_secret: var("CX_WEBHOOK_SECRET"),
            },
            notify_socket: var("NOTIFY_SOCKET").map(PathBuf::from),
            watchdog: var("WATCHDOG_USEC")
                .and_then(|text| text.parse().ok())
                .map(Duration::from_micros),
        }
    }

    /// The same, for a server whose addresses and data directory the command line names.
    pub(crate) fn with_server(&self, listen: Vec<SocketAddr>, data: Option<PathBuf>) -> Self {
        let listen = if listen.is_empty() {
            self.listen.clone()
        } else {
            listen
        };
        Self {
            listen,
            data: data.or_else(|| self.data.clone()),
            ..self.clone()
        }
    }

    /// Where a server started here keeps its data.
    pub(crate) fn data_dir(&self) -> PathBuf {
        if let Some(data) = &self.data {
            return data.clone();
        }
        if self.root {
            return PathBuf::from(SYSTEM_DATA);
        }
        self.user_data()
    }

    fn user_data(&self) -> PathBuf {
        let home = || self.home.as_ref().map(|home| home.join(".local/share"));
        self.data_home
            .clone()
            .or_else(home)
            .unwrap_or_else(std::env::temp_dir)
            .join("cygni")
    }

    /// Where a local server may keep its data: our own directory first, then the system's.
    pub(crate) fn data_dirs(&self) -> Vec<PathBuf> {
        let mut dirs = vec![self.data_dir()];
        if self.data.is_none() {
            dirs.extend([self.user_data(), PathBuf::from(SYSTEM_DATA)]);
        }
        dirs.dedup();
        dirs
    }

    /// Where caches go that may be deleted at any time; `None` where there is no home.
    pub(crate) fn cache_dir(&self) -> Option<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".cache"));
        self.cache_home.clone().or_else(home).map(|dir| dir.join("cygni"))
    }

    /// Where settings of the user go; `None` where there is no home.
    pub(crate) fn config_dir(&self) -> Option<PathBuf> {
        let home = || self.home.as_ref().map(|home| home.join(".config"));
        self.config_home.clone().or_else(home)
    }

    /// The home directory, for the places where version managers keep their toolchains.
    pub(crate) fn home(&self) -> Option<&PathBuf> {
        self.home.as_ref()
    }
}

/// A variable that is set and not empty.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the environment"
)]
fn var(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
impl Environment {
    /// One that keeps its data in `dir`.
    pub(crate) fn with_data(dir: &std::path::Path) -> Self {
        Self {
            data: Some(dir.to_owned()),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_users_have_their_own_places() {
        let home = Some(PathBuf::from("/home/ada"));
        let ada = Environment {
            home: home.clone(),
            ..Environment::default()
        };
        assert_eq!(ada.data_dir(), PathBuf::from("/home/ada/.local/share/cygni"));
        assert_eq!(ada.data_dirs().last(), Some(&PathBuf::from("/var/lib/cygni")));
        let root = Environment {
            root: true,
            home,
            ..Environment::default()
        };
        assert_eq!(root.data_dir(), PathBuf::from("/var/lib/cygni"));
    }

    #[test]
    fn a_given_directory_is_the_only_one() {
        let given = Environment {
            data: Some("/srv/cx".into()),
            root: true,
            ..Environment::default()
        };
        assert_eq!(given.data_dir(), PathBuf::from("/srv/cx"));
        assert_eq!(given.data_dirs(), [PathBuf::from("/srv/cx")]);
    }
}
