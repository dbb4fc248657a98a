//! Histories: random workloads under random faults, and a check of what callers and mailboxes saw.
//!
//! Simulated ones run the functions' own handlers in one thread over tables, queues and a mail service in memory, with
//! a clock that jumps; a seed replays one of them to the letter:
//!
//! ```sh
//! RESTOCK_SEED=4711 cargo test -p restock-tests a_seed_replays
//! ```

mod checker;
mod database;
mod drains;
mod history;
mod order;
mod queues;
mod real;
mod ses;
mod simulated;
mod wave_scenarios;
mod waves;
mod workload;
mod world;

use checker::{Complaint, check};
use history::Kind;
use order::check_order;
use restock_local::faults::{Fate, Spec};
use simulated::{play, play_workload};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use workload::{Step, Workload};
use world::{Faults, Sabotage};

/// Everything goes wrong now and then.
const FAULTS: Faults = Faults {
    refused: 15,
    lost_before: 10,
    lost_after: 10,
    twice: 25,
    killed: 4,
    slow: 8,
    latency: 0,
    partial: 20,
    duplicate: 40,
    delay: 100,
    hours: 10,
    key_units: [8, 64],
    senders: 2,
    send_rate: [1, 8],
    day_quota: 3,
    calls_per_second: 0,
    ses: true,
    events: true,
    sweeps: true,
};

/// No index lags for hours, so nobody needs the sweep.
const NO_SWEEP: Faults = Faults { hours: 0, sweeps: false, ..FAULTS };

/// The outcome of many histories.
#[derive(Debug, Default)]
struct Totals {
    histories: u64,
    mails: u64,
    ambiguous: u64,
    /// Mails that SES accepted and whose sender could not record it.
    unrecorded: u64,
    redriven: u64,
    complaints: Vec<(u64, Complaint)>,
}

/// Plays the histories of these seeds, on every core.
fn play_all(seeds: Range<u64>, faults: Faults, sabotage: Sabotage) -> Totals {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Totals::default());
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let history = play(seed, faults, sabotage);
                    let mut complaints = check(&history);
                    if faults.hours == 0 {
                        complaints.extend(check_order(&history));
                    }
                    let mut tally = tally.lock().unwrap();
                    tally.histories += 1;
                    tally.mails += history.mails.len() as u64;
                    tally.ambiguous += history.ambiguous.0;
                    tally.unrecorded += history.unrecorded;
                    tally.redriven += history.redriven;
                    tally.complaints.extend(complaints.into_iter().map(|complaint| (seed, complaint)));
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// Returns the seeds of the histories to play: `RESTOCK_HISTORIES=1000` are the first thousand, `100000..150000` those
/// of a range.
fn wanted_seeds() -> Range<u64> {
    let Ok(wanted) = std::env::var("RESTOCK_HISTORIES") else { return 0..100_000 };
    let (first, end) = wanted.split_once("..").unwrap_or(("0", &wanted));
    let number = |text: &str| text.parse().expect("RESTOCK_HISTORIES is a number, or two with `..` between them");
    number(first)..number(end)
}

fn assert_that_nothing_is_wrong(seeds: Range<u64>) {
    let tally = play_all(seeds, FAULTS, Sabotage::Nothing);

    println!("{} histories, {} mails, {} ambiguous", tally.histories, tally.mails, tally.ambiguous);
    let first = &tally.complaints[..tally.complaints.len().min(20)];
    assert!(first.is_empty(), "{} complaints, by seed: {first:?}", tally.complaints.len());
    // Nothing would be wrong either if nothing happened.
    assert!(tally.mails > tally.histories && tally.ambiguous > tally.histories / 20);
    // What can be done is done by retrying, not by an operator.
    assert!(tally.redriven <= tally.histories.div_ceil(1_000), "{} messages were given up", tally.redriven);
}

#[test]
fn a_hundred_thousand_simulated_histories_lose_nobody_and_mail_nobody_twice() {
    assert_that_nothing_is_wrong(wanted_seeds());
}

#[test]
fn a_seed_replays() {
    let wanted: Option<u64> = std::env::var("RESTOCK_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = wanted.map_or(0..50, |seed| seed..seed + 1);
    let seen = |history: &history::History| {
        let mails = history.mails.iter().map(|mail| (mail.at, mail.subscription));
        (format!("{:?}", history.calls), mails.collect::<Vec<_>>())
    };

    for seed in seeds {
        let (once, again) = (play(seed, FAULTS, Sabotage::Nothing), play(seed, FAULTS, Sabotage::Nothing));

        println!("seed {seed}:\n{}{:?}", once.story(), check(&once));
        assert_eq!(seen(&once), seen(&again));
    }
}

/// Nothing goes wrong.
const CALM: Faults = Faults {
    refused: 0,
    lost_before: 0,
    lost_after: 0,
    twice: 0,
    killed: 0,
    slow: 0,
    latency: 0,
    partial: 0,
    duplicate: 0,
    delay: 0,
    hours: 0,
    key_units: [0; 2],
    senders: 2,
    send_rate: [0; 2],
    day_quota: 0,
    calls_per_second: 0,
    ses: false,
    events: true,
    sweeps: false,
};

#[test]
fn a_bounce_stays_with_the_address_that_a_contact_leaves_while_ses_tells_of_it() {
    let slow = Faults { twice: 100, latency: 30, ..CALM };
    let wrong = (0..1_000).flat_map(|seed| {
        let history = play_workload(seed, Workload::of_a_move(seed), slow, Sabotage::Nothing);
        check(&history).into_iter().map(move |complaint| (seed, complaint))
    });

    assert_eq!(wrong.collect::<Vec<_>>(), []);
}

/// Breaks something on purpose, and returns true if a history has such a complaint.
fn is_noticed(faults: Faults, sabotage: Sabotage, is_meant: impl Fn(&Complaint) -> bool) -> bool {
    let parts = (0..400).map(|part| part * 50..(part + 1) * 50);
    let complaints = parts.flat_map(|seeds| play_all(seeds, faults, sabotage).complaints);
    complaints.into_iter().any(|(_, complaint)| is_meant(&complaint))
}

#[test]
fn the_check_notices_claims_that_always_succeed() {
    assert!(is_noticed(FAULTS, Sabotage::ClaimsAlwaysSucceed, |complaint| matches!(complaint, Complaint::Doubled(_))));
}

#[test]
fn the_check_notices_a_lease_that_ends_too_early_and_no_grace_time() {
    assert!(is_noticed(FAULTS, Sabotage::NoLease, |complaint| matches!(complaint, Complaint::Doubled(_))));
}

#[test]
fn the_check_notices_a_subscription_that_is_used_up_before_the_mail() {
    assert!(is_noticed(FAULTS, Sabotage::UsedUpBeforeTheMail, |complaint| matches!(complaint, Complaint::Lost(_))));
}

#[test]
fn the_check_notices_a_subscription_that_is_answered_before_it_is_written() {
    assert!(is_noticed(NO_SWEEP, Sabotage::AnsweredBeforeWritten, |complaint| matches!(
        complaint,
        Complaint::Lost(_) | Complaint::Late(_)
    )));
}

#[test]
fn the_check_notices_a_second_look_that_does_not_wait_for_the_index() {
    assert!(is_noticed(NO_SWEEP, Sabotage::NoSecondLook, |complaint| matches!(complaint, Complaint::Late(_))));
}

#[test]
fn nobody_needs_the_sweep_while_no_index_lags_for_hours() {
    assert_eq!(play_all(0..2_000, NO_SWEEP, Sabotage::Nothing).complaints, []);
}

#[test]
fn the_check_notices_that_nothing_sweeps_although_an_index_lags_for_hours() {
    assert!(is_noticed(Faults { sweeps: false, ..FAULTS }, Sabotage::Nothing, |complaint| matches!(
        complaint,
        Complaint::Lost(_) | Complaint::Late(_)
    )));
}

#[test]
fn the_check_notices_that_somebody_is_passed_over() {
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Overtaken(_));
    assert!(is_noticed(NO_SWEEP, Sabotage::OldestHidden, is_meant));
}

#[test]
fn the_check_notices_several_mails_to_one_contact_for_one_level() {
    assert!(is_noticed(FAULTS, Sabotage::NoTurns, |complaint| matches!(complaint, Complaint::Repeated(_))));
}

#[test]
fn the_check_notices_contacts_that_are_refused_for_what_they_were_a_moment_ago() {
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Lost(_) | Complaint::Late(_));
    assert!(is_noticed(NO_SWEEP, Sabotage::OldContacts, is_meant));
}

#[test]
fn the_check_notices_levels_that_are_others_if_they_are_sent_twice() {
    // Whoever asks again between the mail and the second message is mailed by no level.
    let workload = || {
        let asks = (0..20).map(|_| Step::subscribe(Duration::from_millis(300), 0, None)).collect();
        let callers = vec![asks, vec![Step::level(Duration::from_secs(3), 5)]];
        Workload { mailboxes: vec![Kind::Plain], generations: 2, skus: 1, callers }
    };
    let late = Faults { twice: 60, delay: 500, ..CALM };
    let complaints = |seed, sabotage| check(&play_workload(seed, workload(), late, sabotage));
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Uncaused { .. });

    assert!((0..2_000).any(|seed| complaints(seed, Sabotage::NamedByMessage).iter().any(is_meant)));
    assert!((0..300).all(|seed| complaints(seed, Sabotage::Nothing).is_empty()));
}

#[test]
fn the_check_notices_a_subscription_that_starts_again_after_its_mail() {
    assert!(is_noticed(FAULTS, Sabotage::AlwaysRenewed, |complaint| matches!(complaint, Complaint::Doubled(_))));
}

#[test]
fn the_check_notices_that_asking_for_mail_again_is_not_stored() {
    assert!(is_noticed(FAULTS, Sabotage::NoLifts, |complaint| matches!(complaint, Complaint::Lost(_))));
}

#[test]
fn the_check_notices_that_nobody_remembers_a_suppressed_address() {
    let is_meant = |complaint: &Complaint| {
        ["the contact unsubscribed or was erased", "the address is suppressed"].contains(&complaint.why())
    };
    assert!(is_noticed(FAULTS, Sabotage::NoTraces, is_meant));
}

#[test]
fn the_check_notices_that_nobody_tells_of_a_mail_that_could_not_be_recorded() {
    // SES tells all at once and nothing later, and nobody dies.
    let only_tables = Faults { events: false, ses: false, killed: 0, slow: 0, ..FAULTS };
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Doubled(_));
    assert_eq!(play_all(0..1_100, only_tables, Sabotage::Nothing).complaints, []);
    assert!(is_noticed(only_tables, Sabotage::ForgottenAcceptances, is_meant));
}

#[test]
fn the_check_notices_demand_marks_that_are_removed_although_an_index_lags() {
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Lost(_) | Complaint::Late(_));
    assert!(is_noticed(NO_SWEEP, Sabotage::HastyMarks, is_meant));
}

#[test]
fn the_check_notices_pauses_and_holds_that_nobody_sees() {
    assert!(is_noticed(FAULTS, Sabotage::NoStops, |complaint| complaint.why() == "sending was paused"));
    assert!(is_noticed(FAULTS, Sabotage::NoStops, |complaint| complaint.why() == "the SKU was held"));
}

#[test]
fn the_check_notices_waves_that_break_their_law() {
    for (sabotage, why) in [
        (Sabotage::NoPlaces, "more left than the stock has places for"),
        (Sabotage::ShortIntervals, "more left than the stock has places for"),
        (Sabotage::MoreStock, "more left than the stock has places for"),
        (Sabotage::NoMinimum, "it left below the minimum"),
        (Sabotage::NoHoldDown, "it left before the stock had held for long enough"),
        (Sabotage::NoQuietHours, "it left in quiet hours"),
    ] {
        assert!(is_noticed(FAULTS, sabotage, |complaint| complaint.why() == why), "{sabotage:?}");
    }
}

#[test]
fn the_check_notices_ticks_that_never_come() {
    let is_meant = |complaint: &Complaint| matches!(complaint, Complaint::Late(_) | Complaint::Stuck);
    assert!(is_noticed(NO_SWEEP, Sabotage::NoTicks, is_meant));
}

#[test]
fn without_the_events_of_ses_nobody_is_lost_and_only_ambiguous_mails_are_sent_again() {
    let tally = play_all(0..1_000, Faults { events: false, ..FAULTS }, Sabotage::Nothing);

    let is_second = |complaint: &Complaint| {
        matches!(complaint, Complaint::Doubled(_) | Complaint::Repeated(_) | Complaint::Uncaused { .. })
    };
    let others = tally.complaints.iter().filter(|(_, complaint)| !is_second(complaint));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&(u64, Complaint)>::new());
    // At most three complaints about each, by delivery, by wish and by level; this is what the events are for.
    let doubled = tally.complaints.len() as u64;
    assert!(doubled > 0 && doubled <= 3 * tally.unrecorded, "{doubled} of {}", tally.unrecorded);
}

/// Returns how much goes wrong with each request of each function on the real binaries.
fn real_faults(seed: u64) -> Spec {
    Spec {
        seed,
        throttle: 0.03,
        error: 0.01,
        error_after: 0.005,
        timeout_before: 0.005,
        timeout_after: 0.005,
        lost: 0.01,
        slow: 0.03,
        slow_ms: 500,
        partial: 0.03,
        duplicate: 0.05,
        delay: 0.1,
        lag_ms: 1_500,
        ..Spec::default()
    }
}

#[test]
fn a_hundred_histories_on_the_real_binaries_lose_nobody_mail_nobody_twice_and_count_what_is_ambiguous() {
    let played = real::play(0..100, real_faults(1));

    println!("{} mails, {:?}, {:?}", played.mails, played.fates, played.ambiguous);
    assert_eq!(played.complaints, []);
    assert_eq!(played.ambiguous.0, played.ambiguous.1);
    assert!(played.mails > 100 && played.fates[&Fate::Lost] > 0 && played.fates[&Fate::TimeoutAfter] > 0);
}

#[test]
fn a_hundred_histories_in_which_functions_are_killed_at_any_point_lose_nobody_and_mail_nobody_twice() {
    let played = real::play(100..200, Spec { kill: 0.01, ..real_faults(2) });

    println!("{} mails, {:?}, {:?}", played.mails, played.fates, played.ambiguous);
    assert_eq!(played.complaints, []);
    // Who is killed meanwhile does not live to count.
    assert!(played.ambiguous.1 <= played.ambiguous.0);
    assert!(played.mails > 100 && played.fates[&Fate::KillBefore] > 0 && played.fates[&Fate::KillAfter] > 0);
}
