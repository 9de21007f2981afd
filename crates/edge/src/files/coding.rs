//! Which coding of a file a visitor gets: `Accept-Encoding` (RFC 9110, section 12.5.3).

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;
use store::Coding;

/// How well liked something is, in thousandths; 0 is refused.
type Weight = u16;

/// What `identity` weighs where it is not named: it is fine, and everything that is named is better.
const UNNAMED: Weight = 0;

/// What a visitor says of each coding.
#[derive(Debug, Default)]
struct Liking {
    brotli: Option<Weight>,
    gzip: Option<Weight>,
    identity: Option<Weight>,
    any: Option<Weight>,
}

/// The best of the codings that are there; `Some(None)` is the file as it is, `None` that nothing suits.
pub(super) fn choose(headers: &HeaderMap, is_there: impl Fn(Coding) -> bool) -> Option<Option<Coding>> {
    if !headers.contains_key(ACCEPT_ENCODING) {
        return Some(None);
    }
    let liking = Liking::of(headers);
    let plain = liking.identity.or(liking.any.filter(|weight| *weight == 0));
    let mut best = plain.unwrap_or(UNNAMED);
    let mut chosen = (plain != Some(0)).then_some(None);
    // The worse one first, so that the better one wins where they are liked the same.
    for coding in Coding::ALL.into_iter().rev() {
        let weight = liking.weight(coding);
        if weight > 0 && weight >= best && is_there(coding) {
            (best, chosen) = (weight, Some(Some(coding)));
        }
    }
    chosen
}

impl Liking {
    fn of(headers: &HeaderMap) -> Self {
        let mut liking = Self::default();
        let values = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok());
        for item in values.flat_map(|value| value.split(',')) {
            let (name, parameters) = item.split_once(';').unwrap_or((item, ""));
            let name = name.trim();
            let place = match () {
                () if name.eq_ignore_ascii_case("br") => &mut liking.brotli,
                () if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                    &mut liking.gzip
                }
                () if name.eq_ignore_ascii_case("identity") => &mut liking.identity,
                () if name == "*" => &mut liking.any,
                () => continue,
            };
            *place = Some(weight(parameters));
        }
        liking
    }

    fn weight(&self, coding: Coding) -> Weight {
        let named = match coding {
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        };
        named.or(self.any).unwrap_or(0)
    }
}

/// The `q` of an item, 1 where there is none; what is not a weight is refused.
fn weight(parameters: &str) -> Weight {
    let mut parameters = parameters.split(';').map(str::trim);
    let q = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then(|| value.trim())
    });
    let Some(q) = q else { return 1_000 };
    match q.parse::<f32>() {
        Ok(q) if (0.0..=1.0).contains(&q) => (q * 1_000.0).round() as Weight,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_best_liked_coding_that_is_there_wins() {
        const BR: Option<Option<Coding>> = Some(Some(Coding::Brotli));
        const GZIP: Option<Option<Coding>> = Some(Some(Coding::Gzip));
        const PLAIN: Option<Option<Coding>> = Some(None);
        // What is said; then what is given with both there, with Gzip only, with neither.
        let table = [
            ("gzip, deflate, br, zstd", [BR, GZIP, PLAIN]),
            ("gzip", [GZIP, GZIP, PLAIN]),
            ("GZIP ; Q=0.5, br;q=0.4", [GZIP, GZIP, PLAIN]),
            ("br;q=1.0, gzip;q=0.8, *;q=0.1", [BR, GZIP, PLAIN]),
            ("gzip;q=0", [PLAIN, PLAIN, PLAIN]),
            ("*", [BR, GZIP, PLAIN]),
            ("*;q=0", [None, None, None]),
            ("*;q=0, gzip", [GZIP, GZIP, None]),
            ("identity;q=0", [None, None, None]),
            ("identity;q=0, br", [BR, None, None]),
            ("identity, gzip;q=0.5", [PLAIN, PLAIN, PLAIN]),
            ("identity;q=0.5, gzip;q=0.5", [GZIP, GZIP, PLAIN]),
            ("identity;q=1, *;q=0", [PLAIN, PLAIN, PLAIN]),
            ("", [PLAIN, PLAIN, PLAIN]),
            ("br;q=2", [PLAIN, PLAIN, PLAIN]),
            ("deflate, zstd", [PLAIN, PLAIN, PLAIN]),
            ("x-gzip", [GZIP, GZIP, PLAIN]),
        ];
        for (said, [both, one, neither]) in table {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(said));
            assert_eq!(choose(&headers, |_| true), both, "{said}");
            assert_eq!(choose(&headers, |coding| coding == Coding::Gzip), one, "{said}");
            assert_eq!(choose(&headers, |_| false), neither, "{said}");
        }
        assert_eq!(choose(&HeaderMap::new(), |_| true), PLAIN);
    }
}
