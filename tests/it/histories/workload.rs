//! Random workloads: who is there, and what each caller does when.

use super::history::{Asked, EXTERNAL_IDS, Kind, LOCALES, Level, WITH_FEED, Wish};
use fastrand::Rng;
use std::time::Duration;

pub struct Workload {
    /// Of each address.
    pub mailboxes: Vec<Kind>,
    pub skus: usize,
    /// What each caller does, one thing after the other, each after a pause.
    pub callers: Vec<Vec<Step>>,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub pause: Duration,
    pub asked: Asked,
    /// How often the caller asks again if there is no telling whether it was done.
    pub retries: u32,
}

impl Workload {
    /// Makes the workload of a seed. `longest_pause` bounds the time between two things that one caller does.
    pub fn random(seed: u64, longest_pause: Duration) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let mailboxes: Vec<Kind> = (0..random.usize(1..5)).map(|_| kind(random)).collect();
        let skus = random.usize(1..3);
        let callers = (0..random.usize(1..4))
            .map(|_| (0..random.usize(2..8)).map(|_| step(random, mailboxes.len(), skus, longest_pause)).collect())
            .collect();
        Self { mailboxes, skus, callers }
    }
}

impl Workload {
    /// Returns a workload of so many who subscribe to one SKU, which then comes back.
    pub fn of_many(subscribers: usize) -> Self {
        let step = |pause, asked| vec![Step { pause: Duration::from_secs(pause), asked, retries: 9 }];
        let wish = |contact| Wish { contact, sku: 0, locale: 0, external_id: None };
        let level = Level { sku: 0, locale: None, external_id: None, quantity: 1, age: None };
        let subscribe = (0..subscribers).map(|contact| step(0, Asked::Subscribe(wish(contact))));
        let callers = subscribe.chain([step(600, Asked::Level(level))]).collect();
        Self { mailboxes: vec![Kind::Plain; subscribers], skus: 1, callers }
    }

    /// Returns the same with a pause of all sending, some time after the level and for a while.
    pub fn of_many_with_a_pause(subscribers: usize, after_level: Duration, lasts: Duration) -> Self {
        let mut workload = Self::of_many(subscribers);
        let step = |pause, on| Step { pause, asked: Asked::Pause { on }, retries: 9 };
        workload.callers.push(vec![step(Duration::from_secs(600) + after_level, true), step(lasts, false)]);
        workload
    }

    /// Returns the same as `of_many` with five more who wait for another SKU, which comes back when the senders have been busy for as
    /// long as SQS needs to notice it.
    pub fn of_many_and_five_others(subscribers: usize) -> Self {
        let mut workload = Self::of_many(subscribers);
        let step = |pause, asked| vec![Step { pause: Duration::from_secs(pause), asked, retries: 9 }];
        let wish = |contact| Wish { contact, sku: 1, locale: 0, external_id: None };
        let level = Level { sku: 1, locale: None, external_id: None, quantity: 1, age: None };
        workload.callers.extend((subscribers..subscribers + 5).map(|contact| step(0, Asked::Subscribe(wish(contact)))));
        workload.callers.push(step(640, Asked::Level(level)));
        workload.mailboxes.extend([Kind::Plain; 5]);
        workload.skus = 2;
        workload
    }
}

fn kind(random: &mut Rng) -> Kind {
    match random.u8(0..20) {
        0 => Kind::Bounces,
        1 => Kind::Complains,
        2 => Kind::Unwilling,
        3 => Kind::Refused,
        _ => Kind::Plain,
    }
}

fn step(random: &mut Rng, addresses: usize, skus: usize, longest_pause: Duration) -> Step {
    // Much happens at about the same time, where the races are.
    let pause = match random.u8(0..3) {
        0 => Duration::ZERO,
        1 => Duration::from_millis(random.u64(0..200)),
        _ => longest_pause.mul_f64(random.f64()),
    };
    let asked = match random.u8(0..100) {
        0..40 => Asked::Subscribe(wish(random, addresses, skus)),
        40..80 => Asked::Level(level(random, skus)),
        80..87 => Asked::Delete(wish(random, addresses, skus)),
        87..90 => Asked::Unsubscribe(wish(random, addresses, skus)),
        90..92 => Asked::UnsubscribeFromAll(contact(random, addresses)),
        92 => Asked::Erase(contact(random, addresses)),
        93 => Asked::Create(addresses + random.usize(0..addresses)),
        94 => match random.u8(0..4) {
            0 => Asked::Rename(contact(random, addresses)),
            1 => Asked::Import(random.usize(0..addresses)),
            _ => Asked::Lift(contact(random, addresses)),
        },
        95..97 => Asked::Automation { enabled: random.bool() },
        97 if random.bool() => Asked::Pause { on: random.bool() },
        97 => Asked::Hold { sku: random.usize(0..skus), on: random.bool() },
        98 => {
            let skus = (0..skus).filter(|_| random.bool()).collect();
            Asked::Feed { locale: random.usize(0..WITH_FEED), skus }
        }
        _ => Asked::Malformed,
    };
    Step { pause, asked, retries: random.u32(0..3) }
}

/// Returns a contact: mostly the first of an address.
fn contact(random: &mut Rng, addresses: usize) -> usize {
    let first = random.usize(0..addresses);
    if random.u8(0..8) == 0 { addresses + first } else { first }
}

fn wish(random: &mut Rng, addresses: usize, skus: usize) -> Wish {
    // Few wishes, so that callers meet.
    let locale = if random.u8(0..12) == 0 { LOCALES.len() - 1 } else { random.usize(0..WITH_FEED) };
    let external_id = (random.u8(0..3) == 0).then(|| random.usize(0..EXTERNAL_IDS.len()));
    Wish { contact: contact(random, addresses), sku: random.usize(0..skus), locale, external_id }
}

fn level(random: &mut Rng, skus: usize) -> Level {
    Level {
        sku: random.usize(0..skus),
        locale: (random.u8(0..4) == 0).then(|| random.usize(0..WITH_FEED)),
        external_id: (random.u8(0..6) == 0).then(|| random.usize(0..EXTERNAL_IDS.len())),
        quantity: if random.u8(0..5) == 0 { 0 } else { random.i64(1..9) },
        age: (random.u8(0..6) == 0).then(|| Duration::from_millis(random.u64(0..60_000))),
    }
}
