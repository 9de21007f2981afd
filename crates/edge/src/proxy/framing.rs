//! Where the body of an answer ends (RFC 9112, sections 6 and 7).
//!
//! Guards against answers that two parties could read differently: what is not exactly one of the forms of the standard
//! is invalid, and nothing of it is guessed.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Bytes of the line before a chunk: its size, and extensions that nobody uses.
const SIZE_LINE_BYTES_MAX: usize = 1 << 10;
const TRAILER_BYTES_MAX: usize = 16 << 10;
const TRAILERS_MAX: usize = 64;

/// What is still to come of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked(Chunk),
    /// The end of the connection is the end of the body.
    UntilEnd,
}

/// Where in a chunked body it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Size,
    Data(u64),
    AfterData,
    Trailer,
    End,
}

/// The body is not framed as the standard says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Invalid;

impl Framing {
    pub(super) fn is_ended(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunk::End))
    }

    /// Takes the next bytes of the body out of `unread`; `None` where more must be read first, or at the end.
    pub(super) fn take(&mut self, unread: &mut BytesMut) -> Option<Bytes> {
        let left = match self {
            Self::Length(left) | Self::Chunked(Chunk::Data(left)) => *left,
            Self::Chunked(_) => return None,
            Self::UntilEnd => u64::MAX,
        };
        let count = unread.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if count == 0 {
            return None;
        }
        let left = left - count as u64;
        match self {
            Self::Length(length) => *length = left,
            Self::Chunked(chunk) if left == 0 => *chunk = Chunk::AfterData,
            Self::Chunked(chunk) => *chunk = Chunk::Data(left),
            Self::UntilEnd => {}
        }
        // The rest of a buffer is nothing: all of it goes at once and is not copied.
        Some(unread.split_to(count).freeze())
    }

    /// Goes over what stands between chunks, up to the next data or as far as `unread` reaches. Gives the trailers when
    /// they have come.
    pub(super) fn settle(&mut self, unread: &mut BytesMut) -> Result<Option<HeaderMap>, Invalid> {
        let Self::Chunked(chunk) = self else {
            return Ok(None);
        };
        loop {
            match chunk {
                Chunk::AfterData => match unread.get(..2) {
                    Some(b"\r\n") => {
                        unread.advance(2);
                        *chunk = Chunk::Size;
                    }
                    Some(_) => return Err(Invalid),
                    None => return Ok(None),
                },
                Chunk::Size => match size_line(unread)? {
                    Some(0) => *chunk = Chunk::Trailer,
                    Some(size) => *chunk = Chunk::Data(size),
                    None => return Ok(None),
                },
                Chunk::Trailer => {
                    let trailers = trailers(unread)?;
                    if trailers.is_some() {
                        *chunk = Chunk::End;
                    }
                    return Ok(trailers.filter(|trailers| !trailers.is_empty()));
                }
                Chunk::Data(_) | Chunk::End => return Ok(None),
            }
        }
    }
}

/// Takes the line with the size of a chunk; `None` while it is not whole.
fn size_line(unread: &mut BytesMut) -> Result<Option<u64>, Invalid> {
    let Some(end) = unread.iter().position(|byte| *byte == b'\n') else {
        return match unread.len() > SIZE_LINE_BYTES_MAX {
            true => Err(Invalid),
            false => Ok(None),
        };
    };
    let line = unread.split_to(end + 1);
    let line = line.strip_suffix(b"\r\n").ok_or(Invalid)?;
    let digits = line
        .split(|byte| *byte == b';')
        .next()
        .unwrap_or_default()
        .trim_ascii_end();
    let sane = (1..=16).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits)
        .ok()
        .filter(|_| sane && line.len() <= SIZE_LINE_BYTES_MAX);
    text.and_then(|text| u64::from_str_radix(text, 16).ok())
        .map(Some)
        .ok_or(Invalid)
}

/// Takes the fields after the last chunk, with the empty line that ends them; `None` while they are not whole.
fn trailers(unread: &mut BytesMut) -> Result<Option<HeaderMap>, Invalid> {
    let mut fields = [httparse::EMPTY_HEADER; TRAILERS_MAX];
    let mut trailers = HeaderMap::new();
    let length = match httparse::parse_headers(unread, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) => {
            for field in fields {
                let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Invalid)?;
                let value = HeaderValue::from_bytes(field.value).map_err(|_| Invalid)?;
                trailers.append(name, value);
            }
            length
        }
        Ok(httparse::Status::Partial) if unread.len() <= TRAILER_BYTES_MAX => return Ok(None),
        Ok(httparse::Status::Partial) | Err(_) => return Err(Invalid),
    };
    unread.advance(length);
    Ok(Some(trailers))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a chunked body that comes in pieces of `step` bytes.
    fn read(bytes: &[u8], step: usize) -> Result<(Vec<u8>, HeaderMap, Vec<u8>), Invalid> {
        let (mut framing, mut unread) = (Framing::Chunked(Chunk::Size), BytesMut::new());
        let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
        for piece in bytes.chunks(step) {
            unread.extend_from_slice(piece);
            loop {
                trailers.extend(framing.settle(&mut unread)?.unwrap_or_default());
                let Some(data) = framing.take(&mut unread) else {
                    break;
                };
                body.extend_from_slice(&data);
            }
        }
        match framing.is_ended() {
            true => Ok((body, trailers, unread.to_vec())),
            false => Err(Invalid),
        }
    }

    #[test]
    fn chunks_come_together_however_they_are_cut() {
        let bytes = b"4\r\nWiki\r\n00a;name=\"v\"\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\nnext";
        for step in 1..bytes.len() {
            let (body, trailers, rest) = read(bytes, step).unwrap();
            assert_eq!(body, b"Wiki0123456789", "{step}");
            assert_eq!(
                (&trailers["x-sum"], rest.as_slice()),
                (&"1".parse().unwrap(), &b"next"[..])
            );
        }
    }

    #[test]
    fn what_is_not_exactly_a_chunk_is_invalid() {
        for bytes in [
            &b"4\nWiki\r\n0\r\n\r\n"[..],
            b"+4\r\nWiki\r\n0\r\n\r\n",
            b"0x4\r\nWiki\r\n0\r\n\r\n",
            b" 4\r\nWiki\r\n0\r\n\r\n",
            b"\r\n0\r\n\r\n",
            b"4\r\nWikipedia\r\n0\r\n\r\n",
            b"11111111111111111\r\nx",
            b"4\r\nWiki\r\n0\r\nno field\r\n\r\n",
            b"4\r\nWiki\r\n",
        ] {
            assert_eq!(read(bytes, 7), Err(Invalid), "{}", String::from_utf8_lossy(bytes));
        }
        let endless = [b"4;".as_slice(), &[b'x'; 2 << 10]].concat();
        assert_eq!(read(&endless, 100), Err(Invalid));
    }

    #[test]
    fn a_length_ends_where_it_says() {
        let mut unread = BytesMut::from(&b"abcdef"[..]);
        let mut framing = Framing::Length(4);
        assert_eq!(framing.take(&mut unread).unwrap(), "abcd");
        assert!(framing.is_ended() && framing.take(&mut unread).is_none());
        assert_eq!(unread, "ef");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), step in 1_usize..50) {
            let _ = read(&bytes, step);
        }
    }
}
