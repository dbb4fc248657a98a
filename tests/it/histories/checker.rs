//! Checks what must hold of every history, whatever went wrong in it. The model is what `docs/contract.md` promises a
//! caller; it knows nothing of claims, leases or messages.

use super::history::{Answer, Asked, Call, History, Kind, Level, WITH_FEED, Wish};
use super::waves::{check_waves, has_own_policy, may_hold_back};
use jiff::Timestamp;
use restock_domain::ContactId;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// After how long a pause or a hold is in force for certain, as docs/operations.md promises.
const STOPPED_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Complaint {
    Lost(Wish),
    /// Was mailed in the end, but not by the level that came after it.
    Late(Wish),
    Doubled(Wish),
    /// One contact got several mails about a SKU for one level.
    Repeated(Wish),
    /// A contact got more mails about a SKU than levels came.
    Uncaused {
        contact: usize,
        sku: usize,
    },
    /// Was mailed without being asked for, or after it was ended.
    Unwanted(Wish, &'static str),
    /// Was passed over by two waves of people who asked later.
    Overtaken(Wish),
    /// Left against the policy for waves.
    AgainstWaves(Wish, &'static str),
    /// Waits although it was ended.
    NotEnded(Wish, &'static str),
    /// Erased, and still there.
    NotErased(usize),
    /// Something was never done.
    Stuck,
    /// Unread messages that nobody made unreadable.
    Dead(usize),
    /// Outcomes that did not tell: injected and counted.
    Ambiguous(u64, u64),
    /// A mail about nothing that anybody could have asked for.
    Unknown,
}

impl Complaint {
    /// Returns why a mail was unwanted; empty for other complaints.
    pub fn why(&self) -> &'static str {
        if let Self::Unwanted(_, why) | Self::AgainstWaves(_, why) = self { why } else { "" }
    }
}

/// Returns everything that is wrong with a history.
pub fn check(history: &History) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let ids: HashMap<_, Wish> = history.cast.wishes().into_iter().map(|wish| (history.cast.id(wish), wish)).collect();
    let mut mails: BTreeMap<Wish, Vec<Timestamp>> = BTreeMap::new();
    let mut deliveries: BTreeMap<&str, (Wish, usize)> = BTreeMap::new();
    let mut levels: BTreeMap<_, BTreeMap<&str, (Wish, Timestamp)>> = BTreeMap::new();
    for mail in &history.mails {
        let Some(wish) = ids.get(&mail.subscription) else {
            complaints.push(Complaint::Unknown);
            continue;
        };
        mails.entry(*wish).or_default().push(mail.at);
        if was_stopped(history, mail.asked_at, |on| Asked::Pause { on }) {
            complaints.push(Complaint::Unwanted(*wish, "sending was paused"));
        }
        if was_stopped(history, mail.asked_at, |on| Asked::Hold { sku: wish.sku, on }) {
            complaints.push(Complaint::Unwanted(*wish, "the SKU was held"));
        }
        if let Some(level) = &mail.level {
            let of_level = levels.entry((wish.contact, wish.sku, level)).or_default();
            of_level.insert(&mail.delivery, (*wish, mail.at));
        }
        deliveries.entry(&mail.delivery).or_insert((*wish, 0)).1 += 1;
    }
    complaints.extend(deliveries.values().filter(|(_, count)| *count > 1).map(|(wish, _)| Complaint::Doubled(*wish)));
    for deliveries in levels.values() {
        let mut sent: Vec<(Timestamp, Wish)> = deliveries.values().map(|(wish, at)| (*at, *wish)).collect();
        sent.sort();
        complaints.extend(sent.iter().skip(1).map(|(_, wish)| Complaint::Repeated(*wish)));
    }
    complaints.extend(check_waves(history));
    for contact in 0..history.cast.contacts.len() {
        for sku in 0..history.cast.skus.len() {
            let of_both = |wish: &Wish| wish.contact == contact && wish.sku == sku;
            let sent: usize = mails.iter().filter(|(wish, _)| of_both(wish)).map(|(_, at)| at.len()).sum();
            let levels = history.calls.iter().filter(|call| {
                matches!(call.asked, Asked::Level(level) if level.sku == sku && level.quantity > 0)
                    && call.answer != Answer::No
            });
            if sent > levels.count() {
                complaints.push(Complaint::Uncaused { contact, sku });
            }
        }
    }
    for wish in history.cast.wishes() {
        let mut of_wish = mails.get(&wish).cloned().unwrap_or_default();
        of_wish.sort();
        let same = |other: &Wish| other.contact == wish.contact && other.sku == wish.sku && *other != wish;
        let others = mails.iter().filter(|(other, _)| same(other));
        let others = others.flat_map(|(other, at)| at.iter().map(|at| (*other, *at))).collect();
        OfWish { history, wish, mails: of_wish, others }.check(&mut complaints);
    }
    for (contact, erased) in history.calls.iter().filter_map(|call| match call.asked {
        Asked::Erase(contact) if call.answer == Answer::Yes => Some((contact, call)),
        _ => None,
    }) {
        if is_made_meanwhile(history, contact, erased) {
            continue;
        }
        let again = |call: &Call| matches!(&call.asked, Asked::Subscribe(wish) if wish.contact == contact);
        let accepted = |call: &&Call| again(call) && call.from > erased.to && call.answer == Answer::Yes;
        if history.contacts.contains(&contact) || history.calls.iter().any(|call| accepted(&call)) {
            complaints.push(Complaint::NotErased(contact));
        }
    }
    let is_erased = |contact: usize| {
        let asked = |call: &Call| call.asked == Asked::Erase(contact);
        history.calls.iter().any(asked) && !history.contacts.contains(&contact)
    };
    let left = history.waiting.iter().filter(|wish| is_erased(wish.contact));
    complaints.extend(left.map(|wish| Complaint::NotErased(wish.contact)));
    if history.stuck {
        complaints.push(Complaint::Stuck);
    }
    let malformed = history.calls.iter().filter(|call| call.asked == Asked::Malformed).count();
    // A message may be duplicated on its way, so there may be more, but never fewer.
    if history.dead < malformed || (malformed == 0 && history.dead > 0) {
        complaints.push(Complaint::Dead(history.dead));
    }
    if history.ambiguous.0 != history.ambiguous.1 {
        complaints.push(Complaint::Ambiguous(history.ambiguous.0, history.ambiguous.1));
    }
    complaints
}

/// Returns true if a pause or a hold was made more than [`STOPPED_WITHIN`] before, and not ended since.
fn was_stopped(history: &History, at: Timestamp, asked: impl Fn(bool) -> Asked) -> bool {
    let (stop, end) = (asked(true), asked(false));
    let undone = |stop: &Call, end: &Call| end.answer != Answer::No && end.to >= stop.from && end.from <= at;
    history.calls.iter().filter(|call| call.asked == stop && call.answer == Answer::Yes).any(|stop| {
        let mut ends = history.calls.iter().filter(|call| call.asked == end);
        stop.to + STOPPED_WITHIN < at && !ends.any(|end| undone(stop, end))
    })
}

/// Returns true if a contact was made while it was erased. Outside of a simulation nobody knows its id before, so such
/// an erasure does not count.
fn is_made_meanwhile(history: &History, contact: usize, erased: &Call) -> bool {
    let overlaps = |call: &Call| call.from < erased.to && erased.from < call.to;
    let makes = |call: &Call| call.asked == Asked::Create(contact) && call.answer != Answer::No;
    history.calls.iter().any(|call| makes(call) && overlaps(call))
}

pub struct OfWish<'a> {
    history: &'a History,
    wish: Wish,
    mails: Vec<Timestamp>,
    /// To the same contact about the same SKU, for other subscriptions.
    others: Vec<(Wish, Timestamp)>,
}

impl<'a> OfWish<'a> {
    /// Returns a wish whose mails nobody asks about.
    pub fn alone(history: &'a History, wish: Wish) -> Self {
        Self { history, wish, mails: Vec::new(), others: Vec::new() }
    }
}

impl OfWish<'_> {
    fn check(&self, complaints: &mut Vec<Complaint>) {
        let wish = self.wish;
        let unasked = self.mails.windows(2).any(|pair| !self.asked_again_between(pair[0], pair[1]));
        if unasked || self.mails.len() > self.possible_subscriptions().count() {
            complaints.push(Complaint::Doubled(wish));
        }
        complaints.extend(
            self.mails.iter().filter_map(|at| self.why_unwanted(*at)).map(|why| Complaint::Unwanted(wish, why)),
        );
        let waits = self.history.waiting.contains(&wish);
        if waits && let Some(why) = self.why_ended() {
            complaints.push(Complaint::NotEnded(wish, why));
        }
        for subscribed in self.calls(|asked| matches!(asked, Asked::Subscribe(_))) {
            if subscribed.answer != Answer::Yes || self.may_be_ended_since(subscribed) {
                continue;
            }
            let own = self.mails.iter().copied().find(|at| *at >= subscribed.from);
            // A mail about another subscription of the contact answers this one too, if one level covered both.
            let mailed = own.into_iter().chain(self.answered_by_another(subscribed)).min();
            match mailed {
                None if !(waits && self.may_wait_forever(subscribed)) => complaints.push(Complaint::Lost(wish)),
                Some(at) if at > self.history.settled_at && self.was_due(subscribed) => {
                    complaints.push(Complaint::Late(wish));
                }
                _ => {}
            }
        }
    }

    /// Returns when a mail left about another subscription of the contact that a level covers together with this one.
    fn answered_by_another(&self, subscribed: &Call) -> Option<Timestamp> {
        let together = |other: Wish, at: Timestamp| {
            self.levels().any(|(call, level)| level.quantity > 0 && level.covers(other) && call.from <= at)
        };
        let answers = self.others.iter().filter(|(other, at)| *at >= subscribed.from && together(*other, *at));
        answers.map(|(_, at)| *at).min()
    }

    /// Returns the calls about this wish, or about its contact.
    fn calls<'a>(&'a self, which: impl Fn(&Asked) -> bool + 'a) -> impl Iterator<Item = &'a Call> {
        let wish = self.wish;
        self.history.calls.iter().filter(move |call| {
            which(&call.asked)
                && match call.asked {
                    Asked::Subscribe(of) | Asked::Delete(of) | Asked::Unsubscribe(of) => of == wish,
                    // What is said of an address holds for every contact that has it.
                    Asked::UnsubscribeFromAll(contact) | Asked::Lift(contact) => {
                        self.history.cast.have_same_address(contact, wish.contact)
                    }
                    Asked::Erase(contact)
                    | Asked::Rename(contact)
                    | Asked::Move(contact)
                    | Asked::Create(contact)
                    | Asked::Import(contact) => contact == wish.contact,
                    Asked::Level(level) => level.covers(wish),
                    Asked::Feed { locale, .. } => locale == wish.locale,
                    Asked::Automation { .. } | Asked::Pause { .. } | Asked::Waves(_) | Asked::Club(_) => true,
                    Asked::Hold { sku, .. } => sku == wish.sku,
                    Asked::Malformed => false,
                }
        })
    }

    fn kind(&self) -> Kind {
        self.history.cast.contacts[self.wish.contact].0
    }

    /// Returns true if the wish is of that contact, or of one that has its address before or after it.
    fn has_address_of(&self, id: ContactId) -> bool {
        let cast = &self.history.cast;
        (0..cast.contacts.len())
            .any(|contact| cast.contact(contact) == id && cast.have_same_address(contact, self.wish.contact))
    }

    fn ends(&self) -> impl Iterator<Item = &Call> {
        self.calls(|asked| {
            matches!(asked, Asked::Delete(_) | Asked::Unsubscribe(_) | Asked::UnsubscribeFromAll(_) | Asked::Erase(_))
        })
    }

    fn levels(&self) -> impl Iterator<Item = (&Call, Level)> {
        self.calls(|asked| matches!(asked, Asked::Level(_))).filter_map(|call| match call.asked {
            Asked::Level(level) => Some((call, level)),
            _ => None,
        })
    }

    /// Calls that subscribed, or may have. One that was refused may have, if the contact was erased meanwhile.
    pub fn possible_subscriptions(&self) -> impl Iterator<Item = &Call> {
        self.calls(|asked| matches!(asked, Asked::Subscribe(_))).filter(|subscribed| {
            let erased_meanwhile = |end: &Call| {
                matches!(end.asked, Asked::Erase(_)) && end.from <= subscribed.to && end.to >= subscribed.from
            };
            subscribed.answer != Answer::No || self.ends().any(erased_meanwhile)
        })
    }

    /// Returns true if somebody asked for a second mail: subscribed again when the first one was on its way or out. Who
    /// ended the subscription and asked again before the first mail was out waits for a second one too.
    fn asked_again_between(&self, first: Timestamp, second: Timestamp) -> bool {
        let leaving = first - self.history.slack;
        let ended = |subscribed: &Call| {
            self.ends().any(|end| end.from <= subscribed.to && end.to + self.history.slack >= leaving)
        };
        self.possible_subscriptions()
            .any(|subscribed| subscribed.from <= second && (subscribed.to >= leaving || ended(subscribed)))
    }

    /// Returns true if something ended the subscription, or may have, after it was asked for.
    pub fn may_be_ended_since(&self, subscribed: &Call) -> bool {
        self.ends().any(|end| {
            // A deletion that was carried out twice finds nothing the second time, and is answered with that.
            let done = end.answer != Answer::No
                || match end.asked {
                    Asked::Delete(_) => true,
                    // A link that found nobody with its address may hold for who takes it next, and for a contact that
                    // has left it, or was not made yet.
                    Asked::UnsubscribeFromAll(contact) => {
                        contact != self.wish.contact
                            || self.may_have_moved(contact, end.to)
                            || !self.was_made_before(end.from)
                    }
                    _ => false,
                };
            let for_good = matches!(end.asked, Asked::UnsubscribeFromAll(_)) && !self.was_lifted(end, subscribed);
            done && (end.to >= subscribed.from || for_good)
        })
    }

    /// Returns true if an unsubscription from everything was lifted for certain before somebody subscribed. Once a
    /// contact may have moved, what another contact says of the address is not about it.
    fn was_lifted(&self, unsubscribed: &Call, subscribed: &Call) -> bool {
        let of_contact = |lift: &Call| {
            lift.asked == Asked::Lift(self.wish.contact) || !self.moves(|_| true).any(|call| call.from <= subscribed.to)
        };
        self.lifts().any(|lift| {
            lift.answer == Answer::Yes && lift.from > unsubscribed.to && lift.to < subscribed.from && of_contact(lift)
        })
    }

    /// Returns the moves of contacts that have, or had, the address of this one.
    fn moves(&self, whose: impl Fn(usize) -> bool) -> impl Iterator<Item = &Call> {
        let cast = &self.history.cast;
        self.history.calls.iter().filter(move |call| match call.asked {
            Asked::Move(contact) => whose(contact) && cast.have_same_address(contact, self.wish.contact),
            _ => false,
        })
    }

    /// Returns true if a contact may have left its first address before a moment.
    fn may_have_moved(&self, contact: usize, at: Timestamp) -> bool {
        self.moves(|mover| mover == contact).any(|call| call.answer != Answer::No && call.from <= at)
    }

    /// Returns true if the contact was there for certain at a moment: from the beginning, or as it was made.
    fn was_made_before(&self, at: Timestamp) -> bool {
        let made = |call: &Call| call.answer == Answer::Yes && call.to <= at;
        self.wish.contact < self.history.cast.addresses.len()
            || self.calls(|asked| matches!(asked, Asked::Create(_))).any(made)
    }

    /// Returns false if what ended is perhaps somebody else's: of an address that this contact may have left.
    fn is_ours(&self, end: &Call) -> bool {
        let of_another = matches!(end.asked, Asked::UnsubscribeFromAll(contact) if contact != self.wish.contact);
        !(of_another && self.may_have_moved(self.wish.contact, end.to))
    }

    /// Returns true if it may have been lifted before a moment.
    fn may_be_lifted(&self, unsubscribed: &Call, at: Timestamp) -> bool {
        self.lifts().any(|lift| lift.answer != Answer::No && lift.to >= unsubscribed.from && lift.from <= at)
    }

    fn lifts(&self) -> impl Iterator<Item = &Call> {
        self.calls(|asked| matches!(asked, Asked::Lift(_)))
    }

    /// Returns true if this may never be mailed, however often the SKU is restocked.
    fn may_wait_forever(&self, subscribed: &Call) -> bool {
        let moved = self
            .moves(|contact| contact == self.wish.contact)
            .any(|call| call.answer == Answer::Yes && call.to < subscribed.from);
        match self.kind() {
            Kind::Unwilling => true,
            // Its new address is one that takes mail.
            Kind::Refused | Kind::Bounces if moved => self.wish.locale >= WITH_FEED,
            Kind::Refused => true,
            // Once it got a mail.
            Kind::Bounces | Kind::Complains
                if self.history.mails.iter().any(|mail| self.has_address_of(mail.subscription.contact_id)) =>
            {
                true
            }
            _ => self.wish.locale >= WITH_FEED,
        }
    }

    /// Returns true if a level came after the subscription that nothing stood in the way of.
    fn was_due(&self, subscribed: &Call) -> bool {
        let in_time = |call: &Call| call.from < self.history.settled_at;
        let restocked = self.levels().any(|(call, level)| {
            let counts = level.quantity > 0 && level.age.is_none() && call.answer == Answer::Yes;
            counts && in_time(call) && call.from > subscribed.to
        });
        let sold_out = self.levels().any(|(call, level)| level.quantity <= 0 && call.to > subscribed.from);
        let without_product = self.calls(|asked| matches!(asked, Asked::Feed { .. })).any(|call| match &call.asked {
            Asked::Feed { skus, .. } => call.answer != Answer::No && in_time(call) && !skus.contains(&self.wish.sku),
            _ => false,
        });
        let switched_off =
            self.calls(|asked| *asked == Asked::Automation { enabled: false }).any(|call| call.answer != Answer::No);
        restocked
            && !sold_out
            && !without_product
            && !switched_off
            && !self.may_wait_forever(subscribed)
            && !may_hold_back(self.history)
    }

    /// Returns why the mail of that moment must not have left.
    fn why_unwanted(&self, at: Timestamp) -> Option<&'static str> {
        let slack = self.history.slack;
        let has_moved = self.may_have_moved(self.wish.contact, at);
        if self.kind() == Kind::Unwilling || (self.kind() == Kind::Refused && !has_moved) {
            return Some("the contact must not or can't be mailed");
        }
        if self.wish.locale >= WITH_FEED {
            return Some("the locale has no feed");
        }
        // A bounce is about the address, a complaint about the contact too.
        let concerns = |contact: &ContactId| {
            let is_own = self.history.cast.contact(self.wish.contact) == *contact;
            let of_person = self.kind() == Kind::Complains && is_own;
            self.has_address_of(*contact) && (of_person || !has_moved)
        };
        if self.history.suppressed.iter().any(|(contact, since)| concerns(contact) && *since + slack < at) {
            return Some("the address is suppressed");
        }
        let for_good = |call: &&Call| matches!(call.asked, Asked::UnsubscribeFromAll(_) | Asked::Erase(_));
        let holds = |end: &Call| {
            let lifted = matches!(end.asked, Asked::UnsubscribeFromAll(_)) && self.may_be_lifted(end, at);
            let unmade = matches!(end.asked, Asked::Erase(contact) if is_made_meanwhile(self.history, contact, end));
            let done = (end.answer == Answer::Yes && self.is_ours(end)) || self.holds_for_the_next(end);
            done && end.to + slack < at && !lifted && !unmade
        };
        if self.ends().filter(for_good).any(holds) {
            return Some("the contact unsubscribed or was erased");
        }
        if self.was_switched_off(at) {
            return Some("the automation was off");
        }
        let asked_for = self.possible_subscriptions().any(|subscribed| {
            let done = |end: &Call| end.answer == Answer::Yes && self.is_ours(end);
            let ended = |end: &Call| done(end) && end.from > subscribed.to && end.to + slack < at;
            subscribed.from <= at && !self.ends().any(ended)
        });
        if !asked_for {
            return Some("nobody asked for it, or it was ended");
        }
        if !self.levels().any(|(call, level)| level.quantity > 0 && call.from <= at) {
            return Some("it was never in stock");
        }
        None
    }

    /// Returns true if a link that found no contact with its address was used before this contact, which took the
    /// address later, was made.
    fn holds_for_the_next(&self, end: &Call) -> bool {
        let Asked::UnsubscribeFromAll(contact) = end.asked else { return false };
        let made = |asked: &Asked| matches!(asked, Asked::Create(_));
        contact != self.wish.contact
            && end.answer == Answer::No
            && self.calls(made).any(|call| call.answer == Answer::Yes)
            && self.calls(made).all(|call| call.answer == Answer::No || call.from > end.to)
    }

    /// Returns true if no automation was on for longer than functions may go by what they have read.
    fn was_switched_off(&self, at: Timestamp) -> bool {
        if has_own_policy(self.history, at, self.wish.contact) {
            return false;
        }
        let late = self.history.slack + self.history.automations_kept;
        self.calls(|asked| *asked == Asked::Automation { enabled: false }).any(|off| {
            let mut on = self.calls(|asked| *asked == Asked::Automation { enabled: true });
            let undone = on.any(|on| on.answer != Answer::No && on.to >= off.from && on.from <= at);
            off.answer == Answer::Yes && off.to + late < at && !undone
        })
    }

    /// Returns why a subscription that is there in the end should not be.
    fn why_ended(&self) -> Option<&'static str> {
        let subscribed_since = |end: &Call| {
            self.calls(|asked| matches!(asked, Asked::Subscribe(_)))
                .any(|call| call.answer != Answer::No && call.to >= end.from)
        };
        let done = |end: &&Call| end.answer == Answer::Yes && self.is_ours(end) && !subscribed_since(end);
        let ended = self.ends().find(done);
        ended.map(|_| "it was ended and not asked for again")
    }
}
