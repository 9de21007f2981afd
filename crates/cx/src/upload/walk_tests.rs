//! What travels of a directory, case by case.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::*;
use crate::exit::fault_of;

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let file = dir.join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), files);
    dir
}

#[allow(clippy::disallowed_methods, reason = "the test makes a real repository")]
fn git(dir: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(arguments)
        .output()
        .unwrap()
        .status;
    assert!(status.success(), "git {arguments:?}");
}

fn look(root: &Path) -> anyhow::Result<Found> {
    walk(root, Arc::new(Tracked::read(root)))
}

fn paths(root: &Path) -> Vec<String> {
    let found = look(&root.canonicalize().unwrap()).unwrap();
    found.files.into_iter().map(|file| file.path).collect()
}

#[test]
fn a_repository_travels_without_what_it_ignores() {
    let dir = directory(&[
        (".gitignore", "dist/\n*.log\n"),
        ("index.js", ""),
        ("dist/out.js", ""),
        ("a.log", ""),
        ("sub/.gitignore", "!keep.log\ncache\n"),
        ("sub/keep.log", ""),
        ("sub/cache/x", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    assert_eq!(
        paths(dir.path()),
        [".gitignore", "index.js", "sub/.gitignore", "sub/keep.log"]
    );
}

#[test]
fn an_ignored_directory_named_by_hand_is_not_empty() {
    let dir = directory(&[
        (".gitignore", "dist\n*.map\n"),
        ("dist/index.html", ""),
        ("dist/app.map", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    assert_eq!(paths(&dir.path().join("dist")), ["app.map", "index.html"]);
}

#[test]
fn the_repositorys_rules_reach_a_directory_inside_it() {
    let dir = directory(&[
        (".gitignore", "*.log\n"),
        ("web/index.html", ""),
        ("web/debug.log", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    assert_eq!(paths(&dir.path().join("web")), ["index.html"]);
}

#[test]
fn rules_above_the_repository_do_not_count() {
    let dir = directory(&[(".gitignore", "*\n"), ("inner/index.html", "")]);
    git(&dir.path().join("inner"), &["init", "-q"]);
    assert_eq!(paths(&dir.path().join("inner")), ["index.html"]);
}

#[test]
fn cxignore_beats_git_both_ways() {
    let dir = directory(&[
        (".gitignore", "dist\n"),
        (".cxignore", "!dist\nnotes.txt\n"),
        ("dist/a.js", ""),
        ("notes.txt", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    git(dir.path(), &["add", "-f", "notes.txt"]);
    assert_eq!(paths(dir.path()), [".cxignore", ".gitignore", "dist/a.js"]);
}

#[test]
fn untracked_secrets_are_withheld_and_named_and_tracked_ones_travel() {
    let dir = directory(&[
        (".env", "A=1"),
        (".env.local", "B=2"),
        ("sub/.env.production", "C=3"),
        ("index.html", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    git(dir.path(), &["add", ".env"]);
    let found = look(&dir.path().canonicalize().unwrap()).unwrap();
    let kept: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(kept, [".env", "index.html"]);
    assert!(
        found.notes[0].starts_with("withheld .env.local, sub/.env.production:"),
        "{:?}",
        found.notes
    );
}

#[test]
fn without_git_every_secret_is_withheld() {
    let dir = directory(&[
        (".env", ""),
        (".env.example", ""),
        (".cxignore", "!.env.example\n"),
        ("a", ""),
    ]);
    assert_eq!(paths(dir.path()), [".cxignore", ".env.example", "a"]);
}

#[test]
fn what_git_tracks_inside_an_ignored_directory_travels() {
    let dir = directory(&[
        (".gitignore", "build/\n"),
        ("build/kept.js", ""),
        ("build/other.js", ""),
    ]);
    git(dir.path(), &["init", "-q"]);
    git(dir.path(), &["add", "-f", "build/kept.js"]);
    assert_eq!(paths(dir.path()), [".gitignore", "build/kept.js"]);
}

#[test]
fn installed_dependencies_stay_and_are_named() {
    let dir = directory(&[
        ("package.json", "{}"),
        ("node_modules/a/index.js", ""),
        ("lib/node_modules/b.js", ""),
    ]);
    let found = look(&dir.path().canonicalize().unwrap()).unwrap();
    let kept: Vec<_> = found.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(kept, ["lib/node_modules/b.js", "package.json"]);
    assert_eq!(
        found.notes,
        ["left out node_modules: dependencies are installed from package.json"]
    );
}

#[test]
fn the_repository_itself_never_travels_not_even_a_worktrees_file() {
    let dir = directory(&[
        (".git", "gitdir: /elsewhere"),
        ("a", ""),
        ("module/.git/config", ""),
    ]);
    assert_eq!(paths(dir.path()), ["a"]);
}

#[test]
fn links_stay_links_and_other_things_are_named() {
    let dir = directory(&[("a", "")]);
    symlink("a", dir.path().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
    let found = look(dir.path()).unwrap();
    assert_eq!(
        (found.links[0].path.as_str(), found.links[0].target.as_str()),
        ("link", "a")
    );
    assert_eq!(found.notes, ["left out s: a socket cannot be deployed"]);
}

#[test]
fn a_name_that_is_not_utf8_is_an_error_that_names_it() {
    let dir = directory(&[]);
    std::fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "").unwrap();
    let fault = fault_of(&look(dir.path()).unwrap_err());
    assert_eq!(fault.code, "name_not_utf8");
    assert!(fault.message.contains("caf"), "{}", fault.message);
}
