//! What a program sees of files, and what of its files stays.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use sandbox::Mount;

use crate::Test;
use crate::stage::{Stage, on_stage, probe, shell};

pub(crate) const TESTS: &[Test] = &[
    (
        "host_files_data_directory_and_other_sandboxes_are_invisible",
        invisible,
    ),
    ("nothing_of_ours_or_the_hosts_can_be_changed", unchangeable),
    ("the_devices_are_the_harmless_ones", devices),
    ("a_read_only_mount_stays_as_it_is", read_only),
    ("what_is_written_belongs_to_the_platform_on_disk", writable),
    ("an_overlay_never_changes_its_layers", overlay),
    ("an_overlay_of_many_layers_shows_the_topmost", many_layers),
    ("small_files_are_there_and_read_only", small_files),
    (
        "a_link_left_in_a_layer_cannot_lead_a_mount_to_the_host",
        planted_link,
    ),
];

fn invisible() {
    on_stage(async |stage| {
        let secret = stage.path("secret");
        fs::write(&secret, "secret").unwrap();
        let other = stage.host.spawn(probe("other", &["count"])).await.unwrap();
        let paths = [
            secret.to_str().unwrap(),
            stage.dir.path().to_str().unwrap(),
            other.directory().to_str().unwrap(),
            "/root",
            "/etc/shadow",
            "/etc/hostname.host",
            "/var/lib",
            "/boot",
            "/sys",
            "/sys/fs/cgroup",
            "/.stage",
        ];
        let outcome = stage.run(probe("eyes", &[&["open"], &paths[..]].concat())).await;
        for line in outcome.good() {
            assert!(line.ends_with(" NotFound 2"), "{line}");
        }
        assert_eq!(outcome.good().len(), paths.len());
        let outcome = stage
            .run(shell("pids", "ls /proc | grep -c '^[0-9]'; ls /"))
            .await;
        let said = outcome.good();
        assert!(
            said[0].parse::<u32>().unwrap() <= 5,
            "only its own processes: {said:?}"
        );
        let known = [
            "bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "proc", "run", "sbin", "tmp",
        ];
        for name in &said[1..] {
            assert!(known.contains(name) || ["usr", "var"].contains(name), "{name}");
        }
        other.kill().await.unwrap();
        stage.host.remove("other").await.unwrap();
    });
}

fn unchangeable() {
    on_stage(async |stage| {
        let paths = [
            "/x",
            "/etc/passwd",
            "/usr/x",
            "/usr/bin/env",
            "/usr/local/x",
            "/dev/x",
            "/proc/sys/kernel/core_pattern",
        ];
        let outcome = stage
            .run(probe("hands", &[&["write"], &paths[..]].concat()))
            .await;
        for line in outcome.good() {
            assert!(!line.ends_with(" ok"), "{line}");
        }
        let paths = [
            "/tmp/x",
            "/run/x",
            "/var/tmp/x",
            "/home/app/x",
            "/dev/shm/x",
            "/dev/null",
        ];
        let outcome = stage
            .run(probe("hands", &[&["write"], &paths[..]].concat()))
            .await;
        for line in outcome.good() {
            assert!(line.ends_with(" ok"), "{line}");
        }
    });
}

fn devices() {
    on_stage(async |stage| {
        let script = "for f in /dev/* /dev/pts/*; do test ! -L $f -a ! -d $f && echo $f; done; head -c4 /dev/zero | wc -c";
        let outcome = stage.run(shell("dev", script)).await;
        let names = ["full", "null", "random", "tty", "urandom", "zero", "pts/ptmx"];
        let expected = names
            .map(|name| format!("/dev/{name}"))
            .into_iter()
            .chain(["4".to_owned()]);
        assert_eq!(outcome.good(), expected.collect::<Vec<_>>());
    });
}

fn read_only() {
    on_stage(async |stage| {
        let dir = stage.directory("layer");
        fs::write(dir.join("file"), "original").unwrap();
        let mut spec = shell(
            "ro",
            "cat /data/file; echo changed > /data/file; rm /data/file; touch /data/new; true",
        );
        spec.mounts.push(Mount::ReadOnly {
            source: dir.clone(),
            target: "/data".to_owned(),
        });
        assert_eq!(stage.run(spec).await.good(), ["original"]);
        assert_eq!(fs::read_to_string(dir.join("file")).unwrap(), "original");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    });
}

fn writable() {
    on_stage(async |stage| {
        let dir = stage.directory("data");
        fs::write(dir.join("old"), "old").unwrap();
        let mut spec = shell(
            "rw",
            "echo new > /data/new; echo more >> /data/old; mkdir /data/d; stat -c %U /data/old",
        );
        spec.mounts.push(Mount::Writable {
            source: dir.clone(),
            target: "/data".to_owned(),
        });
        assert_eq!(stage.run(spec).await.good(), ["app"]);
        assert_eq!(
            fs::read_to_string(dir.join("old")).unwrap(),
            "old\nmore\n".replacen('\n', "", 1)
        );
        for name in ["new", "old", "d"] {
            assert_eq!(
                fs::metadata(dir.join(name)).unwrap().uid(),
                0,
                "{name}: ours, as we see it"
            );
        }
    });
}

fn overlay() {
    on_stage(async |stage| {
        let (lower, upper, work) = (
            stage.directory("lower"),
            stage.directory("upper"),
            stage.directory("work"),
        );
        fs::write(lower.join("kept"), "kept").unwrap();
        fs::write(lower.join("changed"), "before").unwrap();
        fs::write(lower.join("deleted"), "here").unwrap();
        fs::create_dir(lower.join("dir")).unwrap();
        fs::set_permissions(lower.join("changed"), fs::Permissions::from_mode(0o644)).unwrap();
        let script = "cd /app; echo after > changed; rm deleted; echo new > dir/new; ls; cat kept changed";
        let mut spec = shell("overlay", script);
        spec.mounts.push(layers(vec![lower.clone()], &stage));
        assert_eq!(
            stage.run(spec).await.good(),
            ["changed", "dir", "kept", "keptafter"]
        );
        assert_eq!(fs::read_to_string(lower.join("changed")).unwrap(), "before");
        assert_eq!(fs::read_to_string(lower.join("deleted")).unwrap(), "here");
        assert_eq!(fs::read_dir(lower.join("dir")).unwrap().count(), 0);
        assert_eq!(fs::read_to_string(upper.join("dir/new")).unwrap(), "new\n");
        for name in ["changed", "dir", "dir/new"] {
            assert_eq!(
                fs::metadata(upper.join(name)).unwrap().uid(),
                0,
                "{name}: ours, as we see it"
            );
        }
        assert!(work.is_dir());
    });
}

fn layers(lowers: Vec<std::path::PathBuf>, stage: &Stage) -> Mount {
    let (upper, work) = (stage.path("upper"), stage.path("work"));
    Mount::Overlay {
        lowers,
        upper,
        work,
        target: "/app".to_owned(),
    }
}

fn many_layers() {
    on_stage(async |stage| {
        let lowers: Vec<_> = (0..60)
            .map(|number| {
                let dir = stage.directory(&format!(
                    "layer-with-a-rather-long-name-so-that-options-overflow-{number}"
                ));
                fs::write(dir.join("top"), number.to_string()).unwrap();
                fs::write(dir.join(format!("only-{number}")), "").unwrap();
                dir
            })
            .collect();
        stage.directory("upper");
        stage.directory("work");
        let mut spec = shell("layers", "cat /app/top; echo; ls /app | grep -c only");
        spec.mounts.push(layers(lowers, &stage));
        assert_eq!(stage.run(spec).await.good(), ["0", "60"]);
    });
}

fn small_files() {
    on_stage(async |stage| {
        let mut spec = shell(
            "files",
            "/opt/hook; cat /etc/app/settings; echo x > /opt/hook; test -w /etc/app/settings; echo $?",
        );
        let contents = b"#!/bin/sh\necho hooked\n".to_vec();
        spec.mounts.push(Mount::File {
            target: "/opt/hook".to_owned(),
            contents,
            executable: true,
        });
        let contents = b"a=1\n".to_vec();
        spec.mounts.push(Mount::File {
            target: "/etc/app/settings".to_owned(),
            contents,
            executable: false,
        });
        assert_eq!(stage.run(spec).await.good(), ["hooked", "a=1", "1"]);
    });
}

fn planted_link() {
    on_stage(async |stage| {
        let (dir, outside) = (stage.directory("data"), stage.directory("outside"));
        std::os::unix::fs::symlink(&outside, dir.join("link")).unwrap();
        let mut spec = shell("link", "true");
        spec.mounts.push(Mount::Writable {
            source: dir,
            target: "/data".to_owned(),
        });
        let contents = b"x".to_vec();
        spec.mounts.push(Mount::File {
            target: "/data/link/planted".to_owned(),
            contents,
            executable: false,
        });
        // Whether it starts is beside the point; what lies outside must not change.
        if let Ok(sandbox) = stage.host.spawn(spec).await {
            stage.outcome(&sandbox).await;
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    });
}
