//! What a server is told: flags over environment over `server.toml` over defaults.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use control::Policy;

use super::settings::Settings;
use crate::cli::ServeArgs;
use crate::client::DEFAULT_PORT;
use crate::environment::Environment;
use crate::exit::Fault;

/// What stands behind every label unless somebody says otherwise.
const DOMAIN: &str = "localhost";
/// Builds that run at the same time unless somebody says otherwise: one per core, but at least these.
const BUILDS_MIN: usize = 2;
const BUILDS_PER_PROJECT: usize = 2;
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
    /// How long things are kept, and how much of the disk stays free.
    pub(crate) policy: Policy,
    /// Builds that run at the same time.
    pub(crate) builds_max: usize,
    pub(crate) builds_per_project_max: usize,
}

impl ServerOptions {
    /// Reads the settings of the data directory; flags and the environment come before them.
    pub(crate) fn new(args: &ServeArgs, environment: &Environment) -> Result<Self, Fault> {
        let data = args.data.clone().unwrap_or_else(|| environment.data_dir());
        let settings = Settings::read(&data)?;
        let both = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            (Ipv6Addr::LOCALHOST, DEFAULT_PORT).into(),
        ];
        let path = environment.path.clone().unwrap_or_default();
        let said = args.domain.as_ref().or(settings.domain.as_ref());
        let domain = said.map_or_else(|| DOMAIN.to_owned(), |domain| domain.to_ascii_lowercase());
        let listen = [&args.listen, &settings.listen];
        let listen = listen.into_iter().find(|listen| !listen.is_empty());
        let dashboard = args.dashboard_host.as_ref().or(settings.dashboard_host.as_ref());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            listen: listen.map_or_else(|| both.to_vec(), Clone::clone),
            data,
            dashboard_host: dashboard.map_or_else(|| domain.clone(), |host| host.to_ascii_lowercase()),
            policy: settings.policy(),
            builds_max: settings.builds.at_once.unwrap_or(cores.max(BUILDS_MIN)),
            builds_per_project_max: settings.builds.per_project.unwrap_or(BUILDS_PER_PROJECT),
            domain,
            sudo: environment.sudo,
            registry_url: environment
                .registry
                .clone()
                .unwrap_or_else(|| REGISTRY.to_owned()),
            proxy: environment.proxy.clone(),
            ca_bundle: environment.ca_bundle.clone(),
            toolchain_search: builder::toolchain::places(environment.home().map(PathBuf::as_path), &path),
        })
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
