//! Conditions of a request (RFC 9110, sections 13 and 14): whether the visitor has the file already, and which part of
//! it he wants. Files have tags and no dates, so conditions on dates do not count.

use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

/// Parts that one answer has at the most; who asks for more gets the whole.
const PARTS_MAX: usize = 16;

/// The part of a file that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// First and last byte of each part, all inside the file. At least one, in the order asked for.
    Some(Vec<(u64, u64)>),
    /// Nothing of the file.
    Outside,
}

/// Whether the request is about another file than the one with this tag.
pub(super) fn is_other(headers: &HeaderMap, tag: &str) -> bool {
    headers.contains_key(IF_MATCH) && !listed(headers, IF_MATCH).any(|given| given == "*" || given == tag)
}

/// Whether the visitor has the file with this tag.
pub(super) fn not_modified(headers: &HeaderMap, tag: &str) -> bool {
    // The comparison is weak: something in front may have weakened our tag.
    listed(headers, IF_NONE_MATCH)
        .any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

fn listed(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// Which part of a file of `size_bytes` is asked for. What is not understood gives the whole, as the standard allows;
/// so do parts that together are more than the whole.
pub(super) fn part(headers: &HeaderMap, tag: &str, size_bytes: u64) -> Part {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let Some(ranges) = text(RANGE).and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Part::Whole;
    };
    if headers.contains_key(IF_RANGE) && text(IF_RANGE) != Some(tag) {
        return Part::Whole;
    }
    let mut parts = Vec::new();
    for (number, range) in ranges.split(',').enumerate() {
        match one(range.trim(), size_bytes) {
            _ if number >= PARTS_MAX => return Part::Whole,
            None => return Part::Whole,
            Some(None) => {}
            Some(Some(part)) => parts.push(part),
        }
    }
    let asked: u64 = parts
        .iter()
        .fold(0, |sum: u64, (first, last)| sum.saturating_add(last - first + 1));
    match (parts.len(), asked > size_bytes) {
        (0, _) => Part::Outside,
        (2.., true) => Part::Whole,
        _ => Part::Some(parts),
    }
}

/// Reads one range: `None` where it is none, `Some(None)` where nothing of the file lies in it.
fn one(range: &str, size_bytes: u64) -> Option<Option<(u64, u64)>> {
    let (first, last) = range.split_once('-')?;
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are more than any file has.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => None,
        (Some(first), _) if first >= size_bytes && (last.is_empty() || number(last).is_some()) => Some(None),
        (Some(first), Some(last)) => Some(Some((first, last.min(size_bytes - 1)))),
        (Some(first), None) if last.is_empty() => Some(Some((first, size_bytes - 1))),
        (None, Some(0)) if first.is_empty() => Some(None),
        (None, Some(_)) if first.is_empty() && size_bytes == 0 => Some(None),
        (None, Some(count)) if first.is_empty() => {
            Some(Some((size_bytes.saturating_sub(count), size_bytes - 1)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: http::HeaderName, value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_str(value).unwrap());
        headers
    }

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        for (value, same) in [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
        ] {
            assert_eq!(
                not_modified(&headers(IF_NONE_MATCH, value), "\"a\""),
                same,
                "{value}"
            );
        }
    }

    #[test]
    fn another_file_is_not_given_for_the_one_meant() {
        for (value, other) in [
            ("\"a\"", false),
            ("*", false),
            ("\"b\", \"a\"", false),
            ("W/\"a\"", true),
            ("\"b\"", true),
        ] {
            assert_eq!(is_other(&headers(IF_MATCH, value), "\"a\""), other, "{value}");
        }
        assert!(!is_other(&HeaderMap::new(), "\"a\""));
    }

    #[test]
    fn ranges() {
        let some = |first, last| Part::Some(vec![(first, last)]);
        let table = [
            ("bytes=0-0", some(0, 0)),
            ("bytes=2-", some(2, 9)),
            ("bytes=-3", some(7, 9)),
            ("bytes=-99", some(0, 9)),
            ("bytes=5-99999999999999999999999", some(5, 9)),
            ("bytes=10-", Part::Outside),
            ("bytes=10-12", Part::Outside),
            ("bytes=-0", Part::Outside),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1, 3-4", Part::Some(vec![(0, 1), (3, 4)])),
            ("bytes=-2,0-0,20-30", Part::Some(vec![(8, 9), (0, 0)])),
            ("bytes=20-,30-", Part::Outside),
            ("bytes=0-6,3-9", Part::Whole),
            ("bytes=0-1,x", Part::Whole),
            (
                "bytes=0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0,0-0",
                Part::Whole,
            ),
            ("bytes=-", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("lines=0-1", Part::Whole),
        ];
        for (range, expected) in table {
            assert_eq!(part(&headers(RANGE, range), "\"a\"", 10), expected, "{range}");
        }
        assert_eq!(part(&headers(RANGE, "bytes=0-"), "\"a\"", 0), Part::Outside);
        assert_eq!(part(&headers(RANGE, "bytes=-5"), "\"a\"", 0), Part::Outside);
    }

    #[test]
    fn a_part_of_another_version_is_not_given() {
        let mut headers = headers(RANGE, "bytes=0-1");
        headers.insert(IF_RANGE, HeaderValue::from_static("\"old\""));
        assert_eq!(part(&headers, "\"new\"", 10), Part::Whole);
        assert_eq!(part(&headers, "\"old\"", 10), Part::Some(vec![(0, 1)]));
    }
}
