//! The wave of a scope of a SKU: the places that its mails have taken, and how far those who wait for one have been
//! gone through.
//!
//! Senders take a place for each mail just before it leaves, which is what keeps the law of [`restock_domain::waves`].
//! What else the item says, where the lines stand and how many places are on their way to a sender, keeps the order; if
//! it were lost, somebody might be overtaken, and nobody mailed too early.

use crate::database::{Item, Write, Written};
use crate::item::{DOCUMENT, number, read_document, text, texts, write_document};
use crate::keyspace;
use crate::stock::scope_key;
use crate::subscriptions::{Cursor, cursor_before, order_of};
use crate::versions::{unchanged_since, version_of};
use crate::{Error, Race, Store};
use futures::FutureExt;
use jiff::Timestamp;
use restock_domain::waves::{Leave, Places, PolicyOwner};
use restock_domain::{DeliveryId, KnownLevel, Scope, Sku, Subscription, WavePolicy};
use restock_gather::{Ask, Gather, Second};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

const TABLE: keyspace::Stock = keyspace::Stock;
const VERSION: &str = "version";
/// How long changes are remembered. The SDK repeats a request twice, eight seconds after it the latest.
const CHANGES_KEPT: Duration = Duration::from_secs(30);
/// Places that are asked for in one change: those of several messages.
const MAX_ASKS: usize = 500;
/// Messages that are on their way at a time: each place that is taken writes what the item says of all of them. They
/// hold some seconds of sending at any rate.
const MAX_ON_THE_WAY: usize = 40;
/// How long a message is waited for at the least, before its places are given to others.
const MIN_WAIT: Duration = Duration::from_secs(15 * 60);

/// The wave of a scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wave {
    #[serde(default)]
    pub taken: Places,
    /// Places that were taken for mails which SES did not accept yet, and are kept for their next try.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    kept: BTreeMap<DeliveryId, Timestamp>,
    /// Messages on their way to a sender, and how many places each may take.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    given: BTreeMap<String, Given>,
    /// True if the lines wait until fewer messages are on their way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    crowded: bool,
    /// The last changes by their second, so that one whose answer was lost is not made twice.
    #[serde(default)]
    made: BTreeMap<i64, Vec<u32>>,
    /// By the policy that those in it wait for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    lines: BTreeMap<String, Line>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    line: String,
    places: u64,
    until: Timestamp,
}

/// What a line is gone through for. For another course it begins again, with everybody.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// The log entry of the level.
    pub entry: String,
    /// The name of the settings that decide who has a turn when.
    #[serde(default)]
    pub order: String,
}

/// Those who wait for a place, oldest first within each group: a locale, or an external id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Line {
    #[serde(flatten)]
    pub course: Course,
    /// Where each group is gone on with, `None` for its beginning. One that is missing has been gone through.
    pub groups: BTreeMap<String, Option<Cursor>>,
    /// The pass through it: those who come first have their own, before that of all others.
    #[serde(default)]
    pub pass: u32,
    /// True if another pass follows.
    #[serde(default)]
    pub follows: bool,
}

/// Somebody whose mail wants a place.
#[derive(Debug, Clone)]
pub struct PlaceAsk {
    pub delivery: DeliveryId,
    /// In which pass through the line it had its turn, and since when it waits: the lower goes first.
    pub turn: (u32, Timestamp),
    /// The level that covers it.
    pub level: KnownLevel,
    /// What bounds it; without one its mail is only counted.
    pub policy: Option<WavePolicy>,
    pub now: Timestamp,
}

/// Answers by the order of the asks.
pub(crate) type Asked = Gather<(Sku, Scope), PlaceAsk, Result<Option<Timestamp>, Error>>;

pub(crate) fn gather() -> Asked {
    Gather::new(MAX_ASKS, Second::Waits)
}

impl Wave {
    /// Returns true if anybody may wait in a line.
    pub fn is_awaited(&self) -> bool {
        self.lines.values().any(|line| !line.groups.is_empty() || line.follows)
    }

    /// Returns when the first message that is on its way is no longer waited for.
    pub fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.given.values().map(|given| given.until).filter(|until| *until > now).min()
    }

    /// Keeps a place for the next try of a mail.
    pub fn keep(&mut self, delivery: DeliveryId, taken: Timestamp) {
        self.kept.insert(delivery, taken);
    }

    pub fn has_kept(&self, delivery: DeliveryId) -> bool {
        self.kept.contains_key(&delivery)
    }

    /// Gives the place back that was kept for a mail, if one was.
    pub fn give_up(&mut self, delivery: DeliveryId) {
        if let Some(taken) = self.kept.remove(&delivery) {
            self.taken.give_back(taken);
        }
    }

    /// Returns how many places are on their way to senders, as it counts for the course of a policy's line: in one that
    /// begins again its own are met again.
    pub fn given(&self, owner: &PolicyOwner, course: &Course, now: Timestamp) -> u64 {
        let own = owner.line();
        let begins = self.line_on(owner, course).is_none();
        let counts = |given: &&Given| given.until > now && (!begins || given.line != own);
        self.given.values().filter(counts).map(|given| given.places).sum()
    }

    /// Notes that a message may take so many places. It is waited for as long as an interval of its policy.
    pub fn give(&mut self, owner: &PolicyOwner, message: &str, places: usize, interval: Duration, now: Timestamp) {
        let given = Given { line: owner.line(), places: places as u64, until: now + interval.max(MIN_WAIT) };
        self.given.insert(message.to_owned(), given);
    }

    /// Notes that a message was handled, and that so many of its places are on their way in others.
    pub fn note_handled(&mut self, message: &str, on_the_way: usize, now: Timestamp) {
        match self.given.get_mut(message) {
            Some(given) if on_the_way > 0 => {
                *given = Given { places: on_the_way as u64, until: given.until.max(now + MIN_WAIT), ..given.clone() };
            }
            _ => drop(self.given.remove(message)),
        }
    }

    /// Moves a policy's line from where somebody has seen it, and returns false if it is not there any more. Whoever
    /// has seen none on this course begins it: those of the one before who are on their way are met again.
    pub fn go_on(&mut self, owner: &PolicyOwner, seen: Option<&Line>, next: Line) -> bool {
        if self.line_on(owner, &next.course) != seen {
            return false;
        }
        let name = owner.line();
        if seen.is_none() {
            self.given.retain(|_, given| given.line != name);
        }
        self.lines.insert(name, next);
        true
    }

    /// Returns true if so many messages are on their way that the lines wait.
    pub fn is_crowded(&self) -> bool {
        self.given.len() >= MAX_ON_THE_WAY
    }

    /// Lets the lines wait for [`Self::has_room_again`], and returns true, if too many messages are on their way.
    pub fn wait_for_room(&mut self) -> bool {
        self.crowded |= self.is_crowded();
        self.is_crowded()
    }

    /// Returns true, once, if lines have waited and few messages are on their way.
    pub fn has_room_again(&mut self) -> bool {
        let has_room = self.crowded && self.given.len() <= MAX_ON_THE_WAY / 2;
        self.crowded &= !has_room;
        has_room
    }

    /// Lets a policy's line begin again, so that whoever is in it is met again.
    pub fn begin_again(&mut self, owner: &PolicyOwner) {
        self.lines.remove(&owner.line());
    }

    /// Returns true if a message that was on its way is no longer waited for.
    pub fn misses_any(&self, now: Timestamp) -> bool {
        self.given.values().any(|given| given.until <= now)
    }

    /// Returns the line of a policy, if it is on that course.
    pub fn line_on(&self, owner: &PolicyOwner, course: &Course) -> Option<&Line> {
        self.lines.get(&owner.line()).filter(|line| line.course == *course)
    }

    /// Lets somebody back into the line, at their place. As it may be somebody who comes first, it is gone through for
    /// those once more, from that place on.
    pub fn rejoin(&mut self, owner: &PolicyOwner, scope: &Scope, subscription: &Subscription) {
        // Without a line it begins with everybody.
        let Some(line) = self.lines.get_mut(&owner.line()) else { return };
        let (group, before) = (group_of(scope, subscription), cursor_before(scope, subscription));
        if line.pass > 0 {
            *line = Line { course: line.course.clone(), groups: BTreeMap::new(), pass: 0, follows: true };
        }
        let is_ahead = |at: &Cursor| order_of(at) > order_of(&before);
        match line.groups.get(&group) {
            None => drop(line.groups.insert(group, Some(before))),
            Some(Some(at)) if is_ahead(at) => drop(line.groups.insert(group, Some(before))),
            Some(_) => {}
        }
    }

    fn note_made(&mut self, change: u32, now: Timestamp) {
        self.made.retain(|second, _| *second >= (now - CHANGES_KEPT).as_second());
        self.made.entry(now.as_second()).or_default().push(change);
    }

    fn has_made(&self, change: u32) -> bool {
        self.made.values().flatten().any(|made| *made == change)
    }

    /// Forgets what counts no more. Where a message was lost, or never sent, its line begins again.
    fn forget(&mut self, now: Timestamp) {
        let counts_since = now - WavePolicy::MAX_INTERVAL;
        self.taken.forget_before(counts_since, now);
        self.kept.retain(|_, taken| *taken >= counts_since);
        let lines = &mut self.lines;
        self.given.retain(|_, given| {
            let is_waited_for = given.until > now;
            if !is_waited_for {
                lines.remove(&given.line);
            }
            is_waited_for
        });
    }
}

/// Returns the name of the group of a subscription in a scope's lines.
fn group_of(scope: &Scope, subscription: &Subscription) -> String {
    match scope.external_id() {
        Some(id) => id.as_str().to_owned(),
        None => subscription.locale.key().to_owned(),
    }
}

impl Store {
    /// Reads the wave of a scope; strongly consistent.
    pub async fn wave(&self, sku: &Sku, scope: &Scope) -> Result<Wave, Error> {
        self.get(TABLE, key(sku, scope)).await?.map_or_else(|| Ok(Wave::default()), |item| read(&item))
    }

    /// Changes the wave of a scope, again if somebody else was faster. One that stays as it was is not written.
    pub async fn change_wave<T>(
        &self,
        sku: &Sku,
        scope: &Scope,
        now: Timestamp,
        mut change: impl FnMut(&mut Wave) -> T,
    ) -> Result<T, Error> {
        let mut race = Race::about("a wave");
        let this = fastrand::u32(..);
        let mut made: Option<T> = None;
        loop {
            race.enter()?;
            if made.is_some() {
                // Others write it too, and would meet again at once.
                tokio::time::sleep(Duration::from_millis(fastrand::u64(1..50))).await;
            }
            let item = self.get(TABLE, key(sku, scope)).await?;
            let (seen, before) =
                (item.as_ref().map_or(Ok(0), |item| version_of(TABLE, item))?, item.as_ref().map(read).transpose()?);
            let before = before.unwrap_or_default();
            if let Some(made) = made.take().filter(|_| before.has_made(this)) {
                return Ok(made);
            }
            let mut wave = before.clone();
            wave.forget(now);
            let changed = change(&mut wave);
            if wave == before {
                return Ok(changed);
            }
            wave.note_made(this, now);
            let document = write_document(TABLE, &wave)?;
            let item = Item::from([(VERSION.into(), number(seen as i64 + 1)), (DOCUMENT.into(), text(document))]);
            let write = Write::put(TABLE, key(sku, scope), item).when(unchanged_since(seen));
            match self.database.write(write).await? {
                Written::Done(_) => return Ok(changed),
                // The SDK repeats a request whose answer was lost; the second one then meets the item of the first, or
                // of others after it.
                Written::Refused(_) => made = Some(changed),
            }
        }
    }

    /// Takes a place for a mail that leaves now, and returns the moment that it counts from; `None` if there is none
    /// for it. Those who ask together have their turns in order.
    pub async fn take_place(&self, sku: &Sku, scope: &Scope, ask: PlaceAsk) -> Result<Option<Timestamp>, Error> {
        let store = self.clone();
        let group = (sku.clone(), scope.clone());
        let (sku, scope) = group.clone();
        let ask = Ask { group, about: ask.delivery.to_string(), weight: 1, asked: ask };
        let take = move |asks: Vec<PlaceAsk>| async move { store.take_places(&sku, &scope, asks).await }.boxed();
        self.places.ask(ask, take).await
    }

    async fn take_places(
        &self,
        sku: &Sku,
        scope: &Scope,
        asks: Vec<PlaceAsk>,
    ) -> Vec<Result<Option<Timestamp>, Error>> {
        let Some(now) = asks.iter().map(|ask| ask.now).max() else { return Vec::new() };
        let mut order: Vec<usize> = (0..asks.len()).collect();
        order.sort_by_key(|place| asks[*place].turn);
        let taken = self.change_wave(sku, scope, now, |wave| {
            let mut answers = vec![None; asks.len()];
            for place in &order {
                let PlaceAsk { delivery, level, policy, turn: (pass, _), .. } = &asks[*place];
                // One that it has from a try before counts from now on.
                wave.give_up(*delivery);
                let may_leave = policy.as_ref().is_none_or(|policy| {
                    let has_turn = policy.begins(*pass, level).is_some_and(|begins| begins <= now);
                    has_turn && matches!(policy.leave(level, &wave.taken, 0, now), Leave::Now(_))
                });
                answers[*place] = may_leave.then(|| wave.taken.take(now));
            }
            answers
        });
        match taken.await {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) => asks.iter().map(|_| Err(error.clone())).collect(),
        }
    }
}

fn read(item: &Item) -> Result<Wave, Error> {
    read_document(TABLE, item)
}

fn key(sku: &Sku, scope: &Scope) -> Item {
    texts([("sku", sku.as_str()), ("scope", &format!("wave#{}", scope_key(scope)))])
}
