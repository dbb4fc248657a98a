//! What a SKU that many wait for does to the functions, in a simulation whose requests take as long as those to AWS do.

use super::CALM;
use super::checker::check;
use super::history::{Answer, Asked, Call, History};
use super::simulated::play_workload;
use super::workload::Workload;
use super::world::{Faults, Sabotage};
use restock_domain::{ContactId, SubscriptionId};
use std::collections::HashSet;
use std::time::Duration;

/// A request to DynamoDB or SQS takes a few milliseconds, mostly less than ten; the simulation adds up to 40 to half of
/// them. One to SES takes up to 80, and to a quarter of them up to 40 are added.
const AS_AWS: Faults = Faults { latency: 5, events: false, ..CALM };

/// What one key of a table or an index bears: 1,000 write units a second.
const DYNAMODB: [u32; 2] = [1_000; 2];

#[test]
fn a_level_that_many_wait_for_is_matched_in_time_although_dynamodb_is_slow() {
    let slow = Faults { latency: 2_000, ..CALM };

    let history = play_workload(1, Workload::of_many(4_000), slow, Sabotage::Nothing);

    let in_time = history.mails.iter().filter(|mail| mail.at < history.settled_at);
    assert_eq!(in_time.map(|mail| mail.subscription).collect::<HashSet<_>>().len(), 4_000);
    assert_eq!((history.stuck, history.redriven, history.over_time), (false, 0, 0));
}

#[test]
fn a_million_who_wait_are_matched_in_at_most_twelve_invocations() {
    // A request to AWS takes about ten milliseconds. At 25 times that, a 25th of so many takes as long.
    let slow = Faults { latency: 250, events: false, ..CALM };
    let many = 1_000_000_usize.div_ceil(12 * 25);

    let history = play_workload(1, Workload::of_many(many), slow, Sabotage::Nothing);

    assert_eq!((history.mails.len(), history.sent_on, history.over_time), (many, 0, 0));
}

/// Plays a drain of many who wait for one SKU, and returns how many seconds after their own level the last of five
/// others is mailed, who wait for another SKU.
fn seconds_of_five_others(many: usize, send_rate: u32) -> f64 {
    let faults = Faults { send_rate: [send_rate; 2], ..AS_AWS };

    let history = play_workload(1, Workload::of_many_and_five_others(many), faults, Sabotage::Nothing);

    let others: HashSet<ContactId> = (many..many + 5).map(|contact| history.cast.contact(contact)).collect();
    let is_theirs = |call: &&Call| matches!(&call.asked, Asked::Level(level) if level.sku == 1);
    let level = history.calls.iter().find(is_theirs).expect("their level");
    let mailed = history.mails.iter().filter(|mail| others.contains(&mail.subscription.contact_id));
    let mailed: Vec<f64> = mailed.map(|mail| mail.at.duration_since(level.from).as_secs_f64()).collect();
    assert_eq!((mailed.len(), history.mails.len()), (5, many + 5));
    // While the others were not done yet.
    let busy_until = history.mails.iter().map(|mail| mail.at).max();
    assert!(busy_until.is_some_and(|until| until > level.from + Duration::from_secs(5)));
    mailed.into_iter().fold(0.0, f64::max)
}

#[test]
fn a_drain_of_many_does_not_hold_up_five_who_wait_for_another_sku() {
    let (fast, slow) = (seconds_of_five_others(10_000, 200), seconds_of_five_others(2_000, 14));

    assert!(fast <= 10.0, "{fast} s at 200 mails a second");
    assert!(slow <= 60.0, "{slow} s at 14 mails a second");
}

#[test]
fn a_pause_in_the_middle_of_a_drain_stops_it_within_seconds_and_loses_nobody() {
    // A message is sent for as long as an invocation lasts, 30 seconds.
    let slow = Faults { send_rate: [2; 2], ..CALM };
    let lasts = Duration::from_secs(300);
    let workload = Workload::of_many_with_a_pause(200, Duration::from_secs(35), lasts);

    let history = play_workload(1, workload, slow, Sabotage::Nothing);

    assert_eq!(check(&history), []);
    let paused = history.calls.iter().find(|call| call.asked == Asked::Pause { on: true }).expect("a pause");
    let resumed_at = paused.to + lasts;
    let before = history.mails.iter().filter(|mail| mail.at < resumed_at).count();
    // Half a minute at two mails a second, and at most ten seconds more; then the others, the first of them soon.
    assert!((50..=90).contains(&before) && history.mails.len() == 200, "{before} of {}", history.mails.len());
    let first = history.mails.iter().map(|mail| mail.at).filter(|at| *at >= resumed_at).min();
    assert!(first.is_some_and(|first| first <= resumed_at + Duration::from_secs(30)), "{first:?}");
}

/// Returns the part of SES's rate that a drain used, from a second after the first mail until so many were mailed.
fn part_used(history: &History, send_rate: u32, until: usize) -> f64 {
    let mut mailed: Vec<_> = history.mails.iter().map(|mail| mail.at).collect();
    mailed.sort_unstable();
    let from = mailed[0] + Duration::from_secs(1);
    let last = mailed[until - 1];
    let count = mailed[..until].iter().filter(|at| **at >= from).count();
    count as f64 / (f64::from(send_rate) * last.duration_since(from).as_secs_f64())
}

/// Plays a drain, and returns the part of SES's rate that it used until nine tenths of it were mailed, and how many
/// mails SES did not take, since they were too many for a second. The senders do not end at the same time.
fn drain(many: usize, send_rate: u32, senders: u32) -> (f64, u64) {
    let faults = Faults { senders, send_rate: [send_rate; 2], key_units: DYNAMODB, ..AS_AWS };

    let history = play_workload(1, Workload::of_many(many), faults, Sabotage::Nothing);

    assert_eq!(history.mails.len(), many);
    let used = part_used(&history, send_rate, many * 9 / 10);
    println!("{many} at {send_rate}/s: {used:.4}, of all {:.4}", part_used(&history, send_rate, many));
    (used, history.throttled)
}

#[test]
fn a_drain_keeps_the_rate_of_ses_busy_and_is_not_throttled() {
    // Eight senders are those of the parameter `Throughput` for accounts that may send more than 400 mails a second.
    for (send_rate, senders) in [(200, 2), (1_000, 8)] {
        let (used, throttled) = drain(10_000, send_rate, senders);

        assert!(used >= 0.99 && throttled == 0, "{used} of {send_rate} a second, {throttled} throttled");
    }
}

#[test]
fn a_drain_at_the_rate_of_a_new_account_is_hardly_throttled() {
    let (used, throttled) = drain(2_000, 14, 2);

    // A group is half of what SES takes in a second, and both senders may come at once with one that is a little late.
    assert!(used >= 0.95 && throttled <= 10, "{used}, {throttled} throttled");
}

#[test]
fn a_storm_of_sign_ups_is_let_through_as_far_as_the_keys_limit_goes_and_nobody_who_was_told_yes_is_lost() {
    let (lasts, a_second, limit) = (8, 5_000, 500);
    let faults = Faults { calls_per_second: limit, key_units: DYNAMODB, ..AS_AWS };
    let workload = Workload::of_storm(lasts * a_second, Duration::from_secs(lasts as u64));

    let history = play_workload(1, workload, faults, Sabotage::Nothing);

    let subscribed = history.calls.iter().filter(|call| call.answer == Answer::Yes);
    let subscribed: HashSet<SubscriptionId> = subscribed
        .filter_map(|call| match call.asked {
            Asked::Subscribe(wish) => Some(history.cast.id(wish)),
            _ => None,
        })
        .collect();
    let in_time = history.mails.iter().filter(|mail| mail.at < history.settled_at);
    let mailed: Vec<SubscriptionId> = in_time.map(|mail| mail.subscription).collect();
    assert_eq!(mailed.len(), subscribed.len());
    assert_eq!(HashSet::from_iter(mailed), subscribed);
    // A key that was at rest may make up for two seconds.
    let allowed = (lasts + 2) * limit as usize;
    println!("{} of {allowed} were let through", subscribed.len());
    assert!((allowed * 8 / 10..=allowed * 12 / 10).contains(&subscribed.len()), "{} of {allowed}", subscribed.len());
    assert_eq!(subscribed.len() + history.refused.len(), lasts * a_second);
    assert!(history.refused.iter().all(|seconds| (1..=5).contains(seconds)));
}
