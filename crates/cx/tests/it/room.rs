//! A disk that fills up: what serves goes on, what needs room waits or is refused, and goes on by itself.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk::SmallDisk;
use crate::http::get;
use crate::platform::copy_of;

const DISK_BYTES: u64 = 400 << 20;
/// How long the server may take to go on.
const GO_ON_MAX: Duration = Duration::from_secs(60);

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
    let disk = SmallDisk::new(DISK_BYTES);
    let filler = disk.path().join("filler");
    let platform = disk.platform("40MiB");
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
