//! What a server is told: flags over environment over `server.toml` over defaults.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use builder::Registries;
use control::Policy;
use control::view::Rehearsal;
use reqwest::Url;
use tokio::sync::mpsc;

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

/// Everything that the wiring needs to know.
#[derive(Clone)]
pub(crate) struct ServerOptions {
    pub(crate) listen: Vec<SocketAddr>,
    pub(crate) data: PathBuf,
    /// What stands behind every label of a preview's host.
    pub(crate) domain: String,
    /// The host of API and dashboard.
    pub(crate) dashboard_host: String,
    /// Where dashboard and API are reached from outside, where that is not `http://` and their host.
    pub(crate) public_url: Option<Url>,
    /// Forges that are known as long as this server runs.
    pub(crate) forges: BTreeMap<String, forge::settings::Settings>,
    /// The one whose deliveries come to `/webhook`.
    pub(crate) webhook_forge: Option<String>,
    /// Who hears what would be done, where nothing is to be done.
    pub(crate) rehearsal: Option<mpsc::Sender<Rehearsal>>,
    /// Who called `sudo`, and may read the token too.
    pub(crate) sudo: Option<(u32, u32)>,
    /// Where toolchains and dependencies come from.
    pub(crate) registries: Registries,
    pub(crate) proxy: Option<String>,
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Where toolchains may be installed on this machine.
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
            public_url: args.public_url.as_ref().or(settings.public_url.as_ref()).cloned(),
            forges: super::forges::given(&environment.forges)?,
            webhook_forge: None,
            rehearsal: None,
            policy: settings.policy(),
            builds_max: settings.builds.at_once.unwrap_or(cores.max(BUILDS_MIN)),
            builds_per_project_max: settings.builds.per_project.unwrap_or(BUILDS_PER_PROJECT),
            domain,
            sudo: environment.sudo,
            registries: registries(environment),
            proxy: environment.proxy.clone(),
            ca_bundle: environment.ca_bundle.clone(),
            toolchain_search: builder::toolchain::places(environment.home().map(PathBuf::as_path), &path),
        })
    }

    /// Names of registries that installs may reach besides the public ones.
    pub(super) fn own_registries(&self) -> Vec<String> {
        let public = Registries::default();
        let public: Vec<String> = public.urls().filter_map(host).collect();
        let own = self.registries.urls().filter_map(host);
        own.filter(|host| !public.contains(host)).collect()
    }
}

fn host(url: &str) -> Option<String> {
    reqwest::Url::parse(url).ok()?.host_str().map(str::to_owned)
}

/// The public registries, but for those of which the environment names another.
fn registries(environment: &Environment) -> Registries {
    let public = Registries::default();
    let or = |own: &Option<String>, public: String| own.clone().unwrap_or(public);
    Registries {
        npm: or(&environment.registry, public.npm),
        pypi: or(&environment.python_index, public.pypi),
        go_proxy: or(&environment.go_proxy, public.go_proxy),
        go_sumdb: or(&environment.go_sumdb, public.go_sumdb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operators_own_registries_are_reached() {
        let data = tempfile::tempdir().unwrap();
        let mut environment = Environment::with_data(data.path());
        let mut options = ServerOptions::new(&ServeArgs::default(), &environment).unwrap();
        environment.python_index = Some("https://ada:hunter2@packages.example/simple".to_owned());
        environment.go_proxy = Some("https://modules.example,direct".to_owned());
        assert!(options.own_registries().is_empty());
        options.registries = registries(&environment);
        assert_eq!(options.own_registries(), ["packages.example", "modules.example"]);
    }
}
