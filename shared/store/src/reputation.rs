//! How the mails of the last day were received, counted by the hour.

use crate::database::{Action, Item, PlainWrite, Query, TableCondition, Write, Written};
use crate::item::{count_in, number, number_of, read_each};
use crate::keyspace::{self, Keyspace, kind_key};
use crate::{Error, Store};
use jiff::Timestamp;
use restock_domain::MailCounts;

const TABLE: keyspace::Reputation = keyspace::Reputation;
/// There is an item for each hour of the day; the same hour of the next day begins it again.
const HOURS: i64 = 24;
const HOUR: &str = "hour";
const ACCEPTED: &str = "accepted";
const BOUNCED: &str = "bounced";
const COMPLAINED: &str = "complained";

impl Store {
    /// Adds what became of some mails to the counts of the hour. An answer that is lost may count some twice.
    pub async fn count_outcomes(&self, counts: MailCounts, now: Timestamp) -> Result<(), Error> {
        let hour = hour_of(now);
        let MailCounts { accepted, bounced, complained } = counts;
        let counts = [(ACCEPTED, accepted), (BOUNCED, bounced), (COMPLAINED, complained)];
        let add = counts.map(|(name, count)| Action::Add(name.into(), i64::try_from(count).unwrap_or(i64::MAX)));
        let write = Write::update(TABLE, key(hour), add.into()).when(TableCondition::Is(HOUR, number(hour)));
        let Written::Refused(_) = self.database.write(write.clone()).await? else { return Ok(()) };
        // The first of the hour.
        let mut item = Item::from([(HOUR.to_owned(), number(hour))]);
        item.extend(counts.map(|(name, count)| (name.to_owned(), number(i64::try_from(count).unwrap_or(i64::MAX)))));
        let older = [TableCondition::Missing(HOUR), TableCondition::IsNot(HOUR, number(hour))];
        let first = Write::put(TABLE, key(hour), item).when(TableCondition::Any(older.into()));
        if let Written::Refused(_) = self.database.write(first).await? {
            // Somebody else was.
            self.database.write(write).await?;
        }
        Ok(())
    }

    /// Returns what became of the mails of the last 24 hours, the current one included.
    pub async fn outcomes_of_a_day(&self, now: Timestamp) -> Result<MailCounts, Error> {
        let hour = hour_of(now);
        let of_day = |item: Item| {
            let is_of_day = number_of(TABLE, &item, HOUR)?.is_some_and(|of| of > hour - HOURS && of <= hour);
            let count = |name| count_in(TABLE, &item, name);
            let counts =
                MailCounts { accepted: count(ACCEPTED)?, bounced: count(BOUNCED)?, complained: count(COMPLAINED)? };
            Ok(if is_of_day { counts } else { MailCounts::default() })
        };
        let mut all = MailCounts::default();
        let hours = self.query_all(Query::of(TABLE, keyspace::Reputation::KIND)).await?;
        read_each(hours, of_day).into_iter().for_each(|counts| all += counts);
        Ok(all)
    }

    /// Begins to count again, as an operator has looked into what was counted.
    pub async fn forget_outcomes(&self) -> Result<(), Error> {
        self.batch_write((0..HOURS).map(|hour| PlainWrite::delete(TABLE, key(hour))).collect()).await
    }
}

/// Returns the number of the hour of a moment, since 1970.
fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

fn key(hour: i64) -> Item {
    kind_key(TABLE, &format!("{:02}", hour.rem_euclid(HOURS)))
}
