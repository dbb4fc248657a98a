//! Writes a scope as `locale` and `externalId`.

use restock_domain::{ExternalId, Locale, Scope};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<Locale>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    external_id: Option<ExternalId>,
}

pub fn serialize<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    Named { locale: scope.locale().cloned(), external_id: scope.external_id().cloned() }.serialize(serializer)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scope, D::Error> {
    let Named { locale, external_id } = Named::deserialize(deserializer)?;
    Ok(Scope::of(locale, external_id))
}
