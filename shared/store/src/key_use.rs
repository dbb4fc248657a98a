//! What API keys are used for: how many calls, so that a key's limit holds over all functions and their instances, and
//! when.

use crate::database::{Action, Item, Query, TableCondition, Write, Written};
use crate::item::{number, read_each, read_item, string_of, text};
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::time;
use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

const TABLE: keyspace::ApiKeyUse = keyspace::ApiKeyUse;
/// Milliseconds since 1970. A key has had all calls that it may make until then; what is left of the past it may still
/// make.
const SPENT_UNTIL: &str = "spentUntil";
const USED_ON: &str = "usedOn";

/// Calls that an instance wants to let through, in time: how long a key at its limit takes for them.
#[derive(Debug, Clone, Copy)]
pub struct Calls {
    pub take: Duration,
    /// How much of the past a key may make up for that was not used for a while.
    pub burst: Duration,
}

/// Whether an instance may let calls through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It may. `after_a_rest` says that the key had not made calls for the time of a burst.
    Yes {
        after_a_rest: bool,
    },
    NotBefore(Timestamp),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UseItem {
    #[serde(default)]
    spent_until: i64,
    #[serde(default)]
    used_on: Option<Timestamp>,
}

impl Store {
    /// Takes calls of a key's limit, for an instance to let them through whenever they come. It is one request, or two
    /// if `after_a_rest` is a wrong guess.
    pub async fn take_calls(
        &self,
        digest: &str,
        calls: Calls,
        after_a_rest: bool,
        now: Timestamp,
    ) -> Result<Taken, Error> {
        let take = calls.take.as_millis() as i64;
        let begins = (now - calls.burst).as_millisecond();
        let rested = || {
            let was_before = TableCondition::AtMost(SPENT_UNTIL, number(begins));
            let condition = TableCondition::Any(vec![TableCondition::Missing(SPENT_UNTIL), was_before]);
            (Action::Set(SPENT_UNTIL.into(), number(begins + take)), condition)
        };
        let goes_on = || {
            let condition = TableCondition::AtMost(SPENT_UNTIL, number(now.as_millisecond()));
            (Action::Add(SPENT_UNTIL.into(), take), condition)
        };
        for rests in [after_a_rest, !after_a_rest] {
            let (spend, condition) = if rests { rested() } else { goes_on() };
            let actions = vec![spend, Action::set(USED_ON, text(time::sortable(now)))];
            let write = Write::update(TABLE, kind_key(TABLE, digest), actions).when(condition);
            match self.database.write(write).await? {
                Written::Done(item) => {
                    let before = item.map(read).transpose()?.map_or(begins, |used| used.spent_until - take);
                    return Ok(Taken::Yes { after_a_rest: before <= begins });
                }
                Written::Refused(item) => {
                    let spent =
                        item.map(read).transpose()?.and_then(|used| Timestamp::from_millisecond(used.spent_until).ok());
                    if let Some(until) = spent.filter(|until| *until > now) {
                        return Ok(Taken::NotBefore(until));
                    }
                }
            }
        }
        // Others have taken calls in between.
        Ok(Taken::NotBefore(now + calls.take))
    }

    /// Returns when keys were last used, by their digests: when calls were last taken for one.
    pub async fn key_uses(&self) -> Result<HashMap<String, Timestamp>, Error> {
        let items = self.query_all(Query::of_kind(TABLE)).await?;
        let used = |item: Item| Ok((string_of(&item, "id").cloned().unwrap_or_default(), read(item)?.used_on));
        Ok(read_each(items, used).into_iter().filter_map(|(digest, on)| Some((digest, on?))).collect())
    }

    /// Forgets what a key was used for.
    pub async fn forget_key_use(&self, digest: &str) -> Result<(), Error> {
        self.database.write(Write::delete(TABLE, kind_key(TABLE, digest))).await.map(drop)
    }
}

fn read(item: Item) -> Result<UseItem, Error> {
    read_item(TABLE, item)
}
