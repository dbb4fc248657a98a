//! The order of waves, as far as it can be told from outside: a message may be late, so one wave may overtake another;
//! nobody is passed over by two of them that are further apart than a message is waited for.

use super::checker::{Complaint, OfWish};
use super::history::{Answer, Asked, Call, Cast, DEFAULT, History, Kind, WITH_FEED, Wish};
use super::waves::{in_force, scope_of};
use jiff::Timestamp;
use restock_domain::Scope;
use std::collections::HashMap;
use std::time::Duration;

/// How long a message of a wave may be on its way, retries and a redrive included.
const ON_ITS_WAY: Duration = Duration::from_secs(40 * 60);

/// Returns who was passed over, of a history in which no index lags for hours.
pub fn check_order(history: &History) -> Vec<Complaint> {
    let ids: HashMap<_, Wish> = history.cast.wishes().into_iter().map(|wish| (history.cast.id(wish), wish)).collect();
    let mails: Vec<(Timestamp, Wish, Option<Scope>)> = history
        .mails
        .iter()
        .filter_map(|mail| Some((mail, *ids.get(&mail.subscription)?)))
        .map(|(mail, wish)| (mail.asked_at, wish, scope_of(history, mail.asked_at, wish)))
        .collect();
    let waits = |wish: &Wish| {
        wish.locale < WITH_FEED && waits_by_shop(history, *wish) && history.cast.contacts[wish.contact].0 == Kind::Plain
    };
    let wishes = history.cast.wishes().into_iter().filter(waits);
    wishes.filter(|wish| is_passed_over(history, &mails, *wish)).map(Complaint::Overtaken).collect()
}

fn is_passed_over(history: &History, mails: &[(Timestamp, Wish, Option<Scope>)], wish: Wish) -> bool {
    let of_wish = OfWish::alone(history, wish);
    let asked: Vec<&Call> = of_wish.possible_subscriptions().collect();
    // Who asked once, and was told yes.
    let [subscribed] = asked.as_slice() else { return false };
    let is_about_them = |other: &Wish| other.contact == wish.contact && other.sku == wish.sku;
    let is_mailed =
        mails.iter().any(|(at, other, _)| is_about_them(other) && *at >= subscribed.from && *at < history.settled_at);
    if subscribed.answer != Answer::Yes || is_mailed || of_wish.may_be_ended_since(subscribed) {
        return false;
    }
    let is_younger = |other: Wish| {
        let mut asked =
            OfWish::alone(history, other).possible_subscriptions().map(|call| call.from).collect::<Vec<_>>();
        asked.sort();
        other.sku == wish.sku
            && other.contact != wish.contact
            && waits_by_shop(history, other)
            && asked.first().is_some_and(|first| *first > subscribed.to)
    };
    let passing: Vec<Timestamp> = mails
        .iter()
        .filter(|(at, other, scope)| {
            scope.is_some() && *at < history.settled_at && is_younger(*other) && scope_of(history, *at, wish) == *scope
        })
        .map(|(at, ..)| *at)
        .collect();
    passing.iter().any(|first| {
        let Some((since, interval)) = unchanged_since(history, *first, wish.sku) else { return false };
        let again = |later: &Timestamp| *later > *first + interval + ON_ITS_WAY;
        let is_same =
            |later: Timestamp| unchanged_since(history, later, wish.sku).is_some_and(|(same, _)| same == since);
        // Not that their own mail was about to leave.
        passing
            .iter()
            .any(|later| again(later) && is_same(*later + ON_ITS_WAY) && *later + ON_ITS_WAY < history.settled_at)
    })
}

/// Returns true if somebody always waits by the policy of the shop.
fn waits_by_shop(history: &History, wish: Wish) -> bool {
    let has_club = || history.calls.iter().any(|call| matches!(call.asked, Asked::Club(_)));
    !Cast::is_in_club(wish.contact) || !has_club()
}

/// Returns since when one policy of the shop that goes by age alone has been in force and no level of a SKU has come,
/// and the policy's interval.
fn unchanged_since(history: &History, at: Timestamp, sku: usize) -> Option<(Timestamp, Duration)> {
    let policy = match in_force(history, at, DEFAULT).as_slice() {
        [Some(policy)] if policy.per_unit.is_some() && policy.first.is_none() => *policy,
        _ => return None,
    };
    let name = &history.cast.skus[sku];
    // A level that is stored again is no other one.
    let levels = history.stored.iter().filter(|stored| stored.sku == *name && stored.at <= at);
    let changes_policies = |asked: &Asked| matches!(asked, Asked::Waves(_) | Asked::Club(_));
    let policies = history.calls.iter().filter(|call| changes_policies(&call.asked) && call.from <= at);
    let changes = levels.map(|stored| stored.level.at).chain(policies.map(|call| call.to));
    Some((changes.max()?, policy.interval))
}
