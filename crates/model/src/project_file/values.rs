//! Values that people write as words (`30m`, `512MB`, `"public"`) and the platform keeps as numbers and policies.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use crate::network::Egress;
use crate::units::{parse_bytes, parse_seconds};

/// A policy as it is written.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum EgressText {
    Word(String),
    Names(Vec<String>),
}

pub(super) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_seconds(&text).map(Some).map_err(de::Error::custom)
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_bytes(&text).map(Some).map_err(de::Error::custom)
}

pub(super) fn egress<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Egress>, D::Error> {
    match EgressText::deserialize(deserializer) {
        Ok(EgressText::Names(names)) => Ok(Some(Egress::Names(names))),
        Ok(EgressText::Word(word)) => match word.as_str() {
            "public" => Ok(Some(Egress::Public)),
            "none" => Ok(Some(Egress::None)),
            "registries" => Ok(Some(Egress::Registries)),
            _ => Err(de::Error::custom(format!(
                "`{word}` is not a network policy; use \"public\", \"registries\", \"none\" or a list of host names"
            ))),
        },
        Err(_) => Err(de::Error::custom(
            "a network policy is \"public\", \"registries\", \"none\" or a list of host names",
        )),
    }
}
