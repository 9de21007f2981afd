//! What cx.toml says about limits and network, over the defaults. The server's own ceilings are applied elsewhere.

use model::limits::Limits;
use model::network::Network;
use model::project_file::ProjectFile;

pub(super) fn limits(file: &ProjectFile) -> Limits {
    let default = Limits::default();
    let said = &file.limits;
    Limits {
        cpu_millis: said
            .cpu
            .map_or(default.cpu_millis, |cpus| (cpus * 1_000.0).round() as u32),
        memory_bytes: said.memory.unwrap_or(default.memory_bytes),
        disk_bytes: said.disk.unwrap_or(default.disk_bytes),
        pids_max: default.pids_max,
        build_seconds_max: said.timeout.map_or(default.build_seconds_max, clamp),
        idle_seconds: said.idle.map(clamp).or(default.idle_seconds),
    }
}

pub(super) fn network(file: &ProjectFile) -> Network {
    let default = Network::default();
    let said = &file.network;
    Network {
        install: said.install.clone().unwrap_or(default.install),
        build: said.build.clone().unwrap_or(default.build),
        run: said.run.clone().unwrap_or(default.run),
    }
}

fn clamp(seconds: u64) -> u32 {
    u32::try_from(seconds).unwrap_or(u32::MAX)
}
