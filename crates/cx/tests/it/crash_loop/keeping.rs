//! Kills while the disk is cleaned up and while a backup is made: what rows name stays, what broke off hinders nobody.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use model::Digest;

use super::{Story, rows};
use crate::http::try_get;

/// Blobs that nobody names, so that a collection takes a while.
const GARBAGE: usize = 4_000;
/// More than any disk has: the platform cleans up as hard as it can, at once and again and again.
const PRESSED: &str = "[disk]\nfloor = \"900000GB\"\n";

impl Story {
    pub(super) fn kill_a_collection(&mut self) {
        self.platform.kill();
        let (data, settings) = (self.platform.data(), self.platform.data().join("server.toml"));
        let garbage = litter(&data, self.round);
        age(&data);
        fs::write(&settings, PRESSED).unwrap();
        self.platform.begin();
        let left = || garbage.iter().filter(|path| path.exists()).count();
        self.until("the collection begins", || left() < GARBAGE);
        self.platform.kill();
        let killed_at = left();
        self.platform.start_again();
        self.until("the next collection ends", || left() == 0);
        self.platform.kill();
        fs::remove_file(&settings).unwrap();
        self.platform.start_again();
        println!("killed with {killed_at} of {GARBAGE} left to remove");
        self.assert_all_serve();
    }

    pub(super) fn kill_a_backup(&mut self) {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("all.cygni");
        let mut backup = self.backup_command(&file).spawn().unwrap();
        self.random.pause();
        let done = if self.random.below(2) == 0 {
            self.platform.kill();
            self.platform.start_again();
            let done = backup.wait().unwrap().success();
            assert!(done, "a backup needs no platform");
            done
        } else {
            // It may have ended by itself a moment ago.
            let _ = backup.kill();
            backup.wait().unwrap().success()
        };
        assert_eq!(file.exists(), done, "a file is there when all of it is");
        // What broke off is in nobody's way, and another one is complete.
        assert!(self.backup_command(&file).status().unwrap().success());
        let restored = place.path().join("restored");
        let [from, to] = [&file, &restored].map(|path| path.to_str().unwrap().to_owned());
        self.platform.ok(&["restore", &from, "--data", &to]);
        assert_eq!(rows::wrong(&restored), Vec::<String>::new());
        assert_eq!(rows::current(&restored), rows::current(&self.platform.data()));
        self.assert_all_serve();
    }

    fn backup_command(&self, file: &Path) -> Command {
        let mut command = self.platform.command();
        command
            .arg("backup")
            .arg(file)
            .arg("--data")
            .arg(self.platform.data());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Every alias as before, and every other deployment that can be gone back to.
    fn assert_all_serve(&self) {
        for (namespace, expected) in &self.serving {
            self.until("an alias serves as before", || {
                self.look(namespace).as_ref() == Some(expected)
            });
        }
        for preview in self.previews() {
            let path = format!("/api/v1/previews/{}/deployments", preview["id"].as_str().unwrap());
            for deployment in self.api(&path).as_array().unwrap() {
                let url = deployment["url"].as_str().unwrap();
                let serves = || try_get(url).is_ok_and(|answer| answer.status == 200);
                if deployment["state"] == "ready" {
                    self.until(&format!("{url} serves"), serves);
                }
            }
        }
    }

    fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let begin = Instant::now();
        while !holds() {
            self.in_time(begin, || format!("round {}: never: {what}", self.round));
        }
    }
}

/// Puts blobs into the store that no row names.
fn litter(data: &Path, round: u32) -> Vec<PathBuf> {
    let blob = |number| {
        let text = format!("garbage {number} of round {round}");
        let name = Digest::of(text.as_bytes()).hex();
        let path = data.join("store/blobs").join(&name[..2]).join(&name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    };
    (0..GARBAGE).map(blob).collect()
}

/// Makes all that is in the store look as if it had not been used for a day.
fn age(data: &Path) {
    let store = data.join("store");
    let touch = ["-exec", "touch", "-d", "1 day ago", "{}", "+"];
    for (areas, which) in [
        (["blobs", "exec"], ["-type", "f"].as_slice()),
        (["trees", "layers"], &["-mindepth", "1", "-maxdepth", "1"]),
    ] {
        let areas = areas
            .map(|area| store.join(area))
            .into_iter()
            .filter(|area| area.exists());
        let mut find = Command::new("find");
        assert!(
            find.args(areas)
                .args(which)
                .args(touch)
                .status()
                .unwrap()
                .success()
        );
    }
}
