//! Go's module proxy and checksum database.
//!
//! The hash of a distribution comes from the checksum database, which is asked through the proxy where that offers it.
//! It does *not* check the database's proofs: what is trusted is its answer over TLS. Source: "GOPROXY protocol" and
//! "Checksum database" in the reference of Go modules.

use super::{Client, FetchError, Integrity, Package, Versions, shown};
use crate::toolchain::kinds::go::parse;

/// The module that holds distributions.
const MODULE: &str = "golang.org/toolchain";

/// The addresses in a text such as `https://proxy.golang.org,direct`.
pub(super) fn addresses(go_proxy: &str) -> impl Iterator<Item = &str> {
    let each = go_proxy.split([',', '|']).map(str::trim);
    each.filter(|one| one.starts_with("http://") || one.starts_with("https://"))
        .map(|one| one.trim_end_matches('/'))
}

/// All released versions for a machine such as `linux-amd64`.
pub(super) async fn versions(client: &Client, machine: &str) -> Result<Versions, FetchError> {
    let go_proxy = &client.registries.go_proxy;
    let mut last = None;
    for proxy in addresses(go_proxy) {
        let base = format!("{proxy}/{MODULE}/@v/");
        let bytes = match client.text(&format!("{base}list"), "text/plain").await {
            Ok(bytes) => bytes,
            Err(error) => {
                last = Some(error);
                continue;
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        return Ok(text
            .lines()
            .filter_map(|line| {
                let (_, name) = line.trim().split_once('-')?;
                let release = name.strip_suffix(machine)?.strip_suffix('.')?;
                let package = Package {
                    url: format!("{base}{}.zip", line.trim()),
                    integrity: Integrity::Go(line.trim().to_owned()),
                };
                Some((parse(release)?, package))
            })
            .collect());
    }
    Err(last.unwrap_or_else(|| FetchError::Http {
        url: MODULE.to_owned(),
        why: format!("GOPROXY is `{go_proxy}`, which names no proxy"),
    }))
}

/// The hash that the checksum database has for `version`.
pub(super) async fn hash(client: &Client, version: &str) -> Result<String, FetchError> {
    let sumdb = &client.registries.go_sumdb;
    let mut words = sumdb.split_whitespace();
    let name = words
        .next()
        .unwrap_or_default()
        .split('+')
        .next()
        .unwrap_or_default();
    if name.is_empty() || name == "off" {
        return Err(FetchError::NoHash {
            url: format!("{MODULE}@{version}"),
            why: "GOSUMDB is off".to_owned(),
        });
    }
    let own = words
        .next()
        .map_or_else(|| format!("https://{name}"), str::to_owned);
    let through = addresses(&client.registries.go_proxy).map(|proxy| format!("{proxy}/sumdb/{name}"));
    let mut last = None;
    for place in through.chain([own]) {
        let url = format!("{place}/lookup/{MODULE}@{version}");
        match client.text(&url, "text/plain").await {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let start = format!("{MODULE} {version} ");
                let hash = text.lines().find_map(|line| line.strip_prefix(&start));
                return hash
                    .map(|hash| hash.trim().to_owned())
                    .ok_or_else(|| FetchError::NoHash {
                        url: shown(&url),
                        why: "the answer does not name it".to_owned(),
                    });
            }
            Err(error) => last = Some(error),
        }
    }
    Err(FetchError::NoHash {
        url: format!("{MODULE}@{version}"),
        why: last.map_or_else(String::new, |error| error.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_can_be_asked() {
        let found: Vec<&str> = addresses("https://a.example/,http://b.example|direct,off").collect();
        assert_eq!(found, ["https://a.example", "http://b.example"]);
    }
}
