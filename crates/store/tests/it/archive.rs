//! Archives: what was put in comes out as it was, and nothing else happens.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use model::Digest;
use rustix::fs::{FileType, Mode, XattrFlags};
use sha2::Digest as _;
use store::archive::{ArchiveError, ArchiveWriter, first, unpack, verify};
use store::{Contents, ExportError, Store};
use tempfile::TempDir;

use crate::{file, link, store, tree};

const ROOM: u64 = 64 << 20;

/// A store with a tree and a layer that holds whatever overlay and a build may leave, and both in an archive.
fn exported() -> (Store, TempDir, Contents, File) {
    let (store, dir) = store();
    let entries = vec![
        file(&store, "a*", "executable"),
        file(&store, "d/b", "plain"),
        link("c", "a"),
    ];
    let digest = store.put_tree(&tree(entries)).unwrap();
    let staging = store.stage().unwrap();
    let top = staging.path();
    fs::create_dir_all(top.join("hidden/deep")).unwrap();
    fs::write(top.join("hidden/deep/run"), "#!").unwrap();
    fs::set_permissions(top.join("hidden/deep/run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(top.join("hidden/deep"), fs::Permissions::from_mode(0o555)).unwrap();
    rustix::fs::lsetxattr(
        top.join("hidden"),
        "user.overlay.opaque",
        b"y",
        XattrFlags::empty(),
    )
    .unwrap();
    symlink("/etc/passwd", top.join("outside")).unwrap();
    if rustix::process::geteuid().is_root() {
        let whiteout = top.join("removed");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            whiteout,
            FileType::CharacterDevice,
            Mode::empty(),
            0,
        )
        .unwrap();
    }
    let key = Digest::of(b"layer");
    staging.commit(&key).unwrap();
    let contents = Contents {
        trees: [digest].into(),
        layers: [key].into(),
    };
    let mut archive = ArchiveWriter::new(tempfile::tempfile().unwrap()).unwrap();
    archive.add_bytes("about", b"hello").unwrap();
    store.export(&contents, &mut archive, &mut |_| ()).unwrap();
    let out = archive.finish().unwrap();
    (store, dir, contents, out)
}

#[test]
fn what_goes_in_comes_out() {
    let (_store, _dir, contents, mut archive) = exported();
    verify(&mut archive).unwrap();
    assert_eq!(first(&mut archive, "about").unwrap(), b"hello");
    let out = tempfile::tempdir().unwrap();
    let unpacked = unpack(&mut archive, out.path(), &["about", "store"], ROOM).unwrap();
    assert!(unpacked.files > 8, "{unpacked:?}");
    let restored = Store::open_beside(&out.path().join("store"));
    restored.check().unwrap();
    restored.vouch().unwrap();
    // The server opens it as any other.
    let restored = Store::open(&out.path().join("store")).unwrap();
    let digest = *contents.trees.first().unwrap();
    let path = restored.materialise(&digest).unwrap();
    assert_eq!(fs::read_to_string(path.join("d/b")).unwrap(), "plain");
    let layer = restored.layer(contents.layers.first().unwrap()).unwrap();
    let mode = |name: &str| fs::symlink_metadata(layer.join(name)).unwrap().mode() & 0o7777;
    assert_eq!(
        (mode("hidden/deep"), mode("hidden/deep/run"), mode("")),
        (0o555, 0o755, 0o755)
    );
    let mut value = [0; 4];
    let count = rustix::fs::lgetxattr(layer.join("hidden"), "user.overlay.opaque", &mut value[..]).unwrap();
    assert_eq!(&value[..count], b"y");
    assert_eq!(
        fs::read_link(layer.join("outside")).unwrap(),
        Path::new("/etc/passwd")
    );
    if rustix::process::geteuid().is_root() {
        assert_eq!(fs::symlink_metadata(layer.join("removed")).unwrap().rdev(), 0);
    }
}

#[test]
fn what_was_cut_off_or_changed_is_refused() {
    let (_store, _dir, _contents, mut archive) = exported();
    let mut bytes = Vec::new();
    archive.seek(SeekFrom::Start(0)).unwrap();
    archive.read_to_end(&mut bytes).unwrap();
    let with = |bytes: &[u8]| {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        verify(&mut file)
    };
    with(&bytes).unwrap();
    for length in [0, 1, 40, bytes.len() / 2, bytes.len() - 1] {
        assert!(
            matches!(with(&bytes[..length]), Err(ArchiveError::Truncated)),
            "{length}"
        );
    }
    for at in [0, bytes.len() / 3, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(matches!(with(&changed), Err(ArchiveError::Changed)), "{at}");
    }
}

#[test]
fn what_is_lost_is_named_and_nothing_is_called_complete() {
    let (store, _dir, contents, _archive) = exported();
    let export = |contents: &Contents| {
        let mut archive = ArchiveWriter::new(Vec::new()).unwrap();
        store.export(contents, &mut archive, &mut |_| ())
    };
    let other = Digest::of(b"other");
    let no_layer = Contents {
        layers: [other].into(),
        ..contents.clone()
    };
    assert!(matches!(export(&no_layer), Err(ExportError::LayerMissing(key)) if key == other));
    let no_tree = Contents {
        trees: [other].into(),
        layers: BTreeSet::new(),
    };
    assert!(matches!(export(&no_tree), Err(ExportError::Tree(_))));
    fs::remove_file(store.blob_path(&Digest::of(b"plain"))).unwrap();
    assert!(matches!(export(&contents), Err(ExportError::BlobMissing { .. })));
    assert!(store.check().is_err());
}

/// An archive as somebody else would make it, with the hash that makes it look right.
fn foreign(fill: impl FnOnce(&mut tar::Builder<Vec<u8>>)) -> File {
    let mut tar = tar::Builder::new(Vec::new());
    fill(&mut tar);
    let body = zstd::encode_all(&tar.into_inner().unwrap()[..], 1).unwrap();
    let hash = sha2::Sha256::digest(&body);
    let mut file = tempfile::tempfile().unwrap();
    for piece in [
        &body[..],
        &0x184D_2A50_u32.to_le_bytes(),
        &40_u32.to_le_bytes(),
        b"CYGNIBK1",
        &hash,
    ] {
        file.write_all(piece).unwrap();
    }
    file
}

fn entry(tar: &mut tar::Builder<Vec<u8>>, kind: tar::EntryType, path: &[u8], bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
        header.set_link_name("/tmp").unwrap();
    }
    header.set_cksum();
    tar.append(&header, bytes).unwrap();
}

#[test]
fn nothing_is_written_outside_or_through_a_link() {
    use tar::EntryType::{Block, Char, Fifo, Link, Regular, Symlink};
    let outside = tempfile::tempdir().unwrap();
    let absolute = format!("{}/x", outside.path().display());
    let cases: [(tar::EntryType, &[u8]); 9] = [
        (Regular, b"../x"),
        (Regular, b"store/../../x"),
        (Regular, absolute.as_bytes()),
        (Regular, b"elsewhere/x"),
        (Regular, b"store/link/x"),
        (Link, b"store/hard"),
        (Block, b"store/disk"),
        (Fifo, b"store/pipe"),
        (Regular, b""),
    ];
    for (kind, path) in cases {
        let mut archive = foreign(|tar| {
            entry(tar, Symlink, b"store/link", b"");
            entry(tar, kind, path, b"");
        });
        verify(&mut archive).unwrap();
        let out = tempfile::tempdir().unwrap();
        let into = out.path().join("into");
        fs::create_dir(&into).unwrap();
        let result = unpack(&mut archive, &into, &["store"], ROOM);
        assert!(result.is_err(), "{:?}", String::from_utf8_lossy(path));
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
        assert!(!Path::new("/tmp/x").exists() && fs::read_dir(outside.path()).unwrap().count() == 0);
    }
    let mut device = foreign(|tar| {
        let mut header = tar::Header::new_gnu();
        header.set_path("store/null").unwrap();
        header.set_entry_type(Char);
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_size(0);
        header.set_cksum();
        tar.append(&header, &[][..]).unwrap();
    });
    let out = tempfile::tempdir().unwrap();
    assert!(matches!(
        unpack(&mut device, out.path(), &["store"], ROOM),
        Err(ArchiveError::Foreign { .. })
    ));
}

#[test]
fn more_than_there_is_room_for_is_refused_before_it_is_written() {
    let mut bomb = foreign(|tar| entry(tar, tar::EntryType::Regular, b"store/zeros", &vec![0; 4 << 20]));
    let out = tempfile::tempdir().unwrap();
    let result = unpack(&mut bomb, out.path(), &["store"], 1 << 20);
    assert!(matches!(result, Err(ArchiveError::TooLarge { .. })));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}
