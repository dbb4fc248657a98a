//! The pause of all sending, which an operator may make and end at any time.

use crate::database::{Action, Item, Write, Written};
use crate::item::{read_item, text, write_item};
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use restock_domain::{Pause, time};
use serde::{Deserialize, Serialize};

pub(crate) const TABLE: keyspace::Pauses = keyspace::Pauses;
const SINCE: &str = "since";

#[derive(Serialize, Deserialize)]
struct PauseItem {
    #[serde(with = "time::rfc3339")]
    since: jiff::Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Store {
    /// Pauses sending. A pause that is in force goes on since when it was, for the new reason if one is given.
    pub async fn pause(&self, pause: &Pause) -> Result<Pause, Error> {
        let Pause { since, reason } = pause.clone();
        let mut item = write_item(TABLE, PauseItem { since: time::to_millisecond(since), reason })?;
        let since = item.remove(SINCE).unwrap_or_else(|| text(""));
        let others = item.into_iter().map(|(name, value)| Action::Set(name, value));
        let actions = others.chain([Action::SetIfMissing(SINCE.into(), since)]).collect();
        match self.database.write(Write::update(TABLE, key(), actions)).await? {
            Written::Done(Some(item)) => read(item),
            // An update answers with the item.
            Written::Done(None) | Written::Refused(_) => Ok(pause.clone()),
        }
    }

    /// Ends the pause, and returns it if there was one.
    pub async fn resume(&self) -> Result<Option<Pause>, Error> {
        let (Written::Done(item) | Written::Refused(item)) = self.database.write(Write::delete(TABLE, key())).await?;
        item.map(read).transpose()
    }

    /// Returns the pause that is in force; strongly consistent.
    pub async fn pause_in_force(&self) -> Result<Option<Pause>, Error> {
        self.get(TABLE, key()).await?.map(read).transpose()
    }
}

pub(crate) fn key() -> Item {
    kind_key(TABLE, "sending")
}

pub(crate) fn read(item: Item) -> Result<Pause, Error> {
    let PauseItem { since, reason } = read_item(TABLE, item)?;
    Ok(Pause { since, reason })
}
