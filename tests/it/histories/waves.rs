//! The law of waves: at the moment at which a mail's request leaves, it and the mails of its scope in the interval
//! before are no more than the policy allows at the stock in force. What can't be told from outside counts in favour of
//! the system.

use super::checker::Complaint;
use super::history::{Answer, Asked, CLUB, Call, Cast, History, SentMail, StoredLevel, WaveSpec, Wish};
use super::world::TERMS;
use jiff::Timestamp;
use restock_domain::{ExternalId, KnownLevel, Locale, Scope, newest_covering};
use std::collections::HashMap;
use std::time::Duration;

/// Returns how long after a policy was stored a mail may still leave by the one before: as long as functions go by what
/// they have read, and as a claim holds.
fn late(history: &History) -> Duration {
    history.automations_kept + TERMS.lease
}

/// Returns true if a policy may have let somebody wait for another level, or for longer than it takes to settle.
pub fn may_hold_back(history: &History) -> bool {
    let mut policies = history.calls.iter().filter_map(|call| match call.asked {
        Asked::Waves(policy) | Asked::Club(policy) if call.answer != Answer::No && call.from < history.settled_at => {
            Some(policy)
        }
        _ => None,
    });
    // Without a policy whoever waits for a wave waits for the next level.
    let harmless = |policy: WaveSpec| policy.minimum <= 1 && !policy.restock;
    policies.any(|policy| !policy.is_some_and(harmless))
}

/// Returns what is wrong with waves, if the stored levels can be seen.
pub fn check_waves(history: &History) -> Vec<Complaint> {
    if history.stored.is_empty() {
        return Vec::new();
    }
    let ids: HashMap<_, Wish> = history.cast.wishes().into_iter().map(|wish| (history.cast.id(wish), wish)).collect();
    let mails: Vec<Mail<'_>> = history
        .mails
        .iter()
        .filter_map(|mail| Some((mail, *ids.get(&mail.subscription)?)))
        .map(|(mail, wish)| Mail { at: mail.asked_at, wish, scope: scope_of(history, mail.asked_at, wish), mail })
        .collect();
    mails.iter().filter_map(|mail| Some(Complaint::AgainstWaves(mail.wish, why(history, &mails, mail)?))).collect()
}

struct Mail<'a> {
    at: Timestamp,
    wish: Wish,
    /// The scope that it took its place from, if that is certain.
    scope: Option<Scope>,
    mail: &'a SentMail,
}

/// Returns why a mail breaks every policy that may have been in force.
fn why(history: &History, mails: &[Mail<'_>], mail: &Mail<'_>) -> Option<&'static str> {
    let scope = mail.scope.as_ref()?;
    let mut broken = None;
    for policy in in_force(history, mail.at, &mail.mail.automation) {
        broken = Some(breaks(history, mails, mail, scope, policy?)?);
    }
    broken
}

fn breaks(
    history: &History,
    mails: &[Mail<'_>],
    mail: &Mail<'_>,
    scope: &Scope,
    policy: WaveSpec,
) -> Option<&'static str> {
    if policy.is_quiet(mail.at) {
        return Some("it left in quiet hours");
    }
    let sku = &history.cast.skus[mail.wish.sku];
    let of_scope: Vec<&StoredLevel> =
        history.stored.iter().filter(|stored| stored.sku == *sku && stored.level.scope == *scope).collect();
    let of_scope = || of_scope.iter().copied();
    let (since, until) = (mail.at - TERMS.lease, mail.at);
    let before = of_scope().rfind(|stored| stored.at <= since);
    let meanwhile = of_scope().filter(|stored| stored.at > since && stored.at <= until);
    let highest = before.into_iter().chain(meanwhile).map(|stored| stored.level.quantity).max()?;
    let in_interval = |other: &&Mail<'_>| {
        other.wish.sku == mail.wish.sku
            && other.scope.as_ref() == Some(scope)
            && (other.at, &other.mail.id) <= (mail.at, &mail.mail.id)
            && other.at > mail.at - policy.interval
            && is_counted(history, other.at)
    };
    let allowed = policy.allows(highest);
    if allowed == 0 {
        return Some("it left below the minimum");
    }
    if mails.iter().filter(in_interval).count() as u64 > allowed {
        return Some("more left than the stock has places for");
    }
    // Whatever came after the last level that was too low.
    let is_low = |stored: &StoredLevel| stored.level.quantity < policy.minimum.max(1);
    let after_drop = of_scope().rposition(|stored| is_low(stored) && stored.at <= since).map_or(0, |drop| drop + 1);
    let arrived = of_scope().skip(after_drop).find(|stored| !is_low(stored))?.level.arrival.as_ref()?.at;
    if mail.at < arrived + policy.hold_down {
        return Some("it left before the stock had held for long enough");
    }
    let comes_first = Cast::is_in_club(mail.wish.contact);
    let head_start = policy.first.filter(|_| !comes_first).unwrap_or_default();
    (mail.at < arrived + policy.hold_down + head_start).then_some("it left within the head start of others")
}

/// Returns the policies by which a mail of that moment may have left, if it is one of this automation.
pub fn in_force(history: &History, at: Timestamp, automation: &str) -> Vec<Option<WaveSpec>> {
    known(history, at, if automation == CLUB { of_club } else { of_shop })
}

/// Returns true if a contact may have been mailed by an automation with a policy of its own.
pub fn has_own_policy(history: &History, at: Timestamp, contact: usize) -> bool {
    Cast::is_in_club(contact) && known(history, at, of_club).iter().any(Option::is_some)
}

/// Returns true if mails of that moment counted for certain: nobody counts while there is no policy.
fn is_counted(history: &History, at: Timestamp) -> bool {
    [of_shop, of_club].iter().any(|which| !known(history, at, *which).contains(&None))
}

/// Returns the policy that a call stores, or deletes.
type Which = fn(&Asked) -> Option<Option<WaveSpec>>;

fn of_shop(asked: &Asked) -> Option<Option<WaveSpec>> {
    if let Asked::Waves(policy) = asked { Some(*policy) } else { None }
}

fn of_club(asked: &Asked) -> Option<Option<WaveSpec>> {
    if let Asked::Club(policy) = asked { Some(*policy) } else { None }
}

/// Returns the policies that may have been in force at a moment, of those that such calls store.
fn known(history: &History, at: Timestamp, which: Which) -> Vec<Option<WaveSpec>> {
    let changes = || {
        let calls = history.calls.iter().filter(|call| call.answer != Answer::No && call.from <= at);
        calls.filter_map(|call| Some((call, which(&call.asked)?)))
    };
    let is_over = |call: Option<&Call>| {
        changes().any(|(later, _)| {
            let follows = call.is_none_or(|call| later.from > call.to);
            follows && later.answer == Answer::Yes && later.to + late(history) < at
        })
    };
    let known = changes().filter(|(call, _)| !is_over(Some(call))).map(|(_, policy)| policy);
    let none = (!is_over(None)).then_some(None);
    none.into_iter().chain(known).collect()
}

/// Returns the scope of the newest level that covered a subscription, if it was the same for as long as a claim holds.
pub fn scope_of(history: &History, at: Timestamp, wish: Wish) -> Option<Scope> {
    let sku = &history.cast.skus[wish.sku];
    let (since, until) = (at - TERMS.lease, at);
    let locale: Locale = super::history::LOCALES[wish.locale].to_owned().into();
    let external_id = wish.external_id.map(|id| ExternalId::parse(super::history::EXTERNAL_IDS[id]).unwrap());
    let mut levels: Vec<KnownLevel> = Vec::new();
    let mut scopes: Vec<Option<Scope>> = Vec::new();
    let mut note = |levels: &[KnownLevel]| {
        scopes.push(newest_covering(levels, &locale, external_id.as_ref()).map(|level| level.scope.clone()));
    };
    let mut meanwhile = false;
    for stored in history.stored.iter().filter(|stored| stored.sku == *sku && stored.at <= until) {
        if stored.at > since && !meanwhile {
            meanwhile = true;
            note(&levels);
        }
        levels.retain(|level| level.scope != stored.level.scope);
        levels.push(stored.level.clone());
        if meanwhile {
            note(&levels);
        }
    }
    if !meanwhile {
        note(&levels);
    }
    // Before the first level there was none to go by.
    let mut scopes = scopes.into_iter().flatten();
    let first = scopes.next()?;
    scopes.all(|scope| scope == first).then_some(first)
}
