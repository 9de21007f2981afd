//! The machine around the sandboxes: toolchains, disk, ports.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use builder::toolchain::Installation;
use model::units::format_bytes;

use super::Finding;
use crate::cli::Global;
use crate::client::{Client, find};
use crate::environment::Environment;

/// Below this, builds will soon fail, in bytes.
const DISK_BAD: u64 = 1 << 30;
/// Below this, it is time to look, in bytes.
const DISK_LOW: u64 = 10 << 30;

/// Toolchains, as found on the machine.
pub(super) fn toolchains(found: &[Installation]) -> Finding {
    let mut installed: Vec<String> = Vec::new();
    // Where `/lib` is a link to `/usr/lib`, the same npm is found again at the root.
    let all = found.iter().filter(|found| found.prefix != Path::new("/"));
    for Installation {
        prefix,
        name,
        version,
    } in all
    {
        installed.push(format!("{name} {version} in {}", prefix.display()));
    }
    let (rest, here) = match installed.is_empty() {
        true => (
            "Node, uv and Go are fetched from the registries when needed",
            "none on this machine; ".to_owned(),
        ),
        false => (
            "other versions of Node, uv and Go are fetched from the registries",
            format!("{}; ", installed.join(", ")),
        ),
    };
    Finding::ok("toolchains", format!("{here}{rest}"))
}

/// Room where the data is, or will be.
pub(super) fn disk(data: &Path) -> Finding {
    let advice = "make room, or keep the data elsewhere with --data";
    let existing = data
        .ancestors()
        .find(|dir| dir.exists())
        .unwrap_or(Path::new("/"));
    match rustix::fs::statvfs(existing) {
        Err(error) => Finding::warn(
            "disk",
            format!("{}: {error}", existing.display()),
            "check the data directory",
        ),
        Ok(room) => {
            let free = room.f_bavail.saturating_mul(room.f_frsize);
            let detail = format!("{} free at {}", format_bytes(free), existing.display());
            match free {
                ..DISK_BAD => Finding::bad("disk", detail, advice),
                DISK_BAD..DISK_LOW => Finding::warn("disk", detail, advice),
                _ => Finding::ok("disk", detail),
            }
        }
    }
}

/// Whether a server runs at the addresses, or could.
pub(super) async fn ports(listen: &[SocketAddr]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for address in listen {
        findings.push(port(*address).await);
    }
    findings
}

async fn port(address: SocketAddr) -> Finding {
    let name = format!("port {}", address.port());
    match TcpListener::bind(address) {
        Ok(_) => Finding::ok(&name, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => match version(address).await {
            Some(version) => Finding::ok(&name, format!("Cygni {version} answers at {address}")),
            None => {
                let advice = "stop that program, or listen elsewhere with --listen";
                Finding::bad(&name, format!("another program listens at {address}"), advice)
            }
        },
        Err(error) if address.is_ipv6() => Finding::warn(
            &name,
            format!("{address}: {error}"),
            "nothing, unless browsers reach this machine by IPv6 only",
        ),
        Err(error) => Finding::bad(
            &name,
            format!("{address}: {error}"),
            "choose another address with --listen",
        ),
    }
}

async fn version(address: SocketAddr) -> Option<String> {
    let global = Global {
        url: Some(format!("http://{address}")),
        token: Some(String::new()),
        ..Global::default()
    };
    let client = Client::new(find(&global, &Environment::default()).ok()?).ok()?;
    let health = client.health().await.ok()?;
    Some(health.get("version")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toolchains_have_versions_and_places() {
        let found = |name, version: &str, prefix: &str| Installation {
            prefix: prefix.into(),
            name,
            version: version.parse().unwrap(),
        };
        let all = [
            found("node", "20.1.2", "/opt/node"),
            found("npm", "10.8.2", "/opt/node"),
            found("npm", "10.8.2", "/"),
            found("python", "3.11.2", "/usr"),
        ];
        assert_eq!(
            toolchains(&all).detail,
            "node 20.1.2 in /opt/node, npm 10.8.2 in /opt/node, python 3.11.2 in /usr; other versions of Node, uv and \
             Go are fetched from the registries"
        );
        assert!(toolchains(&[]).detail.starts_with("none on this machine"));
    }
}
