//! Files: out of the root by name, link or device, and into what is shared by way of a link or an attribute.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use sandbox::Mount;

use super::{call, is_root, outside, verdict};
use crate::Test;
use crate::stage::{Stage, on_stage, probe as inside, shell};

pub(crate) const TESTS: &[Test] = &[
    ("escape_by_dot_dot_from_every_directory", dot_dot),
    ("escape_by_links_to_the_hosts_paths", links),
    ("escape_by_making_devices", make_devices),
    ("escape_by_a_device_file_planted_on_disk", planted_device),
    ("escape_by_file_capabilities", file_capabilities),
    ("escape_by_hard_links_to_shared_files", hard_links),
    (
        "escape_a_shared_lower_file_cannot_be_changed_in_any_way",
        shared_lower,
    ),
    ("escape_overlay_attributes_cannot_be_forged", forged_attributes),
    ("escape_nothing_mounted_outside_shows_inside", propagation),
    ("escape_by_a_socket_or_pipe_of_the_host_by_path", sockets_by_path),
    (
        "escape_a_trap_in_a_shared_directory_is_not_followed_by_a_later_mount",
        later_mount,
    ),
];

pub(super) fn probe(arguments: &[&str]) -> bool {
    match arguments {
        ["climb"] => climb(),
        ["devices", dir] => devices(dir),
        ["spoil", path, blob] => spoil(path, blob),
        ["attribute", path, name] => println!("{}", verdict(set_attribute(path, name, b"y"))),
        ["socket", path] => println!("{}", std::os::unix::net::UnixStream::connect(path).is_ok()),
        _ => return false,
    }
    true
}

/// Prints whether anything above the root is another directory than the root.
fn climb() {
    let root = fs::metadata("/").unwrap();
    for start in ["/", "/tmp", "/usr/bin", "/proc/self", "/dev/pts"] {
        std::env::set_current_dir(start).unwrap();
        for _ in 0..64 {
            std::env::set_current_dir("..").unwrap();
        }
        let top = fs::metadata(".").unwrap();
        println!("{}", top.dev() == root.dev() && top.ino() == root.ino());
        println!("{}", Path::new("../../../../../../../../etc/shadow").exists());
    }
}

fn dot_dot() {
    on_stage(async |stage| {
        let outcome = stage.run(inside("climber", &["climb"])).await;
        assert_eq!(outcome.good(), ["true", "false"].repeat(5));
        assert!(
            Path::new("/etc/shadow").exists(),
            "there is something to be found"
        );
    });
}

fn links() {
    on_stage(async |stage| {
        let (dir, outside) = (stage.directory("data"), stage.directory("outside"));
        fs::write(outside.join("secret"), "secret").unwrap();
        std::os::unix::fs::symlink(&outside, dir.join("link")).unwrap();
        std::os::unix::fs::symlink("../../../../../../../../root", dir.join("up")).unwrap();
        let script = format!(
            "cat /data/link/secret /data/up/.bashrc; echo x > /data/link/new; ln -s {} /tmp/own; cat /tmp/own/secret; \
             cat /proc/self/cwd/{}/secret; true",
            outside.display(),
            outside.display()
        );
        let mut spec = shell("links", &script);
        spec.mounts.push(writable(dir));
        assert_eq!(stage.run(spec).await.good(), [] as [&str; 0]);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    });
}

fn writable(source: std::path::PathBuf) -> Mount {
    Mount::Writable {
        source,
        target: "/data".to_owned(),
    }
}

/// The host's disk, memory, kernel log and a harmless one, made in `dir` and opened.
fn devices(dir: &str) {
    for (kind, major, minor) in [
        (libc::S_IFBLK, 254, 0),
        (libc::S_IFBLK, 8, 0),
        (libc::S_IFCHR, 1, 1),
        (libc::S_IFCHR, 1, 11),
        (libc::S_IFCHR, 1, 3),
    ] {
        let path = CString::new(format!("{dir}/d{major}-{minor}")).unwrap();
        let number = libc::makedev(major, minor);
        let made = call(
            libc::SYS_mknodat,
            [
                -100,
                path.as_ptr() as i64,
                i64::from(kind | 0o666),
                number as i64,
                0,
                0,
            ],
        );
        println!("{}", verdict(made));
    }
}

fn make_devices() {
    on_stage(async |stage| {
        let dir = stage.directory("data");
        for place in ["/tmp", "/dev/shm", "/data", "/dev"] {
            let mut spec = inside("maker", &["devices", place]);
            spec.mounts.push(writable(dir.clone()));
            for line in stage.run(spec).await.good() {
                assert!(line.starts_with("error"), "{place}: {line}");
            }
        }
        if is_root() {
            assert_eq!(outside(&["devices", dir.to_str().unwrap()]), ["ok"; 5]);
        }
    });
}

fn planted_device() {
    on_stage(async |stage| {
        let dir = stage.directory("data");
        if is_root() {
            outside(&["devices", dir.to_str().unwrap()]);
            assert!(File::open(dir.join("d1-3")).is_ok(), "outside it is a device");
        }
        let script = "for d in /data/d*; do test -e $d && (: < $d) 2>/dev/null && echo $d; done; grep -v nodev /proc/self/mounts";
        let mut spec = shell("opener", script);
        spec.mounts.push(writable(dir));
        let outcome = stage.run(spec).await;
        // Only the devices that we put there, and the terminals of its own.
        for line in outcome.said() {
            assert!(
                line.split(' ')
                    .nth(1)
                    .is_some_and(|place| place.starts_with("/dev/")),
                "{line}"
            );
        }
    });
}

fn file_capabilities() {
    on_stage(async |stage| {
        let program = stage.path("capable");
        fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        // VFS_CAP_REVISION_2 with the effective bit; every capability permitted.
        let mut value = [0xffu8; 20];
        value[..4].copy_from_slice(&0x0200_0001u32.to_le_bytes());
        value[8..12].copy_from_slice(&[0; 4]);
        value[16..].copy_from_slice(&[0; 4]);
        let set = set_attribute(program.to_str().unwrap(), "security.capability", &value);
        assert_eq!(set, 0, "{}", std::io::Error::last_os_error());
        let mut spec = inside("capable", &["identity"]);
        spec.argv[0] = "/opt/capable".to_owned();
        spec.mounts.push(Mount::ReadOnly {
            source: program,
            target: "/opt/capable".to_owned(),
        });
        let outcome = stage.run(spec).await;
        let said = outcome.good();
        assert_eq!(said[0], "1000 1000");
        assert!(
            said[1..6].iter().all(|line| line.ends_with(" 0000000000000000")),
            "{said:?}"
        );
    });
}

fn set_attribute(path: &str, name: &str, value: &[u8]) -> i64 {
    let (path, name) = (CString::new(path).unwrap(), CString::new(name).unwrap());
    call(
        libc::SYS_setxattr,
        [
            path.as_ptr() as i64,
            name.as_ptr() as i64,
            value.as_ptr() as i64,
            value.len() as i64,
            0,
            0,
        ],
    )
}

fn hard_links() {
    on_stage(async |stage| {
        let (layer, data) = (stage.directory("layer"), stage.directory("data"));
        fs::write(layer.join("file"), "original").unwrap();
        let script = "ln /layer/file /data/a; ln /layer/file /layer/b; ln -L /proc/self/fd/3 /data/c 3</layer/file; \
                      ln /usr/bin/env /data/d; ln /etc/passwd /data/e; ls /data";
        let mut spec = shell("linker", script);
        spec.mounts.push(Mount::ReadOnly {
            source: layer.clone(),
            target: "/layer".to_owned(),
        });
        spec.mounts.push(writable(data));
        assert_eq!(stage.run(spec).await.good(), [] as [&str; 0]);
        assert_eq!(fs::metadata(layer.join("file")).unwrap().nlink(), 1);
    });
}

/// Everything that changes a file, one after the other; then `blob`, beside it on the host, must be as it was.
fn spoil(path: &str, linked: &str) {
    let c = CString::new(path).unwrap();
    let name = c.as_ptr() as i64;
    let _ = fs::hard_link(path, linked);
    for target in [path, linked] {
        if let Ok(file) = File::options().read(true).write(true).open(target) {
            let fd: i64 = file.as_raw_fd().into();
            let page = call(libc::SYS_mmap, [0, 4096, 3, libc::MAP_SHARED.into(), fd, 0]);
            if page > 0 {
                // SAFETY: one page that was just mapped writable, as large as the file at least in its first byte.
                unsafe { *(page as *mut u8) = b'!' };
            }
            call(libc::SYS_fallocate, [fd, 3, 0, 4, 0, 0]);
            call(libc::SYS_ftruncate, [fd, 3, 0, 0, 0, 0]);
        }
        let _ = fs::write(target, "spoiled");
        let _ = fs::set_permissions(target, fs::Permissions::from_mode(0o6777));
    }
    call(libc::SYS_utimensat, [-100, name, 0, 0, 0, 0]);
    set_attribute(path, "user.mark", b"y");
    let _ = fs::rename(path, format!("{path}.moved"));
    println!("{}", fs::read_to_string(format!("{path}.moved")).unwrap());
}

fn shared_lower() {
    on_stage(async |stage| {
        let (lower, blobs) = (stage.directory("lower"), stage.directory("blobs"));
        fs::write(blobs.join("blob"), "original").unwrap();
        fs::hard_link(blobs.join("blob"), lower.join("file")).unwrap();
        let before = fs::metadata(blobs.join("blob")).unwrap();
        let mut spec = inside("spoiler", &["spoil", "/app/file", "/app/twin"]);
        spec.mounts.push(overlay(&stage, lower.clone()));
        // The attempts are good ones: above the overlay the file is another one afterwards.
        assert_eq!(stage.run(spec).await.good(), ["spoiled"]);
        let after = fs::metadata(blobs.join("blob")).unwrap();
        assert_eq!(fs::read_to_string(blobs.join("blob")).unwrap(), "original");
        let known = |m: &fs::Metadata| (m.mode(), m.uid(), m.nlink(), m.mtime_nsec(), m.ctime_nsec());
        assert_eq!(known(&after), known(&before));
        assert_eq!(fs::read_dir(&lower).unwrap().count(), 1);
    });
}

fn overlay(stage: &Stage, lower: std::path::PathBuf) -> Mount {
    Mount::Overlay {
        lowers: vec![lower],
        upper: stage.directory("upper"),
        work: stage.directory("work"),
        target: "/app".to_owned(),
    }
}

/// Marks with which a layer could be made to show what lies elsewhere, or to hide what lies below it.
fn forged_attributes() {
    on_stage(async |stage| {
        let lower = stage.directory("lower");
        fs::create_dir(lower.join("dir")).unwrap();
        for (index, name) in [
            "trusted.overlay.redirect",
            "trusted.overlay.opaque",
            "security.capability",
            "trusted.x",
        ]
        .iter()
        .enumerate()
        {
            let mut spec = inside(&format!("forger-{index}"), &["attribute", "/app/dir", name]);
            if index == 0 {
                spec.mounts.push(overlay(&stage, lower.clone()));
            } else {
                spec.mounts.push(Mount::Overlay {
                    lowers: vec![lower.clone()],
                    upper: stage.path("upper"),
                    work: stage.directory(&format!("work-{index}")),
                    target: "/app".to_owned(),
                });
            }
            let outcome = stage.run(spec).await;
            assert!(
                outcome.good()[0].starts_with("error"),
                "{name}: {:?}",
                outcome.said()
            );
        }
        // Written beside an overlay, such a mark must not lead a later overlay out of its layers.
        let (outside, planted) = (stage.directory("outside"), stage.directory("planted"));
        fs::write(outside.join("secret"), "secret").unwrap();
        fs::create_dir(planted.join("dir")).unwrap();
        let redirect = set_attribute(
            planted.join("dir").to_str().unwrap(),
            "user.overlay.redirect",
            b"/../../../outside",
        );
        assert_eq!(redirect, 0);
        let mut spec = shell("victim", "cat /app/dir/secret /app/outside/secret; true");
        spec.mounts.push(Mount::Overlay {
            lowers: vec![planted, lower],
            upper: stage.directory("upper-2"),
            work: stage.directory("work-last"),
            target: "/app".to_owned(),
        });
        assert_eq!(stage.run(spec).await.good(), [] as [&str; 0]);
    });
}

fn propagation() {
    on_stage(async |stage| {
        let outcome = stage.run(shell("mounts", "cat /proc/self/mountinfo")).await;
        assert!(outcome.good().len() > 5);
        for line in outcome.good() {
            let shared =
                line.contains(" shared:") || line.contains(" master:") || line.contains(" propagate_from:");
            assert!(!shared, "{line}");
        }
        // In this the test's own mounts differ, where the machine shares mounts at all.
        assert!(
            fs::read_to_string("/proc/self/mountinfo")
                .unwrap()
                .contains(" - ")
        );
    });
}

fn sockets_by_path() {
    on_stage(async |stage| {
        let path = stage.path("host.sock");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(outside(&["socket", path]), ["true"]);
        for known in [
            path,
            "/run/docker.sock",
            "/var/run/docker.sock",
            "/run/systemd/private",
            "/run/dbus/system_bus_socket",
        ] {
            assert_eq!(
                stage.run(inside("caller", &["socket", known])).await.good(),
                ["false"],
                "{known}"
            );
        }
    });
}

/// One run leaves links where a later run has mounts: what is mounted there must land inside, and write nothing outside.
fn later_mount() {
    on_stage(async |stage| {
        let (data, outside) = (stage.directory("data"), stage.directory("outside"));
        let script = format!(
            "mkdir /data/app; ln -s {} /data/app/tool; ln -s /etc /data/etc; ln -s / /data/root",
            outside.display()
        );
        let mut spec = shell("planter", &script);
        spec.mounts.push(writable(data.clone()));
        stage.run(spec).await.good();
        for target in ["/data/app/tool/x", "/data/root/tmp/x", "/data/etc/x"] {
            let mut spec = shell("victim", "true");
            spec.mounts.push(writable(data.clone()));
            spec.mounts.push(Mount::File {
                target: target.to_owned(),
                contents: b"x".to_vec(),
                executable: false,
            });
            // Whether it starts is beside the point.
            if let Ok(sandbox) = stage.host.spawn(spec).await {
                stage.outcome(&sandbox).await;
            }
            assert!(
                !Path::new("/etc/x").exists() && !Path::new("/tmp/x").exists(),
                "{target}"
            );
            assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{target}");
        }
    });
}
