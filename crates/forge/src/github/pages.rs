//! Lists, which come in pages: all of them, or an error.

use reqwest::Url;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::api::{Api, Right};
use crate::error::ForgeError;
use crate::http::{Answer, Call, unavailable};

/// Most entries of one page.
pub(super) const PAGE: &str = "100";
/// Most pages of a list.
pub(super) const PAGES_MAX: usize = 100;

impl Api {
    /// The data of all pages. An error of one is an error of the list.
    pub(super) async fn all<T: DeserializeOwned>(
        &self,
        right: Right<'_>,
        call: Call,
        inside: Option<&str>,
    ) -> Result<Vec<T>, ForgeError> {
        let mut items = Vec::new();
        let mut next = Some(paged(call));
        for _ in 0..PAGES_MAX {
            let Some(call) = next.take() else {
                return Ok(items);
            };
            let answer = self.send(right.clone(), call.clone()).await?;
            items.extend(page::<T>(&answer, inside)?);
            if let Some(url) = answer.link("next") {
                if !self.is_own(&url) {
                    return Err(unavailable(&call, "the next page is at another server"));
                }
                next = Some(Call { url, ..call });
            }
        }
        match next {
            None => Ok(items),
            Some(call) => Err(too_many(call.url.path())),
        }
    }
}

/// A list longer than we read is no list: a part of it would say that the rest is not there.
pub(super) fn too_many(what: &str) -> ForgeError {
    ForgeError::Refused {
        status: 200,
        message: format!("{what}: more than {PAGES_MAX} pages of {PAGE} entries"),
    }
}

/// The call for pages as long as they can be.
pub(super) fn paged(mut call: Call) -> Call {
    let has_size = call.url.query_pairs().any(|(name, _)| name == "per_page");
    if !has_size {
        call.url.query_pairs_mut().append_pair("per_page", PAGE);
    }
    call
}

/// The entries of one page, which some lists have `inside` an object.
pub(super) fn page<T: DeserializeOwned>(answer: &Answer, inside: Option<&str>) -> Result<Vec<T>, ForgeError> {
    let Some(inside) = inside else {
        return answer.json();
    };
    let mut object: serde_json::Map<String, Value> = answer.json()?;
    let list = object.remove(inside).unwrap_or_default();
    serde_json::from_value(list).map_err(|error| ForgeError::Unavailable {
        message: format!("the answer cannot be read: {error}"),
    })
}

pub(super) fn query(mut url: Url, pairs: &[(&str, &str)]) -> Url {
    url.query_pairs_mut().extend_pairs(pairs);
    url
}
