//! The way in for hostile DNS messages.

use super::message::{Answer, BadQuery, Query};

/// A query of a sandbox, and the answer of a server to it.
pub fn dns(bytes: &[u8]) {
    match Query::parse(bytes) {
        Ok(query) => {
            let again = query.with_id([9, 9]);
            assert_eq!((query.id(), again.len()), ([bytes[0], bytes[1]], bytes.len()));
            assert!(query.question.name.len() <= 4 * 255 && (512..=4_096).contains(&query.udp_bytes_max));
            // Read by us or by anybody, our own answers are answers to that query.
            for answer in [query.answer(3), query.truncated_answer()] {
                assert!(Answer::parse(&answer, query.id(), &query.question).is_ok());
            }
            // The rest of the message as an answer to it.
            let _ = Answer::parse(&[&[0x80], bytes].concat(), query.id(), &query.question);
            let mut answered = bytes.to_vec();
            answered[2] |= 0x80;
            if let Ok(answer) = Answer::parse(&answered, query.id(), &query.question) {
                assert!(answer.addresses.len() <= bytes.len());
            }
        }
        Err(BadQuery::Answer(answer)) => assert!(answer.len() >= 12 && answer[2] & 0x80 != 0),
        Err(BadQuery::Ignore) => {}
    }
}
