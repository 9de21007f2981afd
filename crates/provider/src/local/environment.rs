//! What a server finds around it: its variables, and where things are.
//!
//! The project's variables win over the plan's, and the plan's over ours, but for the few that hold everything together.

use std::collections::BTreeMap;

use model::artifact::Server;
use model::inside::{self, CA_BUNDLE, HOME_DIRECTORY};

use crate::InstanceSpec;

/// What an instance is told to listen on where nothing else is known.
pub(super) const PORT: u16 = 3000;

/// The whole environment of an instance.
pub(super) fn environment(spec: &InstanceSpec) -> Vec<(String, String)> {
    let port = spec.server.port.unwrap_or(PORT).to_string();
    let ours = [
        ("LANG", "C.UTF-8"),
        ("NODE_ENV", "production"),
        ("HOST", "0.0.0.0"),
        ("PORT", &port),
        ("SSL_CERT_FILE", CA_BUNDLE),
        ("NODE_EXTRA_CA_CERTS", CA_BUNDLE),
        ("REQUESTS_CA_BUNDLE", CA_BUNDLE),
    ];
    let mut all: BTreeMap<String, String> = ours
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    all.extend(spec.server.variables.clone());
    all.extend(spec.variables.iter().cloned());
    for (name, value) in [
        ("HOME", HOME_DIRECTORY),
        ("USER", "app"),
        ("LOGNAME", "app"),
        ("TMPDIR", "/tmp"),
    ] {
        all.insert(name.to_owned(), value.to_owned());
    }
    all.insert("PATH".to_owned(), path(&spec.server));
    all.into_iter().collect()
}

fn path(server: &Server) -> String {
    let toolchains: Vec<String> = server
        .toolchains
        .iter()
        .map(|toolchain| inside::toolchain(&toolchain.name, &toolchain.version))
        .collect();
    inside::path(&server.root, &toolchains)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::specification::tests::spec;

    #[test]
    fn the_projects_variables_win_but_not_over_the_path() {
        let mut spec = spec();
        spec.server
            .variables
            .insert("NODE_ENV".to_owned(), "staging".to_owned());
        spec.server.variables.insert("A".to_owned(), "plan".to_owned());
        spec.variables = vec![
            ("A".to_owned(), "mine".to_owned()),
            ("PATH".to_owned(), "/evil".to_owned()),
        ];
        let all: BTreeMap<_, _> = environment(&spec).into_iter().collect();
        assert_eq!(
            (all["A"].as_str(), all["NODE_ENV"].as_str(), all["PORT"].as_str()),
            ("mine", "staging", "3000")
        );
        let start = "/opt/toolchains/node-20.1.0/bin:/app/web/node_modules/.bin:/app/node_modules/.bin:/usr/";
        assert!(all["PATH"].starts_with(start), "{}", all["PATH"]);
    }
}
