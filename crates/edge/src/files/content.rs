//! One file in all the forms in which it can be sent.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use model::Digest;
use rustix::fs::{Advice, fadvise};
use store::{Coding, ENCODE_BYTES_MAX, ENCODE_BYTES_MIN, Store};

use crate::answer::Reply;
use crate::sendfile::Region;

/// Files up to this size are kept in memory; larger ones are sent from the disk's cache.
pub(super) const SMALL_BYTES_MAX: u64 = 64 << 10;

pub(super) struct Content {
    plain: Form,
    brotli: Option<Form>,
    gzip: Option<Form>,
    /// There are other forms, or may be later.
    pub(super) varies: bool,
}

/// A file as it is sent, and what its answers say of it.
pub(super) struct Form {
    /// A strong tag, different for every form.
    pub(super) tag: HeaderValue,
    pub(super) size_bytes: u64,
    pub(super) length: HeaderValue,
    source: Source,
}

enum Source {
    Memory(Bytes),
    Disk(Arc<File>),
}

impl Content {
    /// Reads the blob and, where it is `compressible`, its forms. Blocks.
    pub(super) fn read(store: &Store, digest: &Digest, compressible: bool) -> io::Result<Self> {
        let plain = Form::read(store.open_blob(digest)?, format!("\"{}\"", digest.hex()))?;
        let varies = compressible && (ENCODE_BYTES_MIN..=ENCODE_BYTES_MAX).contains(&plain.size_bytes);
        let form = |coding: Coding| match varies {
            true => store
                .open_encoded(digest, coding)?
                .map(|file| Form::read(file, format!("\"{}-{}\"", digest.hex(), coding.token())))
                .transpose(),
            false => Ok(None),
        };
        Ok(Self {
            brotli: form(Coding::Brotli)?,
            gzip: form(Coding::Gzip)?,
            plain,
            varies,
        })
    }

    /// The form of `coding`, where it is there; the file as it is for `None`.
    pub(super) fn form(&self, coding: Option<Coding>) -> Option<&Form> {
        match coding {
            None => Some(&self.plain),
            Some(Coding::Brotli) => self.brotli.as_ref(),
            Some(Coding::Gzip) => self.gzip.as_ref(),
        }
    }

    pub(super) fn bytes_in_memory(&self) -> usize {
        let bytes = |form: &Form| match &form.source {
            Source::Memory(bytes) => bytes.len(),
            Source::Disk(_) => 0,
        };
        self.forms().map(bytes).sum()
    }

    pub(super) fn open_files(&self) -> usize {
        let is_open = |form: &&Form| matches!(form.source, Source::Disk(_));
        self.forms().filter(is_open).count()
    }

    fn forms(&self) -> impl Iterator<Item = &Form> {
        [Some(&self.plain), self.brotli.as_ref(), self.gzip.as_ref()]
            .into_iter()
            .flatten()
    }

    #[cfg(test)]
    pub(super) fn in_memory(bytes: Bytes) -> Self {
        let plain = Form {
            tag: HeaderValue::from_static("\"x\""),
            size_bytes: bytes.len() as u64,
            length: HeaderValue::from(bytes.len()),
            source: Source::Memory(bytes),
        };
        Self {
            plain,
            brotli: None,
            gzip: None,
            varies: false,
        }
    }
}

impl Form {
    fn read(mut file: File, tag: String) -> io::Result<Self> {
        let size_bytes = file.metadata()?.len();
        let source = match size_bytes <= SMALL_BYTES_MAX {
            true => {
                let mut bytes = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
                file.read_to_end(&mut bytes)?;
                Source::Memory(bytes.into())
            }
            false => {
                // So that it is in memory, mostly, when it is sent; where that is not offered it is read then.
                let _ = fadvise(&file, 0, None, Advice::WillNeed);
                Source::Disk(Arc::new(file))
            }
        };
        Ok(Self {
            tag: HeaderValue::try_from(tag).map_err(io::Error::other)?,
            size_bytes,
            length: HeaderValue::from(size_bytes),
            source,
        })
    }

    /// `length` bytes from `start` on; both lie inside.
    pub(super) fn part(&self, start: u64, length: u64) -> Reply {
        match &self.source {
            Source::Memory(bytes) => {
                let at = |position: u64| usize::try_from(position).unwrap_or(bytes.len()).min(bytes.len());
                Reply::Whole(bytes.slice(at(start)..at(start.saturating_add(length))))
            }
            Source::Disk(file) => Reply::File(Region {
                file: file.clone(),
                start,
                length,
            }),
        }
    }
}
