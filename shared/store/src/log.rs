use crate::database::{Action, Item, TableCondition, Write, Written};
use crate::item::{EXPIRES_AT, count_in, damaged, number, number_of, string_of, text, texts};
use crate::keyspace;
use crate::{Error, Race, Store};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;
use restock_domain::automation::{AutomationTally, Tally};
use restock_domain::{Arrival, AutomationId, ExternalId, Locale, LogEntry, MailCount, Scope, Sku, Source, time};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

const TABLE: keyspace::Log = keyspace::Log;
const LATE_FINDS: &str = "lateFinds";
/// Up to which page decisions were added up, of the level's own and of sweeps.
const LAST_PAGE: &str = "lastPage";
const LAST_SWEEP: &str = "lastSweepPage";
/// Up to which subscription decisions were added up, as the level goes through them.
const COUNTED_UP_TO: &str = "countedUpTo";
/// Ends the name of the item that has the counts of an entry's mails.
const OF_MAILS: &str = "#mails";
/// Begins the name of a count of mails.
const MAILS: &str = "mails.";
const ESTIMATED: &str = "estimated";

/// Names an entry: one for each stock level that found subscribers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogKey {
    pub sku: Sku,
    /// When the level was received and which it was; sorts by time.
    pub entry: String,
}

impl LogKey {
    /// Names the entry of a level. The id tells levels apart that came in one millisecond.
    pub fn new(sku: Sku, arrival: &Arrival) -> Self {
        Self { sku, entry: format!("{}#{}", time::sortable(arrival.at), arrival.id) }
    }

    /// Returns the id of the arrival of an entry's level.
    pub fn arrival_id(entry: &str) -> &str {
        entry.split_once('#').map_or(entry, |(_, id)| id)
    }

    /// Returns when the level of an entry was received; `None` if the text does not name an entry.
    pub fn received_at(entry: &str) -> Option<Timestamp> {
        entry.split('#').next()?.parse().ok()
    }

    /// Returns what deletes an item of the entry once the log has been kept so long. Without a time in its name, the
    /// item stays.
    pub(crate) fn expiry(&self, kept: Duration) -> Option<Action> {
        let received = Self::received_at(&self.entry)?;
        Some(Action::set(EXPIRES_AT, number((received + kept).as_second())))
    }
}

/// A tally as it is stored, as JSON.
#[derive(Default, Serialize, Deserialize)]
struct TallyItem {
    matched: u64,
    skipped: BTreeMap<String, u64>,
    automations: Vec<AutomationTallyItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutomationTallyItem {
    id: AutomationId,
    version: u64,
    sent: u64,
    refused: u64,
    no_consent: u64,
    conditions: BTreeMap<usize, u64>,
}

/// What was decided about one page of a level's subscriptions.
#[derive(Debug, Clone)]
pub struct LoggedPage {
    /// Grows from page to page of a level.
    pub number: u64,
    pub tally: Tally,
    /// The first and the last subscription of it that are counted, as [`place_among`](crate::place_among) names them, if
    /// all before were gone through.
    pub places: Option<(String, String)>,
    /// True for a sum of pages, of which the log may have some.
    pub estimated: bool,
}

/// Begins the text of an estimate.
const ABOUT: char = '~';

impl LoggedPage {
    /// Returns the form in which a page that could not be logged travels on in a message.
    pub fn to_text(&self) -> String {
        let about = if self.estimated { String::from(ABOUT) } else { String::new() };
        let places = self.places.as_ref().map(|(from, up_to)| format!("\n{from}\n{up_to}")).unwrap_or_default();
        format!("{about}{}:{}{places}", self.number, written(self.tally.clone()))
    }

    /// Returns the page that was written so.
    pub fn from_text(text: &str) -> Option<Self> {
        let exact = text.trim_start_matches(ABOUT);
        let (number, rest) = exact.split_once(':')?;
        // JSON has no line break of its own.
        let mut lines = rest.split('\n');
        let (number, tally) = (number.parse().ok()?, parsed(lines.next()?).ok()?);
        let places = lines.next().zip(lines.next()).map(|(from, up_to)| (from.to_owned(), up_to.to_owned()));
        Some(Self { number, tally, places, estimated: exact.len() < text.len() })
    }

    /// Returns one page in place of several; `None` if there are none. Those that the log took although it did not say
    /// so may be counted again, so it is an estimate.
    pub fn sum_of(pages: &[Self]) -> Option<Self> {
        let number = pages.iter().map(|page| page.number).max()?;
        let places: Option<Vec<_>> = pages.iter().map(|page| page.places.clone()).collect();
        let places = places.and_then(|places| {
            let (from, up_to): (Vec<_>, Vec<_>) = places.into_iter().unzip();
            from.into_iter().min().zip(up_to.into_iter().max())
        });
        let mut tally = Tally::default();
        pages.iter().for_each(|page| tally.merge(page.tally.clone()));
        Some(Self { number, tally, places, estimated: true })
    }
}

/// The level of an entry.
pub struct LoggedLevel<'a> {
    pub source: Source,
    pub scope: &'a Scope,
    pub quantity: i64,
    /// How long the entry is kept.
    pub kept: Duration,
    /// True if a sweep found whom the level should have found.
    pub late: bool,
}

impl LoggedLevel<'_> {
    fn facts(&self, key: &LogKey) -> Vec<Action> {
        let mut facts = vec![
            Action::set("source", text(self.source.as_str())),
            Action::set("quantity", number(self.quantity)),
            Action::set("month", text(month(&key.entry))),
        ];
        facts.extend(key.expiry(self.kept));
        facts.extend(self.scope.locale().map(|locale| Action::set("locale", text(locale.as_str()))));
        facts.extend(self.scope.external_id().map(|id| Action::set("externalId", text(id.as_str()))));
        facts
    }
}

impl Store {
    /// Adds what became of pages of a level's matches. The pages of a level are added in their order and each once: a
    /// second pass after a redelivery finds fewer subscriptions, as some are used up by then, and adds up those behind
    /// [`Store::counted_up_to`].
    pub async fn log_matches(&self, key: &LogKey, level: &LoggedLevel<'_>, pages: &[LoggedPage]) -> Result<(), Error> {
        let mut race = Race::about("an entry of the log");
        // Of most levels there is one page, whose entry is new.
        let mut may_be_new = pages.iter().any(|page| page.number == 0);
        loop {
            race.enter()?;
            let logged = if may_be_new { None } else { self.get(TABLE, item_key(key)).await? };
            let (mut whole, last_page, last_sweep) = match &logged {
                Some(item) => {
                    (read_tally(item)?, number_of(TABLE, item, LAST_PAGE)?, number_of(TABLE, item, LAST_SWEEP)?)
                }
                None => Default::default(),
            };
            let counted = logged.as_ref().and_then(|item| string_of(item, COUNTED_UP_TO)).cloned();
            // A sweep has numbers of its own, as the level's pages may come after it.
            let (name, last) = if level.late { (LAST_SWEEP, last_sweep) } else { (LAST_PAGE, last_page) };
            let (mut newest, mut up_to) = (None, counted.clone());
            let (mut late, mut estimated) = (0, false);
            for page in pages {
                let is_new = match (&page.places, &counted) {
                    (Some((_, end)), Some(counted)) => end > counted,
                    _ => last.is_none_or(|last| page.number as i64 > last),
                };
                if !is_new {
                    continue;
                }
                if let Some((from, end)) = &page.places {
                    // Two tries at the same time have both gone through a part of it.
                    estimated |= up_to.as_ref().is_some_and(|up_to| from <= up_to);
                    up_to = up_to.max(Some(end.clone()));
                }
                newest = newest.max(Some(page.number as i64));
                estimated |= page.estimated;
                late += if level.late { page.tally.matched as i64 } else { 0 };
                whole.merge(page.tally.clone());
            }
            if newest.is_none() {
                return Ok(());
            }
            let mut actions = level.facts(key);
            if late > 0 {
                actions.push(Action::Add(LATE_FINDS.into(), late));
            }
            if estimated {
                actions.push(Action::set(ESTIMATED, AttributeValue::Bool(true)));
            }
            actions.push(Action::set("tally", text(written(whole))));
            actions.extend(newest.max(last).map(|newest| Action::set(name, number(newest))));
            actions.extend(up_to.map(|up_to| Action::set(COUNTED_UP_TO, text(up_to))));
            if std::mem::take(&mut may_be_new) {
                if self.insert(TABLE, item_key(key), &actions).await? {
                    return Ok(());
                }
                continue;
            }
            let same = |name, last: Option<i64>| match last {
                None => TableCondition::Missing(name),
                Some(last) => TableCondition::Is(name, number(last)),
            };
            let same_place = match counted {
                None => TableCondition::Missing(COUNTED_UP_TO),
                Some(counted) => TableCondition::Is(COUNTED_UP_TO, text(counted)),
            };
            let unchanged = vec![same(LAST_PAGE, last_page), same(LAST_SWEEP, last_sweep), same_place];
            let unchanged = TableCondition::All(unchanged);
            if let Written::Done(_) =
                self.database.write(Write::update(TABLE, item_key(key), actions).when(unchanged)).await?
            {
                return Ok(());
            }
        }
    }

    /// Returns the last subscription about which a decision was added up, as [`place_among`](crate::place_among) names
    /// it; `None` if none was.
    pub async fn counted_up_to(&self, key: &LogKey) -> Result<Option<String>, Error> {
        let entry = self.get(TABLE, item_key(key)).await?;
        Ok(entry.as_ref().and_then(|entry| string_of(entry, COUNTED_UP_TO)).cloned())
    }

    /// Adds up how mails went. A crash just before it leaves the numbers too low; a message that is retried for one
    /// recipient tells again why others were skipped.
    ///
    /// `estimated` says that some may be counted twice or not at all.
    ///
    /// They have an item of their own, which is small and in no index: it is written for every few mails, and each
    /// write counts by the size of its item.
    pub async fn log_mails(
        &self,
        key: &LogKey,
        outcomes: &BTreeMap<String, i64>,
        estimated: bool,
        kept: Duration,
    ) -> Result<(), Error> {
        let mut actions: Vec<Action> = key.expiry(kept).into_iter().collect();
        actions.extend(outcomes.iter().map(|(outcome, count)| Action::Add(format!("{MAILS}{outcome}"), *count)));
        if estimated {
            actions.push(Action::set(ESTIMATED, AttributeValue::Bool(true)));
        }
        self.database.write(Write::update(TABLE, mails_key(key), actions)).await.map(drop)
    }

    /// Adds the counts of mails to entries.
    pub(crate) async fn with_mails(&self, mut entries: Vec<Item>) -> Result<Vec<Item>, Error> {
        let key = |item: &Item| LogKey {
            sku: Sku::restore(string_of(item, "sku").map_or("", String::as_str)),
            entry: string_of(item, "entry").cloned().unwrap_or_default(),
        };
        let keys = entries.iter().map(|entry| mails_key(&key(entry))).collect();
        let mut mails: HashMap<LogKey, Item> =
            self.batch_get(TABLE, keys).await?.into_iter().map(|item| (key(&item), item)).collect();
        for entry in &mut entries {
            let LogKey { sku, entry: name } = key(entry);
            let counts = mails.remove(&LogKey { sku, entry: name + OF_MAILS }).into_iter().flatten();
            entry.extend(counts.filter(|(name, _)| name.starts_with(MAILS) || name == ESTIMATED));
        }
        Ok(entries)
    }
}

/// Returns true if an item has the counts of an entry's mails, and is no entry.
pub(crate) fn counts_mails(item: &Item) -> bool {
    string_of(item, "entry").is_some_and(|entry| entry.ends_with(OF_MAILS))
}

fn item_key(key: &LogKey) -> Item {
    texts([("sku", key.sku.as_str()), ("entry", &key.entry)])
}

fn mails_key(key: &LogKey) -> Item {
    texts([("sku", key.sku.as_str()), ("entry", &format!("{}{OF_MAILS}", key.entry))])
}

/// Returns the partition of `by-month`, from the beginning of an entry: `2026-11`.
pub(crate) fn month(entry: &str) -> String {
    entry.get(..7).unwrap_or_default().to_owned()
}

pub(crate) fn read_entry(item: Item) -> Result<LogEntry, Error> {
    let missing = |name: &str| damaged(TABLE, &item, format!("{name} is missing, or not as it should be"));
    let word = |name: &str| string_of(&item, name).ok_or_else(|| missing(name));
    let (mut mails, mut templates, mut mailed_by) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, value) in &item {
        let (Some(of), AttributeValue::N(count)) = (name.strip_prefix(MAILS), value) else { continue };
        let count = count.parse().map_err(|_| missing(name))?;
        match MailCount::restore(of) {
            MailCount::Outcome(outcome) => mails.insert(outcome, count),
            MailCount::OfTemplate(id, version) => templates.insert((id, version), count),
            MailCount::ByAutomation(id, version) => mailed_by.insert((id, version), count),
        };
    }
    Ok(LogEntry {
        at: LogKey::received_at(word("entry")?).ok_or_else(|| missing("entry"))?,
        source: word("source")?.parse().map_err(|_| missing("source"))?,
        sku: Sku::restore(word("sku")?),
        locale: string_of(&item, "locale").cloned().map(Locale::from),
        external_id: string_of(&item, "externalId").map(|id| ExternalId::restore(id)),
        quantity: number_of(TABLE, &item, "quantity")?.ok_or_else(|| missing("quantity"))?,
        tally: read_tally(&item)?,
        late_finds: count_in(TABLE, &item, LATE_FINDS)?,
        mails,
        templates,
        mailed_by,
        mails_estimated: item.contains_key(ESTIMATED),
    })
}

/// Reads what was added up so far.
fn read_tally(item: &Item) -> Result<Tally, Error> {
    let Some(tally) = string_of(item, "tally") else { return Ok(Tally::default()) };
    parsed(tally).map_err(|error| damaged(TABLE, item, error))
}

fn parsed(tally: &str) -> Result<Tally, serde_json::Error> {
    let TallyItem { matched, skipped, automations } = serde_json::from_str(tally)?;
    let automations = automations.into_iter().map(|of| AutomationTally {
        id: of.id,
        version: of.version,
        sent: of.sent,
        refused: of.refused,
        no_consent: of.no_consent,
        conditions: of.conditions,
    });
    Ok(Tally { matched, skipped, automations: automations.collect() })
}

fn written(tally: Tally) -> String {
    let Tally { matched, skipped, automations } = tally;
    let automations = automations.into_iter().map(|of| AutomationTallyItem {
        id: of.id,
        version: of.version,
        sent: of.sent,
        refused: of.refused,
        no_consent: of.no_consent,
        conditions: of.conditions,
    });
    serde_json::json!(TallyItem { matched, skipped, automations: automations.collect() }).to_string()
}
