//! A backup of a server that serves, and a second server out of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::http::get;
use crate::platform::{Platform, Ran, copy_of, run};

/// A server that shows a secret, in a directory of its own.
fn secretive() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let server = "require('http').createServer((q, s) => s.end('token ' + process.env.TOKEN)).listen(process.env.PORT)\n";
    fs::write(directory.path().join("server.js"), server).unwrap();
    let package = r#"{"name":"secretive","scripts":{"start":"node server.js"}}"#;
    fs::write(directory.path().join("package.json"), package).unwrap();
    directory
}

fn restore(platform: &Platform, file: &Path, data: &Path) -> Ran {
    let (file, data) = (file.to_str().unwrap(), data.to_str().unwrap());
    platform.cx(&["restore", file, "--data", data])
}

#[test]
fn a_second_server_serves_what_was_backed_up_while_the_first_went_on() {
    let platform = Platform::start();
    let (site, app, other) = (copy_of("static-site"), secretive(), copy_of("static-site"));
    fs::write(other.path().join("index.html"), "other").unwrap();
    let site_url = platform.deploy_as(site.path(), "site");
    platform.ok(&["env", "set", "TOKEN=hunter2-hunter2", "--project", "secretive"]);
    let app_url = platform.deploy_as(app.path(), "secretive");
    platform.deploy_as(other.path(), "other");
    let (site_body, app_body) = (get(&site_url).body, get(&app_url).body);
    assert_eq!(app_body, "token hunter2-hunter2");

    let place = tempfile::tempdir().unwrap();
    let (file, data) = (place.path().join("all.cygni"), platform.data());
    let done = AtomicBool::new(false);
    let ran = std::thread::scope(|scope| {
        let visits = scope.spawn(|| {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(get(&site_url).body, site_body);
                assert_eq!(get(&app_url).body, app_body);
                count += 1;
            }
            count
        });
        let deletes = scope.spawn(|| platform.ok(&["delete", "-n", "main", "-p", "other", "--force"]));
        let ran = platform.cx(&["backup", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
        deletes.join().unwrap();
        done.store(true, Ordering::Relaxed);
        assert!(visits.join().unwrap() > 0);
        ran
    });
    assert!(
        ran.status.success() && ran.err.contains("keep it like a password"),
        "{ran:?}"
    );
    let bytes = fs::read(&file).unwrap();
    assert!(!bytes.windows(15).any(|window| window == b"hunter2-hunter2"));
    assert_eq!(
        fs::read_dir(place.path()).unwrap().count(),
        1,
        "nothing lies beside it"
    );

    let second = tempfile::tempdir().unwrap();
    let ran = restore(&platform, &file, &second.path().join("data"));
    assert!(ran.status.success(), "{ran:?}");
    let again = restore(&platform, &file, &second.path().join("data"));
    assert!(
        !again.status.success() && again.err.contains("not empty"),
        "{again:?}"
    );
    let second = Platform::over(second);
    assert_eq!(second.token(), platform.token());
    assert_eq!(get(&second.url("site.localhost", "")).body, site_body);
    assert_eq!(get(&second.url("secretive.localhost", "")).body, app_body);
    // What was deleted meanwhile is there as a whole or not at all.
    let listed = second.ok(&["list", "--json"]);
    let other = get(&second.url("other.localhost", ""));
    assert_eq!(listed.contains("\"other\""), other.body == "other", "{listed}");
    // It is a server like any other: the same is deployed without a build, something new with one.
    fs::write(app.path().join("new.txt"), "new").unwrap();
    let url = second.deploy_as(app.path(), "secretive");
    assert_eq!(get(&url).body, app_body);
    let log = second.ok(&["logs", "--build", "--project", "site"]);
    assert!(!log.is_empty());
}

#[test]
fn a_backup_that_is_not_whole_leaves_nothing() {
    let platform = Platform::start();
    platform.deploy_as(copy_of("static-site").path(), "site");
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("all.cygni");
    let data = platform.data();
    platform.ok(&["backup", file.to_str().unwrap(), "--data", data.to_str().unwrap()]);
    let bytes = fs::read(&file).unwrap();
    let target = place.path().join("target");
    let mut changed = bytes.clone();
    changed[bytes.len() / 2] ^= 0x10;
    for (broken, word) in [
        (&bytes[..bytes.len() / 2], "ends too early"),
        (&changed, "have changed"),
    ] {
        let broken_file = place.path().join("broken.cygni");
        fs::write(&broken_file, broken).unwrap();
        let ran = restore(&platform, &broken_file, &target);
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        assert!(ran.err.contains(word) && !target.exists(), "{ran:?}");
    }
    // A name that cannot be written leaves nothing either.
    let ran = platform.cx(&["backup", "/nowhere/all.cygni", "--data", data.to_str().unwrap()]);
    assert!(!ran.status.success(), "{ran:?}");
}

#[test]
fn without_its_key_a_backup_opens_no_secret() {
    let platform = Platform::start();
    platform.deploy_as(copy_of("static-site").path(), "site");
    let place = tempfile::tempdir().unwrap();
    let (file, data) = (place.path().join("all.cygni"), platform.data());
    let ran = platform.cx(&[
        "backup",
        file.to_str().unwrap(),
        "--data",
        data.to_str().unwrap(),
        "--without-key",
    ]);
    assert!(
        ran.status.success() && ran.err.contains("is not in it"),
        "{ran:?}"
    );
    let second = tempfile::tempdir().unwrap();
    let target = second.path().join("data");
    assert!(restore(&platform, &file, &target).status.success());
    assert!(!target.join("key").exists() && !target.join("token").exists());
    let refused = run(platform
        .command()
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(&target));
    assert!(
        !refused.status.success() && refused.err.contains("key"),
        "{refused:?}"
    );
    fs::copy(data.join("key"), target.join("key")).unwrap();
    let second = Platform::over(second);
    assert_eq!(get(&second.url("site.localhost", "")).status, 200);
}
