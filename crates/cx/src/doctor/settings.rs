//! The settings that a server started here would have, whoever said them.

use model::units::format_bytes;

use super::Finding;
use crate::server::ServerOptions;

const DAY_SECONDS: u64 = 86_400;

/// What holds, in one line.
pub(super) fn settings(options: &ServerOptions) -> Finding {
    let policy = &options.policy;
    let file = options.data.join("server.toml");
    let from = match file.exists() {
        true => format!("from {} and defaults", file.display()),
        false => format!("defaults; {} can change them", file.display()),
    };
    let floor = policy
        .floor_bytes
        .map_or_else(|| "a twentieth of the disk".to_owned(), format_bytes);
    let text = format!(
        "previews live {}, {} deployments kept, history {} days, caches {} days, {floor} stay free, {} builds at once ({} \
        per project); {from}",
        policy.ttl,
        policy.keep,
        policy.history_seconds / DAY_SECONDS,
        policy.cache_seconds / DAY_SECONDS,
        options.builds_max,
        options.builds_per_project_max,
    );
    Finding::ok("settings", text.replace("live never", "live for ever"))
}
