//! As much of DNS messages as the resolver must understand (RFC 1035, EDNS of RFC 6891).
//!
//! Reads the header and the one question of a query, and the addresses of an answer; everything else travels
//! unread. Input is hostile on both sides: every length is checked, compression is skipped and never followed, and
//! whatever does not parse is an error. It knows neither policy nor sockets.

use std::net::IpAddr;

pub(super) const HEADER_BYTES: usize = 12;
/// The longest query that is taken; real ones stay below 300 bytes, padded ones below 500.
pub(super) const QUERY_BYTES_MAX: usize = 1_232;

/// Response codes (RFC 1035, section 4.1.1).
pub(super) const NO_ERROR: u8 = 0;
pub(super) const FORMAT_ERROR: u8 = 1;
pub(super) const SERVER_FAILURE: u8 = 2;
pub(super) const NO_SUCH_NAME: u8 = 3;
pub(super) const NOT_IMPLEMENTED: u8 = 4;
pub(super) const REFUSED: u8 = 5;

pub(super) const KIND_A: u16 = 1;
pub(super) const KIND_AAAA: u16 = 28;
const KIND_OPT: u16 = 41;
const CLASS_INTERNET: u16 = 1;

const LABEL_BYTES_MAX: usize = 63;
const NAME_BYTES_MAX: usize = 255;
const UDP_BYTES_MIN: usize = 512;
const UDP_BYTES_MAX: usize = 4_096;

/// What a query asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// Lower case, without the final dot; bytes that are not letters, digits, `-` or `_` as `\ddd`, so that a dot
    /// inside a label is never taken for one between labels.
    pub(super) name: String,
    pub(super) kind: u16,
    class: u16,
}

/// A query that may be forwarded: one question of class IN and nothing unusual.
#[derive(Clone, Debug)]
pub(super) struct Query<'a> {
    bytes: &'a [u8],
    question_end: usize,
    pub(super) question: Question,
    /// The longest answer that the client takes over UDP, 512 to 4,096 bytes.
    pub(super) udp_bytes_max: usize,
}

/// Why a query is not forwarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BadQuery {
    /// Not even a query: answering could only start a loop.
    Ignore,
    /// To be answered with these bytes.
    Answer(Vec<u8>),
}

/// The bytes are not a message that is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What an answer carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) code: u8,
    pub(super) truncated: bool,
    /// Addresses with the seconds they are good for. They belong to the name that was asked, whatever chain of
    /// aliases led to them.
    pub(super) addresses: Vec<(IpAddr, u32)>,
}

impl<'a> Query<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Query<'a>, BadQuery> {
        let header = Header::parse(bytes).map_err(|Malformed| BadQuery::Ignore)?;
        if header.is_answer {
            return Err(BadQuery::Ignore);
        }
        let bad = |code| BadQuery::Answer(answer_without_question(bytes, code));
        if header.operation != 0 {
            return Err(bad(NOT_IMPLEMENTED));
        }
        let only_a_question = header.counts[0] == 1 && header.counts[1] == 0 && header.counts[2] == 0;
        if !only_a_question || header.counts[3] > 2 || bytes.len() > QUERY_BYTES_MAX {
            return Err(bad(FORMAT_ERROR));
        }
        let mut reader = Reader {
            bytes,
            at: HEADER_BYTES,
        };
        let question = reader.question().map_err(|Malformed| bad(FORMAT_ERROR))?;
        let question_end = reader.at;
        let mut udp_bytes_max = UDP_BYTES_MIN;
        for _ in 0..header.counts[3] {
            let record = reader.record().map_err(|Malformed| bad(FORMAT_ERROR))?;
            if record.kind == KIND_OPT {
                // In this record the class is the size of the client's buffer.
                udp_bytes_max = usize::from(record.class).clamp(UDP_BYTES_MIN, UDP_BYTES_MAX);
            }
        }
        let query = Query {
            bytes,
            question_end,
            question,
            udp_bytes_max,
        };
        match query.question.class {
            CLASS_INTERNET => Ok(query),
            _ => Err(BadQuery::Answer(query.answer(REFUSED))),
        }
    }

    /// The same query under another id.
    pub(super) fn with_id(&self, id: [u8; 2]) -> Vec<u8> {
        let mut bytes = self.bytes.to_vec();
        bytes[..2].copy_from_slice(&id);
        bytes
    }

    pub(super) fn id(&self) -> [u8; 2] {
        [self.bytes[0], self.bytes[1]]
    }

    /// An answer of our own that holds the question and nothing else.
    pub(super) fn answer(&self, code: u8) -> Vec<u8> {
        let mut answer = answer_without_question(self.bytes, code);
        answer[5] = 1;
        answer.extend_from_slice(&self.bytes[HEADER_BYTES..self.question_end]);
        answer
    }

    /// The answer for a client whose UDP buffer is too small: ask again over TCP.
    pub(super) fn truncated_answer(&self) -> Vec<u8> {
        let mut answer = self.answer(NO_ERROR);
        answer[2] |= 0x02;
        answer
    }
}

impl Answer {
    /// Reads the answer to a query that was sent under `id`; anything that answers another query is malformed.
    pub(super) fn parse(bytes: &[u8], id: [u8; 2], question: &Question) -> Result<Answer, Malformed> {
        let header = Header::parse(bytes)?;
        if bytes[..2] != id || !header.is_answer || header.operation != 0 || header.counts[0] != 1 {
            return Err(Malformed);
        }
        let mut reader = Reader {
            bytes,
            at: HEADER_BYTES,
        };
        if reader.question()? != *question {
            return Err(Malformed);
        }
        let mut answer = Answer {
            code: header.code,
            truncated: header.truncated,
            addresses: Vec::new(),
        };
        // Truncation may cut a record in two; such an answer is fetched again over TCP.
        let records = if answer.truncated { 0 } else { header.counts[1] };
        for _ in 0..records {
            let record = reader.record()?;
            if record.class == CLASS_INTERNET {
                answer
                    .addresses
                    .extend(record.address().map(|address| (address, record.seconds)));
            }
        }
        Ok(answer)
    }
}

/// Header and nothing else: the id of the query, the code, "recursion available".
fn answer_without_question(query: &[u8], code: u8) -> Vec<u8> {
    let mut answer = vec![0; HEADER_BYTES];
    answer[..2].copy_from_slice(&query[..2]);
    // Response, the query's operation and its wish for recursion.
    answer[2] = 0x80 | query[2] & 0x79;
    answer[3] = 0x80 | code & 0x0f;
    answer
}

struct Header {
    is_answer: bool,
    operation: u8,
    truncated: bool,
    code: u8,
    /// Questions, answers, authorities, additional records.
    counts: [u16; 4],
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Header, Malformed> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(Malformed)?;
        let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        Ok(Header {
            is_answer: header[2] & 0x80 != 0,
            operation: header[2] >> 3 & 0x0f,
            truncated: header[2] & 0x02 != 0,
            code: header[3] & 0x0f,
            counts: [count(4), count(6), count(8), count(10)],
        })
    }
}

struct Record<'a> {
    kind: u16,
    class: u16,
    seconds: u32,
    data: &'a [u8],
}

impl Record<'_> {
    fn address(&self) -> Option<IpAddr> {
        match self.kind {
            KIND_A => <[u8; 4]>::try_from(self.data).ok().map(IpAddr::from),
            KIND_AAAA => <[u8; 16]>::try_from(self.data).ok().map(IpAddr::from),
            _ => None,
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.bytes.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A question's name is the first in the message: it has nothing to point back to, so pointers are malformed.
    fn question(&mut self) -> Result<Question, Malformed> {
        let start = self.at;
        let mut name = String::new();
        loop {
            let length = usize::from(self.byte()?);
            if length > LABEL_BYTES_MAX || self.at - start + length > NAME_BYTES_MAX {
                return Err(Malformed);
            }
            if length == 0 {
                break;
            }
            if !name.is_empty() {
                name.push('.');
            }
            push_label(&mut name, self.take(length)?);
        }
        Ok(Question {
            name,
            kind: self.number()?,
            class: self.number()?,
        })
    }

    fn record(&mut self) -> Result<Record<'a>, Malformed> {
        self.skip_name()?;
        let (kind, class) = (self.number()?, self.number()?);
        let seconds = u32::from(self.number()?) << 16 | u32::from(self.number()?);
        let length = usize::from(self.number()?);
        Ok(Record {
            kind,
            class,
            seconds,
            data: self.take(length)?,
        })
    }

    fn skip_name(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        loop {
            let length = usize::from(self.byte()?);
            match length {
                0 => return Ok(()),
                1..=LABEL_BYTES_MAX => self.take(length)?,
                // A pointer ends a name; where it points does not matter here.
                0xc0..=0xff => return self.byte().map(|_| ()),
                _ => return Err(Malformed),
            };
            if self.at - start > NAME_BYTES_MAX {
                return Err(Malformed);
            }
        }
    }
}

fn push_label(name: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'A'..=b'Z' => name.push(char::from(byte.to_ascii_lowercase())),
            _ => name.push_str(&format!("\\{byte:03}")),
        }
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
