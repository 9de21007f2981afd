//! Conditions of a request (RFC 9110, sections 13 and 14): whether the visitor has the file already, and which part of
//! it he wants.

use http::HeaderMap;
use http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// The part of a file that is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Both ends inside the file.
    Some {
        first: u64,
        last: u64,
    },
    /// Nothing of the file.
    Outside,
}

/// Whether the visitor has the file with this tag.
pub(super) fn not_modified(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|given| {
            // The comparison is weak: something in front may have weakened our tag.
            given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag
        })
}

/// Which part of a file of `size_bytes` is asked for. What is not understood, and several parts at once, give the
/// whole, as the standard allows.
pub(super) fn part(headers: &HeaderMap, tag: &str, size_bytes: u64) -> Part {
    let text = |name| {
        headers
            .get(name)
            .and_then(|value: &http::HeaderValue| value.to_str().ok())
    };
    let Some(range) = text(RANGE) else {
        return Part::Whole;
    };
    if headers.contains_key(IF_RANGE) && text(IF_RANGE) != Some(tag) {
        return Part::Whole;
    }
    let Some(range) = range.trim().strip_prefix("bytes=") else {
        return Part::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Part::Whole;
    };
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() {
        // More digits than fit are more than any file has.
        true => Some(text.parse().unwrap_or(u64::MAX)),
        false => None,
    };
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first > last => Part::Whole,
        (Some(first), _) if first >= size_bytes && (last.is_empty() || number(last).is_some()) => {
            Part::Outside
        }
        (Some(first), Some(last)) => Part::Some {
            first,
            last: last.min(size_bytes - 1),
        },
        (Some(first), None) if last.is_empty() => Part::Some {
            first,
            last: size_bytes - 1,
        },
        (None, Some(0)) if first.is_empty() => Part::Outside,
        (None, Some(_)) if first.is_empty() && size_bytes == 0 => Part::Outside,
        (None, Some(count)) if first.is_empty() => Part::Some {
            first: size_bytes.saturating_sub(count),
            last: size_bytes - 1,
        },
        _ => Part::Whole,
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
    fn ranges() {
        let some = |first, last| Part::Some { first, last };
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
            ("bytes=0-1,3-4", Part::Whole),
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
        assert_eq!(part(&headers, "\"old\"", 10), Part::Some { first: 0, last: 1 });
    }
}
