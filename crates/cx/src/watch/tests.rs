//! Changes of real directories, seen through the kernel.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

/// Nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    directory: TempDir,
    watch: Watch,
    now: Manifest,
}

impl World {
    async fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        files
            .iter()
            .for_each(|(path, text)| write(directory.path(), path, text));
        Self::over(directory).await
    }

    async fn over(directory: TempDir) -> Self {
        let source = Source {
            dir: directory.path().to_owned(),
            cache: None,
        };
        let (watch, now) = Watch::start(source).await.unwrap();
        Self {
            directory,
            watch,
            now,
        }
    }

    fn write(&self, path: &str, text: &str) {
        write(self.directory.path(), path, text);
    }

    fn path(&self, path: &str) -> std::path::PathBuf {
        self.directory.path().join(path)
    }

    fn paths(&self) -> Vec<&str> {
        let entries = self.now.tree.entries().iter();
        entries.map(|entry| entry.path.as_str()).collect()
    }

    /// Takes changes until the directory is seen to hold exactly `wanted`.
    async fn until(&mut self, wanted: &[&str]) {
        let seeing = async {
            while self.paths() != wanted {
                match self.watch.next().await.unwrap() {
                    Seen::Changed(change) => self.now = change.manifest,
                    Seen::Trouble(error) => panic!("{error}"),
                    Seen::Note(note) => panic!("{note}"),
                }
            }
        };
        if tokio::time::timeout(PATIENCE, seeing).await.is_err() {
            panic!("{wanted:?} was never seen, but {:?}", self.paths());
        }
    }

    async fn next(&mut self) -> Seen {
        tokio::time::timeout(PATIENCE, self.watch.next())
            .await
            .unwrap()
            .unwrap()
    }
}

fn write(directory: &Path, path: &str, text: &str) {
    let file = directory.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_change_and_go() {
    let mut world = World::new(&[("a", "1")]).await;
    world.write("b", "1");
    world.until(&["a", "b"]).await;
    let before = world.now.tree.clone();
    world.write("a", "2");
    let Seen::Changed(change) = world.next().await else {
        panic!()
    };
    assert_ne!(change.manifest.tree, before);
    std::fs::remove_file(world.path("b")).unwrap();
    world.until(&["a"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_an_editor_replaces_by_renaming_is_seen() {
    let mut world = World::new(&[("a", "1")]).await;
    world.write(".a.swp", "22");
    std::fs::rename(world.path(".a.swp"), world.path("a")).unwrap();
    let mut last = 1;
    while last != 2 {
        let Seen::Changed(change) = world.next().await else {
            panic!()
        };
        let (_, size) = change.manifest.blobs.values().next().unwrap();
        last = if change.manifest.blobs.len() == 1 {
            *size
        } else {
            1
        };
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_and_moved_directories_are_followed_into_their_depth() {
    let mut world = World::new(&[("a", "1")]).await;
    world.write("new/deep/b", "1");
    world.until(&["a", "new/deep/b"]).await;
    world.write("new/deep/c", "1");
    world.until(&["a", "new/deep/b", "new/deep/c"]).await;
    std::fs::rename(world.path("new"), world.path("moved")).unwrap();
    world.until(&["a", "moved/deep/b", "moved/deep/c"]).await;
    world.write("moved/deep/d", "1");
    world
        .until(&["a", "moved/deep/b", "moved/deep/c", "moved/deep/d"])
        .await;
    // Another directory by the same name.
    std::fs::rename(world.path("moved"), world.path("away")).unwrap();
    world.write("moved/deep/e", "1");
    std::fs::remove_dir_all(world.path("away")).unwrap();
    world.until(&["a", "moved/deep/e"]).await;
    world.write("moved/deep/f", "1");
    world.until(&["a", "moved/deep/e", "moved/deep/f"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ignore_files_count_and_their_changes_too() {
    let mut world = World::new(&[("a", "1"), (".cxignore", "*.log\nout\n")]).await;
    world.write("x.log", "1");
    world.write("out/y", "1");
    world.write("b", "1");
    world.until(&[".cxignore", "a", "b"]).await;
    world.write(".cxignore", "*.log\n");
    world.until(&[".cxignore", "a", "b", "out/y"]).await;
    // What was ignored before is followed now.
    world.write("out/z", "1");
    world.until(&[".cxignore", "a", "b", "out/y", "out/z"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_above_the_directory_count_too() {
    let repository = tempfile::tempdir().unwrap();
    std::fs::create_dir(repository.path().join(".git")).unwrap();
    write(repository.path(), "web/a", "1");
    write(repository.path(), "web/b.log", "1");
    let source = Source {
        dir: repository.path().join("web"),
        cache: None,
    };
    let (mut watch, first) = Watch::start(source).await.unwrap();
    assert_eq!(first.tree.entries().len(), 2);
    write(repository.path(), "other", "no part of it");
    write(repository.path(), ".gitignore", "*.log\n");
    let seen = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap();
    let Some(Seen::Changed(change)) = seen else {
        panic!("{seen:?}")
    };
    assert_eq!(change.manifest.tree.entries().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told_once_and_ends() {
    let mut world = World::new(&[("a", "1")]).await;
    std::os::unix::fs::symlink("../../etc/passwd", world.path("out")).unwrap();
    let Seen::Trouble(error) = world.next().await else {
        panic!()
    };
    assert!(error.to_string().contains("`out` points to"), "{error}");
    world.write("b", "1");
    std::fs::remove_file(world.path("out")).unwrap();
    world.until(&["a", "b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_all_the_time_holds_nothing_up() {
    let mut world = World::new(&[("a", "")]).await;
    let file = world.path("a");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut text = String::new();
        while stopped.recv_timeout(Duration::from_millis(1))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            text.push('x');
            std::fs::write(&file, &text).unwrap();
        }
    });
    assert!(matches!(world.next().await, Seen::Changed(_)));
    drop(stop);
    writer.join().unwrap();
}
