//! What a server is told: flags over environment over defaults.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use crate::cli::ServeArgs;
use crate::client::DEFAULT_PORT;
use crate::environment::Environment;

/// Where packages come from unless somebody says otherwise.
const REGISTRY: &str = "https://registry.npmjs.org";

/// Everything that the wiring needs to know.
#[derive(Clone, Debug)]
pub(crate) struct ServerOptions {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) data: PathBuf,
    /// What stands behind every label of a preview's host.
    pub(crate) domain: String,
    /// The host of API and dashboard.
    pub(crate) dashboard_host: String,
    /// Who called `sudo`, and may read the token too.
    pub(crate) sudo: Option<(u32, u32)>,
    pub(crate) registry_url: String,
    pub(crate) proxy: Option<String>,
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Where Node may be installed on this machine.
    pub(crate) toolchain_search: Vec<PathBuf>,
}

impl ServerOptions {
    pub(crate) fn new(args: &ServeArgs, environment: &Environment) -> Self {
        let both = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            (Ipv6Addr::LOCALHOST, DEFAULT_PORT).into(),
        ];
        let path = environment.path.clone().unwrap_or_default();
        let domain = args.domain.to_ascii_lowercase();
        Self {
            listen: if args.listen.is_empty() {
                both.to_vec()
            } else {
                args.listen.clone()
            },
            data: args.data.clone().unwrap_or_else(|| environment.data_dir()),
            dashboard_host: args
                .dashboard_host
                .as_ref()
                .map_or_else(|| domain.clone(), |host| host.to_ascii_lowercase()),
            domain,
            sudo: environment.sudo,
            registry_url: environment
                .registry
                .clone()
                .unwrap_or_else(|| REGISTRY.to_owned()),
            proxy: environment.proxy.clone(),
            ca_bundle: environment.ca_bundle.clone(),
            toolchain_search: builder::toolchain::places(environment.home().map(PathBuf::as_path), &path),
        }
    }

    /// Names of registries that installs may reach besides the public ones.
    pub(super) fn own_registries(&self) -> Vec<String> {
        let host = reqwest::Url::parse(&self.registry_url)
            .ok()
            .and_then(|url| url.host_str().map(str::to_owned));
        host.into_iter()
            .filter(|host| !REGISTRY.ends_with(host.as_str()))
            .collect()
    }
}
