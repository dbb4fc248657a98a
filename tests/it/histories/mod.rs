//! Histories: random workloads under random faults, and a check of what callers and mailboxes saw.
//!
//! Simulated ones run the functions' own handlers in one thread over tables, queues and a mail service in memory, with a
//! clock that jumps; a seed replays one of them to the letter:
//!
//! ```sh
//! RESTOCK_SEED=4711 cargo test -p restock-tests a_seed_replays
//! ```

mod checker;
mod database;
mod history;
mod queues;
mod ses;
mod simulated;
mod workload;
mod world;

use checker::{Complaint, check};
use simulated::play;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Faults, Sabotage};

/// Everything goes wrong now and then.
const FAULTS: Faults = Faults {
    refused: 15,
    lost_before: 10,
    lost_after: 10,
    twice: 10,
    killed: 4,
    slow: 8,
    partial: 20,
    duplicate: 40,
    delay: 100,
    events: true,
};

/// What came out of many histories.
#[derive(Debug, Default)]
struct Tally {
    histories: u64,
    mails: u64,
    ambiguous: u64,
    complaints: Vec<(u64, Complaint)>,
}

/// Plays the histories of these seeds, on every core.
fn play_all(seeds: Range<u64>, faults: Faults, sabotage: Sabotage) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let tally = Mutex::new(Tally::default());
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
                    let complaints = check(&history);
                    let mut tally = tally.lock().unwrap();
                    tally.histories += 1;
                    tally.mails += history.mails.len() as u64;
                    tally.ambiguous += history.ambiguous.0;
                    tally.complaints.extend(complaints.into_iter().map(|complaint| (seed, complaint)));
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

#[test]
fn a_hundred_thousand_simulated_histories_lose_nobody_and_mail_nobody_twice() {
    let count = std::env::var("RESTOCK_HISTORIES").ok().and_then(|count| count.parse().ok()).unwrap_or(100_000);

    let tally = play_all(0..count, FAULTS, Sabotage::Nothing);

    println!("{} histories, {} mails, {} ambiguous", tally.histories, tally.mails, tally.ambiguous);
    assert!(tally.complaints.is_empty(), "{} complaints, such as {:?}", tally.complaints.len(), &tally.complaints[..tally.complaints.len().min(20)]);
    assert!(tally.mails > tally.histories && tally.ambiguous > 0);
}

#[test]
fn a_seed_replays() {
    let seed = std::env::var("RESTOCK_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);

    let (once, again) = (play(seed, FAULTS, Sabotage::Nothing), play(seed, FAULTS, Sabotage::Nothing));

    println!("{}{:?}", once.story(), check(&once));
    let seen = |history: &history::History| {
        let mails = history.mails.iter().map(|mail| (mail.at, mail.subscription));
        (format!("{:?}", history.calls), mails.collect::<Vec<_>>())
    };
    assert_eq!(seen(&once), seen(&again));
}
