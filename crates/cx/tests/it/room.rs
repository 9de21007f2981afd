//! A disk that fills up: what serves goes on, what needs room waits or is refused, and goes on by itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::http::get;
use crate::platform::{Platform, copy_of};

const DISK_BYTES: u64 = 400 << 20;
/// How long the server may take to go on.
const GO_ON_MAX: Duration = Duration::from_secs(60);

/// A small file system of its own, mounted for as long as this lives.
struct SmallDisk {
    mounted: PathBuf,
    _directory: TempDir,
}

impl SmallDisk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (image, mounted) = (directory.path().join("image"), directory.path().join("disk"));
        fs::File::create(&image).unwrap().set_len(DISK_BYTES).unwrap();
        fs::create_dir(&mounted).unwrap();
        call("mkfs.ext4", &["-q", "-m", "0", image.to_str().unwrap()]);
        call(
            "mount",
            &["-o", "loop", image.to_str().unwrap(), mounted.to_str().unwrap()],
        );
        Self {
            mounted,
            _directory: directory,
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whatever a failed test left open goes with its process.
        let _ = Command::new("umount").arg("-l").arg(&self.mounted).status();
    }
}

fn call(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn fill(file: &Path, leave_bytes: u64) {
    let free = || {
        let room = rustix::fs::statvfs(file.parent().unwrap()).unwrap();
        room.f_bavail * room.f_frsize
    };
    let bytes = free().saturating_sub(leave_bytes);
    let out = fs::File::create(file).unwrap();
    rustix::fs::fallocate(&out, rustix::fs::FallocateFlags::empty(), 0, bytes).unwrap();
    assert!(free() < leave_bytes + (4 << 20), "{}", free());
}

#[test]
fn below_the_floor_what_serves_goes_on_and_the_rest_waits() {
    let disk = SmallDisk::new();
    let directory = tempfile::tempdir_in(&disk.mounted).unwrap();
    fs::create_dir(directory.path().join("data")).unwrap();
    fs::write(
        directory.path().join("data/server.toml"),
        "[disk]\nfloor = \"40MiB\"\n",
    )
    .unwrap();
    let filler = disk.mounted.join("filler");
    let platform = Platform::over(directory);
    let (site, app) = (copy_of("static-site"), copy_of("static-build"));
    let url = platform.deploy_as(site.path(), "site");
    let app_url = platform.deploy_as(app.path(), "built");
    let (body, app_body) = (get(&url).body, get(&app_url).body);

    fill(&filler, 20 << 20);
    fs::write(site.path().join("new.html"), "new").unwrap();
    let refused = platform.cx(&["deploy", site.path().to_str().unwrap(), "--project", "site"]);
    assert_eq!(refused.status.code(), Some(5), "{refused:?}");
    assert!(
        refused.err.contains("must stay free") && refused.err.contains("larger disk"),
        "{}",
        refused.err
    );
    let df = platform.ok(&["df"]);
    assert!(df.contains("builds wait and uploads are refused"), "{df}");
    let waiting = std::thread::scope(|scope| {
        let rebuilt = scope.spawn(|| platform.cx(&["redeploy", "--rebuild", "--project", "built"]));
        let begin = Instant::now();
        while !platform.ok(&["inspect", "--project", "built"]).contains("waits:") {
            assert!(
                begin.elapsed() < GO_ON_MAX,
                "{}",
                platform.ok(&["inspect", "--project", "built"])
            );
        }
        assert_eq!((get(&url).body, get(&app_url).body), (body, app_body));
        fs::remove_file(&filler).unwrap();
        rebuilt.join().unwrap()
    });
    assert!(
        waiting.status.success() && waiting.err.contains("Waiting: "),
        "{waiting:?}"
    );
    platform.deploy_as(site.path(), "site");
    assert_eq!(get(&format!("{url}/new.html")).body, "new");
}
