use crate::database::{Action, Item, TableCondition, Write, Written};
use crate::item::{read_item, text, write_item};
use crate::keyspace::{self, kind_key};
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::{QuotaReading, SendQuota, time};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const TABLE: keyspace::SendQuotas = keyspace::SendQuotas;
/// When somebody last began to ask SES.
const ASKED_ON: &str = "askedOn";

/// Whether it is one's turn to ask SES for the quota, with what is known of it.
#[derive(Debug)]
pub enum QuotaTurn {
    Yours(Option<QuotaReading>),
    /// Somebody asks now, or did a moment ago.
    Others(Option<QuotaReading>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuotaItem {
    #[serde(default)]
    reading: Option<ReadingItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReadingItem {
    rate: f64,
    day: Option<f64>,
    sent: f64,
    enabled: bool,
    read_on: Timestamp,
    stopped_on: Option<Timestamp>,
}

impl Store {
    /// Takes the turn to ask SES for the account's quota, which one caller gets in a while of `every`.
    pub async fn take_quota_turn(&self, now: Timestamp, every: Duration) -> Result<QuotaTurn, Error> {
        let due = TableCondition::AtMost(ASKED_ON, text(time::sortable(now - every)));
        let condition = TableCondition::Any(vec![TableCondition::Missing(ASKED_ON), due]);
        let write = Write::update(TABLE, id(), vec![Action::set(ASKED_ON, text(time::sortable(now)))]);
        Ok(match self.database.write(write.when(condition)).await? {
            Written::Done(item) => QuotaTurn::Yours(item.map(read).transpose()?.flatten()),
            Written::Refused(item) => QuotaTurn::Others(item.map(read).transpose()?.flatten()),
        })
    }

    /// Keeps what SES said.
    pub async fn put_send_quota(&self, reading: QuotaReading) -> Result<(), Error> {
        let QuotaReading { quota, read_on, stopped_on } = reading;
        let SendQuota { rate, day, sent, enabled } = quota;
        let reading = Some(ReadingItem { rate, day, sent, enabled, read_on, stopped_on });
        let actions = write_item(TABLE, QuotaItem { reading })?.into_iter();
        let actions = actions.map(|(name, value)| Action::Set(name, value)).collect();
        self.database.write(Write::update(TABLE, id(), actions)).await.map(drop)
    }

    /// Returns what SES said last; `None` if it was never asked.
    pub async fn send_quota(&self) -> Result<Option<QuotaReading>, Error> {
        Ok(self.get(TABLE, id()).await?.map(read).transpose()?.flatten())
    }
}

fn id() -> Item {
    kind_key(TABLE, "ses")
}

fn read(item: Item) -> Result<Option<QuotaReading>, Error> {
    let QuotaItem { reading } = read_item(TABLE, item)?;
    Ok(reading.map(|reading| {
        let ReadingItem { rate, day, sent, enabled, read_on, stopped_on } = reading;
        QuotaReading { quota: SendQuota { rate, day, sent, enabled }, read_on, stopped_on }
    }))
}
