use proptest::prelude::*;

use super::*;

/// A query for `name` (labels split at dots).
fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&1u16.to_be_bytes());
    bytes
}

/// Turns a query into an answer with these records (kind, data); each name is a pointer to the question.
fn answer(query: &[u8], records: &[(u16, &[u8])]) -> Vec<u8> {
    let mut bytes = query.to_vec();
    bytes[2] |= 0x80;
    bytes[7] = u8::try_from(records.len()).unwrap();
    for (kind, data) in records {
        bytes.extend_from_slice(&[0xc0, 12]);
        bytes.extend_from_slice(&kind.to_be_bytes());
        bytes.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
        bytes.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(data);
    }
    bytes
}

fn code_of(result: Result<Query<'_>, BadQuery>) -> u8 {
    match result {
        Err(BadQuery::Answer(bytes)) => bytes[3] & 0x0f,
        other => panic!("an answer with a code, not {other:?}"),
    }
}

#[test]
fn a_question_is_read_in_lower_case() {
    let bytes = query("Registry.NPMjs.org", KIND_AAAA);
    let query = Query::parse(&bytes).unwrap();
    assert_eq!(query.question.name, "registry.npmjs.org");
    assert_eq!(query.question.kind, KIND_AAAA);
    assert_eq!(query.udp_bytes_max, 512);
}

#[test]
fn a_dot_inside_a_label_is_not_a_dot_between_labels() {
    let mut bytes = query("", KIND_A);
    bytes.splice(12..13, *b"\x0bexample.com\x03evi\x00");
    let query = Query::parse(&bytes).unwrap();
    assert_eq!(query.question.name, "example\\046com.evi");
}

#[test]
fn the_clients_buffer_is_read_from_edns_and_bounded() {
    for (size, expected) in [(1232u16, 1232), (100, 512), (65535, 4096)] {
        let mut bytes = query("a.example", KIND_A);
        bytes[11] = 1;
        bytes.extend_from_slice(&[0, 0, 41]);
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
        assert_eq!(Query::parse(&bytes).unwrap().udp_bytes_max, expected);
    }
}

#[test]
fn what_is_not_one_plain_question_is_refused_with_its_code() {
    let good = query("a.example", KIND_A);
    let change = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        bytes
    };
    assert_eq!(
        code_of(Query::parse(&change(2, 0x28))),
        NOT_IMPLEMENTED,
        "a dynamic update"
    );
    assert_eq!(
        code_of(Query::parse(&change(5, 2))),
        FORMAT_ERROR,
        "two questions"
    );
    assert_eq!(code_of(Query::parse(&change(5, 0))), FORMAT_ERROR, "no question");
    assert_eq!(
        code_of(Query::parse(&change(7, 1))),
        FORMAT_ERROR,
        "an answer in a query"
    );
    assert_eq!(
        code_of(Query::parse(&change(11, 1))),
        FORMAT_ERROR,
        "a record that is not there"
    );
    assert_eq!(
        code_of(Query::parse(&change(12, 0xc0))),
        FORMAT_ERROR,
        "a pointer in a question"
    );
    assert_eq!(
        code_of(Query::parse(&change(12, 64))),
        FORMAT_ERROR,
        "a label that is too long"
    );
    assert_eq!(
        code_of(Query::parse(&good[..good.len() - 1])),
        FORMAT_ERROR,
        "cut off"
    );
    assert_eq!(
        code_of(Query::parse(&change(good.len() - 1, 3))),
        REFUSED,
        "class CHAOS"
    );
    assert_eq!(
        Query::parse(&change(2, 0x81)).unwrap_err(),
        BadQuery::Ignore,
        "an answer"
    );
    assert_eq!(
        Query::parse(&good[..11]).unwrap_err(),
        BadQuery::Ignore,
        "no header"
    );
    let long_name = [&good[..12], &[1, b'a'].repeat(130), &good[12..]].concat();
    assert_eq!(
        code_of(Query::parse(&long_name)),
        FORMAT_ERROR,
        "a name above 255 bytes"
    );
}

#[test]
fn our_own_answer_repeats_id_and_question() {
    let bytes = query("a.example", KIND_A);
    let query = Query::parse(&bytes).unwrap();
    let refusal = query.answer(NO_SUCH_NAME);
    let read = Answer::parse(&refusal, query.id(), &query.question).unwrap();
    assert_eq!(
        read,
        Answer {
            code: NO_SUCH_NAME,
            truncated: false,
            addresses: vec![]
        }
    );
    assert!(
        Answer::parse(&query.truncated_answer(), query.id(), &query.question)
            .unwrap()
            .truncated
    );
}

#[test]
fn addresses_are_read_through_aliases() {
    let bytes = query("a.example", KIND_A);
    let question = Query::parse(&bytes).unwrap().question;
    let alias: &[u8] = b"\x01b\x07example\x00";
    let bytes = answer(
        &bytes,
        &[(5, alias), (KIND_A, &[203, 0, 113, 9]), (KIND_AAAA, &[0x20; 16])],
    );
    let read = Answer::parse(&bytes, [0x12, 0x34], &question).unwrap();
    assert_eq!(read.addresses[0], ("203.0.113.9".parse().unwrap(), 60));
    assert_eq!(read.addresses.len(), 2);
}

#[test]
fn an_answer_to_another_query_is_malformed() {
    let asked = query("a.example", KIND_A);
    let question = Query::parse(&asked).unwrap().question;
    let right = answer(&asked, &[(KIND_A, &[203, 0, 113, 9])]);
    assert!(Answer::parse(&right, [0x12, 0x34], &question).is_ok());
    assert_eq!(
        Answer::parse(&right, [0x12, 0x35], &question),
        Err(Malformed),
        "another id"
    );
    let other = answer(&query("b.example", KIND_A), &[]);
    assert_eq!(
        Answer::parse(&other, [0x12, 0x34], &question),
        Err(Malformed),
        "another name"
    );
    let other = answer(&query("a.example", KIND_AAAA), &[]);
    assert_eq!(
        Answer::parse(&other, [0x12, 0x34], &question),
        Err(Malformed),
        "another kind"
    );
    assert_eq!(
        Answer::parse(&asked, [0x12, 0x34], &question),
        Err(Malformed),
        "not an answer"
    );
    assert_eq!(
        Answer::parse(&right[..right.len() - 1], [0x12, 0x34], &question),
        Err(Malformed),
        "cut off"
    );
}

proptest! {
    #[test]
    fn hostile_queries_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Err(BadQuery::Answer(answer)) = Query::parse(&bytes) {
            prop_assert!(answer.len() >= HEADER_BYTES && answer.len() <= bytes.len());
        }
    }

    #[test]
    fn damaged_messages_never_panic(
        damage in proptest::collection::vec((0usize..120, any::<u8>()), 0..8),
        length in 0usize..120,
    ) {
        let asked = query("a.example", KIND_A);
        let question = Query::parse(&asked).unwrap().question;
        let mut bytes = answer(&asked, &[(5, b"\x01b\xc0\x0c"), (KIND_A, &[203, 0, 113, 9])]);
        for (at, value) in damage {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        bytes.truncate(length);
        if let Ok(read) = Answer::parse(&bytes, [0x12, 0x34], &question) {
            prop_assert!(read.addresses.len() <= bytes.len() / 12);
        }
        if let Ok(query) = Query::parse(&bytes) {
            prop_assert!(query.answer(REFUSED).len() <= bytes.len());
        }
    }

    #[test]
    fn every_well_formed_name_is_read_back(labels in proptest::collection::vec("[a-z0-9_-]{1,20}", 1..8)) {
        let name = labels.join(".");
        let bytes = query(&name, KIND_A);
        prop_assert_eq!(Query::parse(&bytes).unwrap().question.name, name);
    }
}
