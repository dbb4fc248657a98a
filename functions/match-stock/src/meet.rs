//! What a level does to a page of the subscriptions that it meets: decisions, the log, notifications.

use crate::{App, MAX_INDEX_LAG, SKEW};
use display_error_chain::DisplayErrorChain;
use jiff::Timestamp;
use restock_domain::automation::{Tally, Verdict};
use restock_domain::delivery::MAX_TOGETHER;
use restock_domain::waves::{PolicyOwner, Waves};
use restock_domain::{Arrival, Automation, AutomationId, ContactId, HeldBack, KnownLevel, Scope, Sku, Subscription};
use restock_matching::{OnRefusal, decide_all};
use restock_metrics::Metric;
use restock_queue::{Failure, LinedUp, Notification, Recipient};
use restock_store::{Decided, LogKey, LoggedLevel, LoggedPage, place_among};
use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use tracing::{error, info, warn};

/// Subscriptions that wait for a wave, and whose policy it is.
pub type InLine = Vec<(PolicyOwner, Subscription)>;

/// A level that subscriptions meet.
pub struct Met<'a> {
    pub key: LogKey,
    pub logged: LoggedLevel<'a>,
    level: &'a KnownLevel,
    received_at: Timestamp,
    is_first_look: bool,
    /// The last subscription that an earlier try has counted.
    counted_up_to: Option<String>,
}

/// Pages that the log does not have yet.
#[derive(Default)]
pub struct Untold {
    pages: Vec<LoggedPage>,
    /// The log could not be written, so it is left alone for now.
    in_vain: bool,
}

/// A message has 256 KiB, and a level's message other parts too.
const MAX_UNTOLD_BYTES: usize = 100_000;

impl Untold {
    /// Returns the pages that came with a message. One that can't be read is a fault of ours, and is said so.
    pub fn of(pages: &[String]) -> Self {
        let read = |page: &String| {
            let read = LoggedPage::from_text(page);
            if read.is_none() {
                error!(page, "A page can't be read, so the log will lack it");
            }
            read
        };
        Self { pages: pages.iter().filter_map(read).collect(), in_vain: false }
    }

    /// Returns the pages as they travel on in a message. Where they are too large for one, they are added up to a
    /// single page.
    pub fn to_texts(&self) -> Vec<String> {
        let texts: Vec<String> = self.pages.iter().map(LoggedPage::to_text).collect();
        if texts.iter().map(String::len).sum::<usize>() <= MAX_UNTOLD_BYTES {
            return texts;
        }
        warn!(pages = texts.len(), "The log can't be written; its entry will be an estimate");
        LoggedPage::sum_of(&self.pages).iter().map(LoggedPage::to_text).collect()
    }

    /// Returns an error unless the log has everything.
    pub fn none_left(&self) -> Result<(), Failure> {
        if self.pages.is_empty() {
            return Ok(());
        }
        Err(Failure::Retry { after: None, reason: "the log could not be written".into() })
    }
}

impl<'a> Met<'a> {
    pub fn new(app: &App, sku: Sku, level: &'a KnownLevel, arrival: &Arrival, is_first_look: bool) -> Self {
        let (source, kept) = (arrival.source, app.log_kept);
        let logged = LoggedLevel { source, scope: &level.scope, quantity: level.quantity, kept, late: false };
        let key = LogKey::new(sku, arrival);
        Self { key, logged, level, received_at: arrival.at, is_first_look, counted_up_to: None }
    }

    /// Returns the level as it meets subscriptions again after a try that broke off, and has counted some.
    pub fn again(self, counted_up_to: String) -> Self {
        Self { counted_up_to: Some(counted_up_to), ..self }
    }

    /// Returns the first and the last of a page that are counted. Only the first look goes through all, in order.
    fn places(&self, page: &[Subscription]) -> Option<(String, String)> {
        let mut counted = page.iter().filter(|found| self.is_first_look && !self.has_counted(found));
        let first = counted.next()?;
        let last = counted.next_back().unwrap_or(first);
        Some((place_among(self.logged.scope, first), place_among(self.logged.scope, last)))
    }

    fn has_counted(&self, found: &Subscription) -> bool {
        self.counted_up_to.as_ref().is_some_and(|up_to| place_among(self.logged.scope, found) <= *up_to)
    }

    /// Returns a level that subscriptions meet in a sweep.
    pub fn late(app: &App, sku: Sku, level: &'a KnownLevel, arrival: &Arrival) -> Self {
        let met = Self::new(app, sku, level, arrival, false);
        Self { logged: LoggedLevel { late: true, ..met.logged }, ..met }
    }
}

impl App {
    /// Decides about a page of subscriptions, tells the log, and queues notifications for those that an automation
    /// accepts. What the log can't be told now is left in `untold`. Those whose automation lets mails leave in waves
    /// are returned.
    ///
    /// Those that stay are marked with the level, so that the sweep knows that they have met it.
    pub async fn meet(
        &self,
        met: &Met<'_>,
        page: u64,
        subscriptions: &[Subscription],
        untold: &mut Untold,
        lined_up: &mut LinedUp,
    ) -> Result<InLine, Failure> {
        if subscriptions.is_empty() {
            return Ok(InLine::new());
        }
        let automations = self.automations.current().await?;
        let shop = self.wave_policy.current().await?;
        let waves = Waves { shop: (*shop).as_ref(), automations: &automations };
        let (now, quantity, sku) = ((self.clock)(), met.logged.quantity, &met.key.sku);
        let decided = decide_all(&self.store, &automations, sku, quantity, subscriptions, OnRefusal::DecidedAgain, now);
        let (mut decisions, stops) = tokio::try_join!(decided, self.stops.of(sku))?;
        let stop = stops.pause().map(|_| if stops.is_held() { HeldBack::Hold } else { HeldBack::Pause });
        let young = |found: &Subscription| found.here_since() >= met.received_at - MAX_INDEX_LAG;
        let (mut tally, mut stay) = (Tally::default(), Vec::new());
        let (mut at_once, mut in_line, mut decided) = (Vec::new(), Vec::new(), Vec::new());
        for (found, decision) in subscriptions.iter().zip(&mut decisions) {
            waves.leave_out(decision, met.level, found.created_on);
            let (owner, policy) = decision.outcome.ok().and_then(|automation| waves.of(automation)).unzip();
            // However late the level is handled, they wait for the next one: a tick does not let them leave.
            if owner.is_some() && found.created_on > met.received_at + SKEW {
                continue;
            }
            // Whoever waits for a wave may be met again and again.
            let is_met_again = owner.is_some() && !met.is_first_look;
            if !is_met_again && !met.has_counted(found) {
                tally.add(decision);
            }
            // A policy without `perUnit` makes no waves.
            let in_waves = policy.is_some_and(|policy| policy.per_unit.is_some());
            // An index has them by locale, the oldest first; only the first look goes through all of a locale.
            let place = (in_waves && met.is_first_look).then(|| next_place(lined_up, met.logged.scope, found));
            let closed = || Some(policy?.held_back(met.level, now)?.0);
            let verdict = Verdict::of(decision, in_waves, stop.or_else(closed));
            decided.push(Decided { subscription: found, verdict, place });
            if met.logged.late || (young(found) && (decision.outcome.is_err() || is_met_again)) {
                stay.push(found);
            }
            match (decision.outcome, owner) {
                (Ok(automation), Some(owner)) => in_line.push((owner, found, automation)),
                (Ok(automation), None) => at_once.push((found, automation)),
                (Err(_), _) => {}
            }
        }
        info!(%sku, quantity, matched = tally.matched, page, "Matched a stock level");
        restock_metrics::count(Metric::Matched, tally.matched);
        tally.skipped.iter().for_each(|(reason, count)| restock_metrics::count_of(Metric::Skipped, reason, *count));
        if met.logged.late && tally.matched > 0 {
            // The words are those that template.yaml counts for an alarm.
            warn!(%sku, found = tally.matched, level = %met.received_at, "A sweep found whom a level had not");
        }

        // The log comes first: after a crash in between, a second pass finds it written and then sends.
        if tally.matched > 0 {
            untold.pages.push(LoggedPage { number: page, tally, places: met.places(subscriptions), estimated: false });
        }
        let LoggedLevel { scope, kept, .. } = met.logged;
        let log_decisions = self.store.log_matched(&met.key, scope, page, &decided, kept);
        let ((), logged) = tokio::join!(self.tell_log(met, untold), log_decisions);
        if let Err(error) = logged {
            warn!(%sku, error = %DisplayErrorChain::new(&error), "Histories will lack what was decided about a page");
        }
        // Whoever is mailed at once needs no turn for another subscription.
        let leave: HashSet<ContactId> = at_once.iter().map(|(found, _)| found.contact_id).collect();
        let (answered, in_line): (Vec<_>, Vec<_>) =
            in_line.into_iter().partition(|(_, found, _)| leave.contains(&found.contact_id));
        let answered: Vec<_> = answered.into_iter().map(|(_, found, automation)| (found, automation)).collect();
        let waiting: InLine = in_line.into_iter().map(|(owner, found, _)| (owner, found.clone())).collect();
        self.queue(notifications(&at_once, &answered, &met.key)).await?;
        // The first look goes by the side of a line that begins with everybody whom an index shows.
        if !met.is_first_look {
            self.rejoin(&met.key.sku, met.logged.scope, &waiting).await?;
        }
        self.store.note_decisions(&stay, &met.key.entry).await?;
        Ok(waiting)
    }

    pub(crate) async fn queue(&self, notifications: Vec<Notification>) -> Result<(), Failure> {
        let at_once = notifications.into_iter().map(|one| (one, Duration::ZERO)).collect();
        self.queues.send_notifications(at_once).await.map_err(Failure::from)
    }

    /// Writes the pages that the log does not have yet. If it can't, they stay, and the log is left alone for now.
    pub async fn tell_log(&self, met: &Met<'_>, untold: &mut Untold) {
        if untold.in_vain || untold.pages.is_empty() {
            return;
        }
        match self.store.log_matches(&met.key, &met.logged, &untold.pages).await {
            Ok(()) => untold.pages.clear(),
            Err(error) => {
                untold.in_vain = true;
                warn!(sku = %met.key.sku, error = %DisplayErrorChain::new(&error), "The log will be written later");
            }
        }
    }
}

/// Returns the place in line of the next one who waits for a wave.
fn next_place(lined_up: &mut LinedUp, scope: &Scope, found: &Subscription) -> u32 {
    // A scope that names an external id has one line for all locales.
    let locale = if scope.external_id().is_some() { "" } else { found.locale.key() };
    if lined_up.locale != locale {
        *lined_up = LinedUp { locale: locale.to_owned(), count: 0 };
    }
    lined_up.count += 1;
    lined_up.count
}

/// Returns the notifications about subscriptions that automations accepted. Of a contact, the newest subscription is
/// mailed, and the others come after it, as do those that are `answered` by the mail without being able to leave
/// themselves.
pub(crate) fn notifications(
    accepted: &[(&Subscription, &Automation)],
    answered: &[(&Subscription, &Automation)],
    key: &LogKey,
) -> Vec<Notification> {
    let mut newest: HashMap<ContactId, &Subscription> = HashMap::new();
    for (found, _) in accepted {
        let known = newest.entry(found.contact_id).or_insert(found);
        if age(found) < age(known) {
            *known = found;
        }
    }
    let (first, others): (Vec<_>, Vec<_>) =
        accepted.iter().copied().partition(|(found, _)| newest[&found.contact_id].delivery == found.delivery);
    let mut notifications = by_automation(&first, key);
    for notification in &mut notifications {
        let contacts: HashSet<ContactId> = notification.recipients.iter().map(|one| one.contact_id).collect();
        let theirs = others.iter().chain(answered).filter(|(found, _)| contacts.contains(&found.contact_id)).copied();
        notification.then = by_automation(&theirs.collect::<Vec<_>>(), key);
    }
    notifications
}

/// Returns the order of the subscriptions of a contact, the newest first.
fn age(subscription: &Subscription) -> (Reverse<Timestamp>, String) {
    (Reverse(subscription.created_on), subscription.id().key.to_string())
}

/// Returns the notifications about subscriptions that were accepted, by automation.
fn by_automation(accepted: &[(&Subscription, &Automation)], key: &LogKey) -> Vec<Notification> {
    let mut recipients: BTreeMap<(&AutomationId, u64), Vec<Recipient>> = BTreeMap::new();
    for (subscription, automation) in accepted {
        recipients.entry((&automation.id, automation.version)).or_default().push(recipient(subscription));
    }
    let notification = |automation: &AutomationId, version, recipients: &[Recipient]| Notification {
        sku: key.sku.clone(),
        log_entry: key.entry.clone(),
        automation: automation.clone(),
        version,
        recipients: recipients.to_vec(),
        attempt: 0,
        hops: 0,
        accepted: Vec::new(),
        wave: None,
        then: Vec::new(),
    };
    let all = recipients.iter().flat_map(|((automation, version), recipients)| {
        recipients.chunks(MAX_TOGETHER).map(|chunk| notification(automation, *version, chunk))
    });
    all.collect()
}

fn recipient(subscription: &Subscription) -> Recipient {
    Recipient { contact_id: subscription.contact_id, key: subscription.id().key, delivery: subscription.delivery }
}
