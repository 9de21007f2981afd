//! What is fed with bytes from outside, for `fuzz/` and for the property tests below: in no program that is shipped.

use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use crate::control::{ANSWER_BYTES_MAX, Answer, REQUEST_BYTES_MAX, Request};
pub use crate::egress::hostile::dns;
use crate::log::{Level, parse, render};
use crate::spec::Spec;
use crate::wire;

/// More than this does not fit into the buffer of a socket, and the test would wait for itself.
const SENT_BYTES_MAX: usize = 64 << 10;

/// What somebody says to an init, and an init to the platform; and what a program writes to its log.
pub fn wire(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(SENT_BYTES_MAX)];
    for bytes_max in [REQUEST_BYTES_MAX, ANSWER_BYTES_MAX] {
        let Ok((mut theirs, ours)) = UnixStream::pair() else {
            return;
        };
        theirs.write_all(bytes).expect("it fits into the buffer");
        drop(theirs);
        while let Ok(Some(frame)) = wire::receive(ours.as_fd(), bytes_max) {
            assert!(frame.body.len() <= bytes_max && frame.fds.is_empty());
            let _ = serde_json::from_slice::<Request>(&frame.body);
            let _ = serde_json::from_slice::<Answer>(&frame.body);
            let _ = serde_json::from_slice::<Spec>(&frame.body);
        }
    }
    let written = render(7, Level::Out, bytes);
    assert_eq!(written.matches('\n').count(), 1, "a line is one line");
    let line = parse(written.trim_end_matches('\n')).expect("a line that we wrote is read");
    assert_eq!((line.at_ms, line.level), (7, Level::Out));
    assert!(
        !line.text.chars().any(|c| c.is_control() && c != '\t'),
        "{:?}",
        line.text
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_message_and_any_output(length in 0u32..20, body in any::<Vec<u8>>()) {
            super::wire(&[&length.to_le_bytes()[..], &body].concat());
            super::wire(&body);
        }

        #[test]
        fn any_dns_message(head in any::<[u8; 12]>(), tail in any::<Vec<u8>>()) {
            super::dns(&[&head[..], &tail].concat());
            super::dns(&[&[1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1][..], &tail].concat());
        }
    }
}
