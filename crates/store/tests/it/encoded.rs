//! Compressed forms of blobs.

use std::fs;
use std::io::Read;
use std::time::{Duration, SystemTime};

use model::Digest;
use store::{Coding, KeepSet, Store};

use crate::{names, store};

fn put(store: &Store, bytes: &[u8]) -> Digest {
    store.put_blob(bytes, 64 << 20).unwrap().0
}

fn form(store: &Store, digest: &Digest, coding: Coding) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    store
        .open_encoded(digest, coding)
        .unwrap()?
        .read_to_end(&mut bytes)
        .unwrap();
    Some(bytes)
}

/// Text that compresses, of about `bytes`.
fn text(bytes: usize) -> Vec<u8> {
    let words = (0..).flat_map(|n: u32| format!("line {n} of a page that repeats itself\n").into_bytes());
    words.take(bytes).collect()
}

#[test]
fn both_forms_give_the_bytes_back() {
    let (store, _dir) = store();
    // Below and above the size at which Brotli gets less time.
    for size in [1_000, 300_000] {
        let bytes = text(size);
        let digest = put(&store, &bytes);
        assert_eq!(form(&store, &digest, Coding::Brotli), None);
        store.encode_blob(&digest).unwrap();
        let (mut brotli, mut gzip) = (Vec::new(), Vec::new());
        let encoded = form(&store, &digest, Coding::Brotli).unwrap();
        assert!(encoded.len() < size / 3);
        brotli::BrotliDecompress(&mut encoded.as_slice(), &mut brotli).unwrap();
        let encoded = form(&store, &digest, Coding::Gzip).unwrap();
        flate2::read::GzDecoder::new(encoded.as_slice())
            .read_to_end(&mut gzip)
            .unwrap();
        assert!(brotli == bytes && gzip == bytes, "{size}");
    }
}

#[test]
fn what_is_not_worth_it_has_no_form_and_is_not_tried_again() {
    let (store, dir) = store();
    let noise: Vec<u8> = (0..64_u8).flat_map(|n| *Digest::of(&[n]).as_bytes()).collect();
    let digest = put(&store, &noise);
    store.encode_blob(&digest).unwrap();
    assert_eq!(form(&store, &digest, Coding::Brotli), None);
    assert_eq!(form(&store, &digest, Coding::Gzip), None);
    let area = format!("encoded/{}", &digest.hex()[..2]);
    assert_eq!(names(&dir, &area).len(), 2);
    let small = put(&store, b"small");
    store.encode_blob(&small).unwrap();
    assert_eq!(form(&store, &small, Coding::Brotli), None);
    assert_eq!(names(&dir, "staging"), Vec::<String>::new());
}

#[test]
fn forms_go_with_their_blob() {
    let (store, dir) = store();
    let (kept, gone) = (put(&store, &text(2_000)), put(&store, &text(3_000)));
    for digest in [&kept, &gone] {
        store.encode_blob(digest).unwrap();
    }
    let keep = KeepSet {
        blobs: [kept].into(),
        ..KeepSet::default()
    };
    let later = SystemTime::now() + Duration::from_secs(60);
    store.collect(&keep, later).unwrap();
    assert!(form(&store, &kept, Coding::Gzip).is_some());
    assert_eq!(form(&store, &gone, Coding::Gzip), None);
    // A blob that went meanwhile cannot be encoded.
    assert!(store.encode_blob(&gone).is_err());
    assert_eq!(names(&dir, "staging"), Vec::<String>::new());
}

#[test]
fn forms_that_a_power_cut_may_have_torn_are_made_anew() {
    let (store, dir) = store();
    let digest = put(&store, &text(2_000));
    store.encode_blob(&digest).unwrap();
    drop(store);
    fs::write(dir.path().join("synced"), "another boot").unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(form(&store, &digest, Coding::Brotli), None);
    assert!(store.has_blob(&digest));
}
