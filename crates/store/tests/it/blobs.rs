use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;

use model::Digest;
use store::{PutError, Store};

use crate::{names, store};

#[test]
fn bytes_come_back_under_their_digest() {
    let (store, _dir) = store();
    let (digest, size) = store.put_blob(&b"hello"[..], 5).unwrap();
    assert_eq!((digest, size), (Digest::of(b"hello"), 5));
    assert!(store.has_blob(&digest));
    let mut text = String::new();
    store
        .open_blob(&digest)
        .unwrap()
        .read_to_string(&mut text)
        .unwrap();
    assert_eq!(text, "hello");
    assert_eq!(
        fs::metadata(store.blob_path(&digest))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o644
    );
}

#[test]
fn one_byte_too_many_leaves_nothing() {
    let (store, dir) = store();
    let error = store.put_blob(&b"hello"[..], 4).unwrap_err();
    assert!(matches!(error, PutError::TooLarge { limit_bytes: 4 }));
    assert!(!store.has_blob(&Digest::of(b"hello")));
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn a_wrong_digest_leaves_nothing() {
    let (store, dir) = store();
    let mut writer = store.writer(100).unwrap();
    writer.write(b"hel").unwrap();
    writer.write(b"lo").unwrap();
    let error = writer.finish_expecting(&Digest::of(b"other")).unwrap_err();
    assert!(matches!(error, PutError::WrongDigest { .. }));
    assert!(!store.has_blob(&Digest::of(b"hello")) && !store.has_blob(&Digest::of(b"other")));
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn a_source_that_breaks_leaves_nothing() {
    struct Breaks(bool);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("cable pulled"));
            }
            buffer[0] = 7;
            Ok(1)
        }
    }
    let (store, dir) = store();
    assert!(matches!(
        store.put_blob(Breaks(false), 10),
        Err(PutError::Source(_))
    ));
    assert!(names(&dir, "staging").is_empty());
}

#[test]
fn a_start_removes_what_was_half_made() {
    let (store, dir) = store();
    let (digest, _) = store.put_blob(&b"kept"[..], 10).unwrap();
    fs::write(dir.path().join("staging/blob-1"), "half").unwrap();
    fs::create_dir_all(dir.path().join("staging/layer-1/files/deep")).unwrap();
    let again = Store::open(dir.path()).unwrap();
    assert!(names(&dir, "staging").is_empty());
    assert!(again.has_blob(&digest));
    assert_eq!(
        fs::metadata(dir.path()).unwrap().permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn many_at_once_store_one() {
    let (store, dir) = store();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| store.put_blob(&b"same"[..], 10).unwrap());
        }
    });
    let digest = Digest::of(b"same");
    assert_eq!(
        names(&dir, &format!("blobs/{}", &digest.hex()[..2])),
        [digest.hex()]
    );
}
