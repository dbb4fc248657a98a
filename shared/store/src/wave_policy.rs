//! The shop's policy for waves, with its versions.

use crate::cached::Cached;
use crate::database::{AllWritten, Item};
use crate::item::{damaged, write_document};
use crate::keyspace;
use crate::versions::{DocumentChange, Expected, Kinds, document_of, has_document, version_of};
use crate::{Error, Race, Store};
use jiff::Timestamp;
use restock_domain::waves::{First, PerUnit, QuietHours, Trigger};
use restock_domain::{WavePolicy, time};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

const KINDS: Kinds<keyspace::WavePolicies, keyspace::WavePolicyVersions> =
    Kinds { newest: keyspace::WavePolicies, versions: keyspace::WavePolicyVersions };
/// The id of the only one.
const SHOP: &str = "shop";

/// The shop's policy as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ShopPolicy {
    pub policy: WavePolicy,
    pub version: u64,
    pub updated_on: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyDocument {
    #[serde(flatten)]
    policy: WaveDocument,
    updated_on: Timestamp,
}

/// A policy as it is stored, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WaveDocument {
    per_unit: Option<String>,
    interval_seconds: u64,
    minimum: i64,
    hold_down_seconds: u64,
    trigger: String,
    quiet_hours: Option<QuietDocument>,
    #[serde(default)]
    first: Option<FirstDocument>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FirstDocument {
    attribute: String,
    values: Vec<String>,
    head_start_seconds: u64,
}

#[derive(Serialize, Deserialize)]
struct QuietDocument {
    from: String,
    to: String,
    zone: String,
}

impl From<WavePolicy> for WaveDocument {
    fn from(policy: WavePolicy) -> Self {
        let WavePolicy { per_unit, interval, minimum, hold_down, trigger, quiet_hours, first } = policy;
        let quiet = |hours: QuietHours| QuietDocument {
            from: hours.from().strftime("%H:%M").to_string(),
            to: hours.to().strftime("%H:%M").to_string(),
            zone: hours.zone_name().to_owned(),
        };
        Self {
            per_unit: per_unit.map(|per_unit| per_unit.to_string()),
            interval_seconds: interval.as_secs(),
            minimum,
            hold_down_seconds: hold_down.as_secs(),
            trigger: <&str>::from(trigger).to_owned(),
            quiet_hours: quiet_hours.map(quiet),
            first: first.map(|First { attribute, values, head_start }| FirstDocument {
                attribute,
                values,
                head_start_seconds: head_start.as_secs(),
            }),
        }
    }
}

impl WaveDocument {
    /// Returns the policy; what callers may not write any more stays as it was stored. One that can't be read is an
    /// error, as too many mails would leave without it.
    pub fn policy(self) -> Result<WavePolicy, Box<dyn std::error::Error + Send + Sync>> {
        let quiet = |hours: QuietDocument| QuietHours::restore(&hours.from, &hours.to, &hours.zone);
        Ok(WavePolicy {
            per_unit: self.per_unit.map(|per_unit| PerUnit::restore(&per_unit)).transpose()?,
            interval: Duration::from_secs(self.interval_seconds),
            minimum: self.minimum,
            hold_down: Duration::from_secs(self.hold_down_seconds),
            trigger: self.trigger.parse::<Trigger>()?,
            quiet_hours: self.quiet_hours.map(quiet).transpose()?,
            first: self.first.map(|first| First {
                attribute: first.attribute,
                values: first.values,
                head_start: Duration::from_secs(first.head_start_seconds),
            }),
        })
    }
}

impl Store {
    /// Stores the shop's policy as its next version.
    pub async fn put_wave_policy(
        &self,
        policy: WavePolicy,
        expected: Expected,
        now: Timestamp,
    ) -> Result<DocumentChange<ShopPolicy>, Error> {
        let mut race = Race::about("the change of the policy for waves");
        loop {
            race.enter()?;
            let (seen, is_there) = self.newest_version(&KINDS, SHOP, false).await?;
            if !expected.allows(is_there.then_some(seen)) {
                return Ok(DocumentChange::Stale);
            }
            let updated_on = time::to_millisecond(now);
            let document = PolicyDocument { policy: policy.clone().into(), updated_on };
            let document = write_document(KINDS.newest, &document)?;
            let writes = KINDS.next_version(SHOP, seen, document);
            if let AllWritten::Done = self.database.write_all(writes).await? {
                let stored = ShopPolicy { policy, version: seen + 1, updated_on };
                return Ok(DocumentChange::Done(Box::new(stored)));
            }
        }
    }

    /// Deletes the shop's policy. Its number goes on counting if one is stored again.
    pub async fn delete_wave_policy(&self, expected: Expected) -> Result<DocumentChange<()>, Error> {
        self.delete_document(&KINDS, SHOP, false, expected).await
    }

    /// Returns the shop's policy, if there is one; strongly consistent.
    pub async fn wave_policy(&self) -> Result<Option<ShopPolicy>, Error> {
        let item = self.get(KINDS.newest, KINDS.key(SHOP)).await?;
        item.filter(has_document).map(|item| read(&item)).transpose()
    }
}

fn read(item: &Item) -> Result<ShopPolicy, Error> {
    let (_, PolicyDocument { policy, updated_on }) = document_of::<PolicyDocument>(item)?;
    let policy = policy.policy().map_err(|error| damaged(KINDS.newest, item, error))?;
    Ok(ShopPolicy { policy, version: version_of(KINDS.newest, item)?, updated_on })
}

/// The shop's policy as it was not longer than a while ago, so that not every message reads it.
pub struct CachedWavePolicy {
    store: Store,
    seen: Cached<Option<WavePolicy>>,
}

impl CachedWavePolicy {
    pub fn new(store: Store, kept: Duration) -> Self {
        Self { store, seen: Cached::new(kept) }
    }

    pub async fn current(&self) -> Result<Arc<Option<WavePolicy>>, Error> {
        self.seen.current(async { Ok(self.store.wave_policy().await?.map(|stored| stored.policy).into()) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_as_it_was_stored() {
        let [from, to] = ["22:00", "07:30"].map(|time| QuietHours::time(time).unwrap());
        let quiet = QuietHours::new(from, to, QuietHours::zone("Europe/Stockholm").unwrap()).unwrap();
        let policy = WavePolicy {
            per_unit: Some(PerUnit::parse("0.1").unwrap()),
            interval: Duration::from_secs(300),
            minimum: 2,
            hold_down: Duration::from_secs(60),
            trigger: Trigger::Restock,
            quiet_hours: Some(quiet),
            first: Some(First {
                attribute: "club".into(),
                values: vec!["gold".into()],
                head_start: Duration::from_secs(60),
            }),
        };
        let none = WavePolicy { per_unit: None, quiet_hours: None, first: None, ..policy.clone() };

        for policy in [policy, none] {
            let stored = serde_json::to_string(&WaveDocument::from(policy.clone())).unwrap();
            assert_eq!(serde_json::from_str::<WaveDocument>(&stored).unwrap().policy().unwrap(), policy);
        }
    }
}
