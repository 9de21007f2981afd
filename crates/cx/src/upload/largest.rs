//! Which directories hold the most, so that whoever has too much knows what to leave out.

use std::collections::BTreeMap;

/// Directories that are named at the most.
const NAMED_MAX: usize = 3;

/// The directories with the most weight, heaviest first, as deep as nearly all of it lies together.
pub(super) fn largest<'a>(files: impl Iterator<Item = (&'a str, u64)>) -> Vec<(String, u64)> {
    let mut weights: BTreeMap<&str, u64> = BTreeMap::new();
    for (path, weight) in files {
        for (at, _) in path.match_indices('/') {
            *weights.entry(&path[..at]).or_default() += weight;
        }
    }
    let mut tops: Vec<(&str, u64)> = children(&weights, "").collect();
    tops.sort_by_key(|(path, weight)| (std::cmp::Reverse(*weight), *path));
    let deepest = |(path, weight)| {
        let (mut path, mut weight): (&str, u64) = (path, weight);
        // Four fifths in one directory: the others are not the reason.
        while let Some((below, most)) = children(&weights, path).max_by_key(|(_, weight)| *weight)
            && most.saturating_mul(5) >= weight.saturating_mul(4)
        {
            (path, weight) = (below, most);
        }
        (path.to_owned(), weight)
    };
    tops.into_iter().take(NAMED_MAX).map(deepest).collect()
}

fn children<'a>(weights: &BTreeMap<&'a str, u64>, of: &str) -> impl Iterator<Item = (&'a str, u64)> {
    let below = match of {
        "" => String::new(),
        of => format!("{of}/"),
    };
    let from = weights.range::<str, _>((
        std::ops::Bound::Included(below.as_str()),
        std::ops::Bound::Unbounded,
    ));
    let own: Vec<(&str, u64)> = from
        .take_while(|(path, _)| path.starts_with(&below))
        .filter(|(path, _)| !path[below.len()..].contains('/'))
        .map(|(path, weight)| (*path, *weight))
        .collect();
    own.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directories_that_hold_the_most_are_named() {
        let mut files: Vec<String> = (0..90).map(|n| format!("data/cache/{}/{n}", n % 2)).collect();
        files.extend((0..20).map(|n| format!("img/{n}")));
        files.extend(["a/b/c".to_owned(), "b/c".to_owned(), "index.html".to_owned()]);
        let found = largest(files.iter().map(|path| (path.as_str(), 1)));
        let wanted = [("data/cache", 90), ("img", 20), ("a/b", 1)];
        assert_eq!(found, wanted.map(|(path, weight)| (path.to_owned(), weight)));
        assert!(largest([("a", 1)].into_iter()).is_empty());
    }
}
