//! Random workloads: who is there, and what each caller does when.

use super::history::{Asked, EXTERNAL_IDS, Kind, LOCALES, Level, WITH_FEED, WaveSpec, Wish};
use fastrand::Rng;
use std::time::Duration;

pub struct Workload {
    /// Of each address.
    pub mailboxes: Vec<Kind>,
    /// Contacts that may have an address, one after the other.
    pub generations: usize,
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

impl Step {
    /// Returns that a contact subscribes to the only SKU.
    pub fn subscribe(pause: Duration, contact: usize, external_id: Option<usize>) -> Self {
        Self { pause, asked: Asked::Subscribe(Wish { contact, sku: 0, locale: 0, external_id }), retries: 9 }
    }

    /// Returns that the only SKU has so many in stock.
    pub fn level(pause: Duration, quantity: i64) -> Self {
        let level = Level { sku: 0, locale: None, external_id: None, quantity, age: None };
        Self { pause, asked: Asked::Level(level), retries: 9 }
    }
}

/// Contacts that may have an address, where contacts change.
const GENERATIONS: usize = 4;

impl Workload {
    /// Makes the workload of a seed, without waves. In every fourth, contacts change more than stock does; the
    /// simulation plays the odd ones with waves, so that is half of the others.
    pub fn of_seed(seed: u64, longest_pause: Duration) -> Self {
        let with_contacts = seed % 4 == 2;
        if with_contacts { Self::random_with_contacts(seed, longest_pause) } else { Self::random(seed, longest_pause) }
    }

    /// Makes the workload of a seed. `longest_pause` bounds the time between two things that one caller does.
    pub fn random(seed: u64, longest_pause: Duration) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let mailboxes: Vec<Kind> = (0..random.usize(1..5)).map(|_| kind(random)).collect();
        let skus = random.usize(1..3);
        let callers = (0..random.usize(1..4))
            .map(|_| (0..random.usize(2..8)).map(|_| step(random, mailboxes.len(), skus, longest_pause)).collect())
            .collect();
        Self { mailboxes, generations: 2, skus, callers }
    }

    /// Makes the workload of a seed in which one or two addresses change hands: contacts unsubscribe, ask for mail
    /// again, are erased, made anew, imported and moved.
    fn random_with_contacts(seed: u64, longest_pause: Duration) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let mailboxes: Vec<Kind> = (0..random.usize(1..3)).map(|_| kind_of_address(random)).collect();
        let mut made = vec![1; mailboxes.len()];
        let callers = (0..random.usize(1..4))
            .map(|_| {
                let steps = 0..random.usize(4..14);
                steps.map(|_| step_with_contacts(random, &mut made, longest_pause)).collect()
            })
            .collect();
        Self { mailboxes, generations: GENERATIONS, skus: 1, callers }
    }
}

impl Workload {
    /// Makes the workload of a seed in which mails mostly leave in waves: more people wait for less, and for longer.
    pub fn random_with_waves(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let random = &mut random;
        let mailboxes: Vec<Kind> = (0..random.usize(2..9)).map(|_| kind(random)).collect();
        let skus = random.usize(1..3);
        let first = Step { pause: Duration::ZERO, asked: Asked::Waves(Some(wave(random))), retries: 5 };
        let longest_pause = Duration::from_secs(random.u64(60..2_400));
        let mut callers: Vec<Vec<Step>> = (0..random.usize(2..5))
            .map(|_| {
                let steps = 0..random.usize(3..12);
                steps.map(|_| step_with_waves(random, mailboxes.len(), skus, longest_pause)).collect()
            })
            .collect();
        callers[0].insert(0, first);
        if random.u8(0..3) == 0 {
            callers.push((0..random.usize(1..4)).map(|_| club(random, longest_pause)).collect());
        }
        Self { mailboxes, generations: 2, skus, callers }
    }

    /// Returns a workload of people who subscribe to one SKU one after the other, in all locales that have a feed, for
    /// which a policy is in force. Then levels come, each so many seconds after that.
    pub fn of_waves(subscribers: usize, policy: WaveSpec, levels: &[(u64, i64)]) -> Self {
        let step = |pause, asked| Step { pause: Duration::from_secs(pause), asked, retries: 9 };
        let wish = |contact| Wish { contact, sku: 0, locale: contact % WITH_FEED, external_id: None };
        let mut steps = vec![step(0, Asked::Waves(Some(policy)))];
        steps.extend((0..subscribers).map(|contact| step(1, Asked::Subscribe(wish(contact)))));
        // So that every function knows the policy, and an index everybody.
        let known = 120;
        let callers = levels.iter().map(|(after, quantity)| {
            let level = Level { sku: 0, locale: None, external_id: None, quantity: *quantity, age: None };
            vec![step(2 * subscribers as u64 + known + after, Asked::Level(level))]
        });
        let callers = [steps].into_iter().chain(callers).collect();
        Self { mailboxes: vec![Kind::Plain; subscribers], generations: 2, skus: 1, callers }
    }

    /// Returns a workload of a contact whose address does not exist, which is mailed, moves about when that is told,
    /// and waits for something again; then somebody else takes the address.
    pub fn of_a_move(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut pause = |longest: u64| Duration::from_millis(random.u64(0..longest));
        let step = |pause, asked| Step { pause, asked, retries: 9 };
        let wish = |contact| Wish { contact, sku: 0, locale: 0, external_id: None };
        let level = Level { sku: 0, locale: None, external_id: None, quantity: 1, age: None };
        let steps = vec![
            step(Duration::ZERO, Asked::Subscribe(wish(0))),
            step(Duration::from_secs(60), Asked::Level(level)),
            step(pause(6_000), Asked::Move(0)),
            step(pause(60_000), Asked::Subscribe(wish(0))),
            step(pause(1_000), Asked::Create(1)),
            step(pause(1_000), Asked::Subscribe(wish(1))),
        ];
        Self { mailboxes: vec![Kind::Bounces], generations: 2, skus: 1, callers: vec![steps] }
    }

    /// Returns a workload of so many who subscribe to one SKU within so long, each once. Then it comes back.
    pub fn of_storm(subscribers: usize, lasts: Duration) -> Self {
        let mut storm = Self::of_many(subscribers);
        for (place, steps) in storm.callers[..subscribers].iter_mut().enumerate() {
            steps[0] = Step { pause: lasts * place as u32 / subscribers as u32, retries: 0, ..steps[0].clone() };
        }
        storm
    }

    /// Returns a workload of so many who subscribe to one SKU, which then comes back.
    pub fn of_many(subscribers: usize) -> Self {
        let step = |pause, asked| vec![Step { pause: Duration::from_secs(pause), asked, retries: 9 }];
        let wish = |contact| Wish { contact, sku: 0, locale: 0, external_id: None };
        let level = Level { sku: 0, locale: None, external_id: None, quantity: 1, age: None };
        let subscribe = (0..subscribers).map(|contact| step(0, Asked::Subscribe(wish(contact))));
        let callers = subscribe.chain([step(600, Asked::Level(level))]).collect();
        Self { mailboxes: vec![Kind::Plain; subscribers], generations: 2, skus: 1, callers }
    }

    /// Returns the same with a pause of all sending, some time after the level and for a while.
    pub fn of_many_with_a_pause(subscribers: usize, after_level: Duration, lasts: Duration) -> Self {
        let mut workload = Self::of_many(subscribers);
        let step = |pause, on| Step { pause, asked: Asked::Pause { on }, retries: 9 };
        workload.callers.push(vec![step(Duration::from_secs(600) + after_level, true), step(lasts, false)]);
        workload
    }

    /// Returns the same as `of_many` with five more who wait for another SKU, which comes back when the senders have
    /// been busy for as long as SQS needs to notice it.
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

/// Returns how an address behaves, of which SES tells more often than of those of `kind`.
fn kind_of_address(random: &mut Rng) -> Kind {
    match random.u8(0..10) {
        0..3 => Kind::Bounces,
        3 => Kind::Complains,
        _ => Kind::Plain,
    }
}

/// Returns how long a caller waits before a step. Much happens at about the same time, where the races are.
fn pause(random: &mut Rng, longest: Duration) -> Duration {
    match random.u8(0..3) {
        0 => Duration::ZERO,
        1 => Duration::from_millis(random.u64(0..200)),
        _ => longest.mul_f64(random.f64()),
    }
}

/// Returns a step of contacts that come and go. `made` is how many contacts each address has had or will have.
fn step_with_contacts(random: &mut Rng, made: &mut [usize], longest_pause: Duration) -> Step {
    let pause = pause(random, longest_pause);
    let addresses = made.len();
    let first = random.usize(0..addresses);
    let contact = first + addresses * random.usize(0..made[first]);
    let next = made[first];
    let asked = match random.u8(0..100) {
        0..30 => Asked::Subscribe(Wish { contact, ..wish(random, addresses, 1) }),
        30..55 => Asked::Level(Level { quantity: random.i64(1..9), age: None, ..level(random, 1) }),
        55..64 => Asked::UnsubscribeFromAll(contact),
        64..73 => Asked::Lift(contact),
        73..79 => Asked::Erase(contact),
        79..88 if next < GENERATIONS => {
            made[first] += 1;
            Asked::Create(first + addresses * next)
        }
        79..88 => Asked::Erase(contact),
        88..94 => Asked::Move(contact),
        94..96 => Asked::Rename(contact),
        96..98 => Asked::Import(first),
        _ => Asked::Unsubscribe(Wish { contact, ..wish(random, addresses, 1) }),
    };
    Step { pause, asked, retries: random.u32(0..4) }
}

fn step(random: &mut Rng, addresses: usize, skus: usize, longest_pause: Duration) -> Step {
    let pause = pause(random, longest_pause);
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

/// Makes a step as `step` does, with few units in stock, and policies for waves that change.
fn step_with_waves(random: &mut Rng, addresses: usize, skus: usize, longest_pause: Duration) -> Step {
    let mut step = step(random, addresses, skus, longest_pause);
    match &mut step.asked {
        // Levels of one kind are what the documentation advises.
        Asked::Level(level) => {
            level.quantity = if random.u8(0..5) == 0 { 0 } else { random.i64(1..4) };
            if random.u8(0..4) > 0 {
                (level.locale, level.external_id) = (None, None);
            }
            if random.u8(0..4) > 0 {
                level.age = None;
            }
        }
        Asked::Malformed | Asked::Feed { .. } | Asked::Automation { .. } if random.bool() => {
            step.asked = Asked::Waves((random.u8(0..8) > 0).then(|| wave(random)));
        }
        Asked::Malformed => step.asked = Asked::Waves(Some(wave(random))),
        _ => {}
    }
    step
}

fn club(random: &mut Rng, longest_pause: Duration) -> Step {
    let policy = (random.u8(0..4) > 0).then(|| wave(random));
    Step { pause: pause(random, longest_pause), asked: Asked::Club(policy), retries: 5 }
}

fn wave(random: &mut Rng) -> WaveSpec {
    let some = |random: &mut Rng, of: u8| random.u8(0..of) == 0;
    let from = random.u32(0..24);
    WaveSpec {
        per_unit: if some(random, 12) { None } else { random.choice([1, 5, 10, 10, 15, 30]) },
        interval: Duration::from_secs(random.u64(300..3_600)),
        minimum: if some(random, 3) { random.i64(1..4) } else { 1 },
        hold_down: Duration::from_secs(if some(random, 4) { random.u64(1..1_800) } else { 0 }),
        restock: some(random, 6),
        quiet: some(random, 6).then(|| (from, (from + random.u32(1..12)) % 24)),
        first: some(random, 4).then(|| Duration::from_secs(if random.bool() { random.u64(1..1_800) } else { 0 })),
    }
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
