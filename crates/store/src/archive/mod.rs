//! An archive of files and raw directories in one file: written as a stream, checked as a whole before anything is taken
//! out of it.
//!
//! A tar stream in zstd, with the SHA-256 of everything before it in a frame of its own at the end, which zstd passes
//! over (RFC 8878, section 3.1.2): `tar --zstd -tf` reads it too, and one that was cut off has no such frame. Taken out
//! it is without following anything that it brought itself: every name is opened below the directory it belongs in,
//! no links, no devices but overlay's whiteouts. It does *not* know what the files are for.

mod read;
mod write;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use sha2::{Digest as _, Sha256};

pub use read::{Unpacked, first, unpack, verify};
pub use write::ArchiveWriter;

/// A frame that decoders pass over, and the length of what is in it (both little-endian): eight bytes that say what it
/// is, and the hash.
const FRAME: u32 = 0x184D_2A50;
const TAG: &[u8; 8] = b"CYGNIBK1";
const HASH_BYTES: usize = 32;
const TRAILER_BYTES: usize = 8 + TAG.len() + HASH_BYTES;
/// Prefix of the attributes that overlay keeps in a layer; the only ones that are taken along.
const ATTRIBUTES: &str = "user.overlay.";
/// The same in the headers of the tar stream.
const PAX_ATTRIBUTES: &str = "SCHILY.xattr.";
const CHUNK_BYTES: usize = 256 << 10;

/// An archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("it ends too early, or is no backup; copy it again")]
    Truncated,
    #[error("its bytes have changed since it was made; copy it again, or take another one")]
    Changed,
    #[error("`{path}` in it is not what a backup holds: {why}")]
    Foreign { path: String, why: &'static str },
    #[error("it holds more than the {bytes_max} bytes that there is room for")]
    TooLarge { bytes_max: u64 },
    #[error("it could not be read or taken out: {0}")]
    Io(#[from] io::Error),
}

fn trailer(hash: [u8; HASH_BYTES]) -> Vec<u8> {
    let length = (TAG.len() + HASH_BYTES) as u32;
    [&FRAME.to_le_bytes()[..], &length.to_le_bytes(), TAG, &hash].concat()
}

/// The hash of all that is left of `input`, up to `length` bytes.
fn hash(input: &mut impl Read, length: u64) -> io::Result<[u8; HASH_BYTES]> {
    let (mut hash, mut input) = (Sha256::new(), input.take(length));
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match input.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Length of what stands before the trailer, which must be there.
fn body_bytes(file: &mut File) -> Result<(u64, [u8; HASH_BYTES]), ArchiveError> {
    let length = file.seek(SeekFrom::End(0))?;
    let body = length
        .checked_sub(TRAILER_BYTES as u64)
        .ok_or(ArchiveError::Truncated)?;
    file.seek(SeekFrom::Start(body))?;
    let mut found = [0; TRAILER_BYTES];
    file.read_exact(&mut found)?;
    let (head, said) = found.split_at(TRAILER_BYTES - HASH_BYTES);
    if head != &trailer([0; HASH_BYTES])[..TRAILER_BYTES - HASH_BYTES] {
        return Err(ArchiveError::Truncated);
    }
    file.seek(SeekFrom::Start(0))?;
    let said = said.try_into().map_err(|_| ArchiveError::Truncated)?;
    Ok((body, said))
}
