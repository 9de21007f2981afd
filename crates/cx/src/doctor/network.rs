//! Names and registries.

use std::net::ToSocketAddrs as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Finding;
use super::kernel::clock;
use crate::client::deepest;
use crate::server::ServerOptions;

const REGISTRY_ANSWER: Duration = Duration::from_secs(8);

/// How hosts of previews resolve.
pub(super) fn local_names(domain: &str) -> Finding {
    let host = format!("test.{domain}");
    let name = format!("*.{domain}");
    let local = domain == "localhost" || domain.ends_with(".localhost");
    match (host.as_str(), 80)
        .to_socket_addrs()
        .map(|addresses| addresses.map(|a| a.ip()).collect::<Vec<_>>())
    {
        Ok(ips) if !ips.is_empty() && (!local || ips.iter().all(|ip| ip.is_loopback())) => {
            let ips = ips.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            Finding::ok(&name, format!("resolves to {ips}"))
        }
        _ if local => Finding::warn(
            &name,
            "this system does not resolve it; browsers and cx do by themselves, curl and others may not",
            "install libnss-myhostname, or use systemd-resolved; curl takes --resolve",
        ),
        _ => Finding::bad(
            &name,
            format!("{host} does not resolve"),
            format!("add a wildcard record for *.{domain} that names this machine"),
        ),
    }
}

/// Whether toolchains and dependencies can be fetched, and whether the registry has the same time.
pub(super) async fn registry(options: &ServerOptions) -> Vec<Finding> {
    let advice =
        "check the network, HTTPS_PROXY and SSL_CERT_FILE; only what is in the store can be built without it";
    let client = reqwest::Client::builder().timeout(REGISTRY_ANSWER).build();
    let url = format!("{}/-/ping", options.registries.npm.trim_end_matches('/'));
    let answer = match client {
        Ok(client) => client.get(&url).send().await,
        Err(error) => Err(error),
    };
    let theirs = answer.as_ref().ok().and_then(|answer| {
        let date = answer.headers().get(reqwest::header::DATE)?.to_str().ok()?;
        seconds(httpdate::parse_http_date(date).ok()?)
    });
    let times = seconds(SystemTime::now()).zip(theirs);
    let registry = match answer {
        Ok(answer) if answer.status().as_u16() < 500 => {
            Finding::ok("registry", format!("{} answers", options.registries.npm))
        }
        Ok(answer) => Finding::warn(
            "registry",
            format!("{} answers {}", options.registries.npm, answer.status()),
            advice,
        ),
        Err(error) => Finding::warn(
            "registry",
            format!("{}: {}", options.registries.npm, deepest(&error)),
            advice,
        ),
    };
    let clock = times.map(|(ours, theirs)| clock(ours, theirs));
    std::iter::once(registry).chain(clock).collect()
}

fn seconds(time: SystemTime) -> Option<u64> {
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}
