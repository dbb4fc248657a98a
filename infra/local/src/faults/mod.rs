//! Faults between the functions and the emulators, by seed. `cargo local --faults SPEC` and the tests use it.
//!
//! A decision depends on the seed, on what is asked, and on how many times that was asked before, so a run with the
//! same seed meets the same faults as far as it asks for the same things.

pub mod limits;
mod partial;
pub mod permissions;
pub mod proxy;
mod request;

use crate::Error;
use limits::KeyUnits;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How likely each fault is, from 0 to 1, for a request of a function; 0 by default.
///
/// As text: `seed=7,throttle=0.05,lost=0.01`. Times are in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Spec {
    pub seed: u64,
    /// Refused as too many requests.
    pub throttle: f64,
    /// Answered with a 5xx; nothing was done.
    pub error: f64,
    /// Answered with a 5xx; it was done.
    pub error_after: f64,
    /// No answer until the client gives up; nothing was done.
    pub timeout_before: f64,
    /// No answer until the client gives up; it was done.
    pub timeout_after: f64,
    /// The connection breaks instead of an answer; it was done.
    pub lost: f64,
    /// Answered late, by up to `slow_ms`.
    pub slow: f64,
    pub slow_ms: u64,
    /// For each part of a batch, to be left undone.
    pub partial: f64,
    /// For a message, to come twice.
    pub duplicate: f64,
    /// For a message, to come late by up to `delay_ms`, and so after those that were sent later.
    pub delay: f64,
    pub delay_ms: u64,
    /// How long an index may not show what was written.
    pub lag_ms: u64,
    /// The function is killed (SIGKILL), half of the times before the request is carried out and half after.
    pub kill: f64,
    /// The most kills.
    pub kills: u64,
    /// Only requests of this function.
    pub function: Option<String>,
    /// Only requests about this table, by its logical id in the template.
    pub table: Option<String>,
    /// True if SES's events are lost.
    pub events_lost: bool,
    /// What one key of a table or index bears in a second; by default as DynamoDB's do.
    pub key_units: KeyUnits,
    /// Recipients a second that SES takes from the account; 1,000 by default.
    pub send_rate: Option<u64>,
    /// Recipients in 24 hours that SES takes from the account; any number by default.
    pub day_quota: Option<u64>,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            seed: 0,
            throttle: 0.0,
            error: 0.0,
            error_after: 0.0,
            timeout_before: 0.0,
            timeout_after: 0.0,
            lost: 0.0,
            slow: 0.0,
            slow_ms: 1_000,
            partial: 0.0,
            duplicate: 0.0,
            delay: 0.0,
            delay_ms: 2_000,
            lag_ms: 0,
            kill: 0.0,
            kills: u64::MAX,
            function: None,
            table: None,
            events_lost: false,
            key_units: KeyUnits::default(),
            send_rate: None,
            day_quota: None,
        }
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut spec = Self::default();
        let mut names = BTreeSet::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("{part} is not of the form name=value"))?;
            if !names.insert(name) {
                return Err(format!("{name} is given twice").into());
            }
            let number = || value.parse::<u64>().map_err(|_| format!("{name} needs a whole number, not {value}"));
            let chance = || {
                let chance = value.parse::<f64>().ok().filter(|chance| (0.0..=1.0).contains(chance));
                chance.ok_or_else(|| format!("{name} needs a number from 0 to 1, not {value}"))
            };
            match name {
                "seed" => spec.seed = number()?,
                "throttle" => spec.throttle = chance()?,
                "error" => spec.error = chance()?,
                "error-after" => spec.error_after = chance()?,
                "timeout-before" => spec.timeout_before = chance()?,
                "timeout-after" => spec.timeout_after = chance()?,
                "lost" => spec.lost = chance()?,
                "slow" => spec.slow = chance()?,
                "slow-ms" => spec.slow_ms = number()?,
                "partial" => spec.partial = chance()?,
                "duplicate" => spec.duplicate = chance()?,
                "delay" => spec.delay = chance()?,
                "delay-ms" => spec.delay_ms = number()?,
                "lag-ms" => spec.lag_ms = number()?,
                "kill" => spec.kill = chance()?,
                "kills" => spec.kills = number()?,
                "key-writes" => spec.key_units.writes = number()? as f64,
                "key-reads" => spec.key_units.reads = number()? as f64,
                "send-rate" => spec.send_rate = Some(number()?),
                "day-quota" => spec.day_quota = Some(number()?),
                "function" => spec.function = Some(value.to_owned()),
                "table" => spec.table = Some(value.to_owned()),
                "events-lost" => {
                    spec.events_lost = value.parse().map_err(|_| format!("{name} is true or false, not {value}"))?;
                }
                _ => return Err(format!("there is no fault {name}; cargo local --help lists them").into()),
            }
        }
        if names.is_empty() {
            return Err("name at least one fault, such as throttle=0.05".into());
        }
        let sum = spec.chances().iter().map(|(chance, _)| chance).sum::<f64>();
        if sum > 1.0 {
            return Err(format!("what can become of one request adds up to {sum}, which is more than 1").into());
        }
        Ok(spec)
    }
}

impl Spec {
    /// Returns what can become of one request; the rest of the time it is carried out.
    fn chances(&self) -> [(f64, Fate); 8] {
        [
            (self.throttle, Fate::Throttle),
            (self.error, Fate::Error),
            (self.error_after, Fate::ErrorAfter),
            (self.timeout_before, Fate::TimeoutBefore),
            (self.timeout_after, Fate::TimeoutAfter),
            (self.lost, Fate::Lost),
            (self.kill / 2.0, Fate::KillBefore),
            (self.kill / 2.0, Fate::KillAfter),
        ]
    }
}

/// The fate of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fate {
    Fine,
    Throttle,
    Error,
    ErrorAfter,
    TimeoutBefore,
    TimeoutAfter,
    Lost,
    KillBefore,
    KillAfter,
}

impl Fate {
    /// Returns true if its sender lives and can't tell whether the request was carried out.
    pub fn is_ambiguous(self) -> bool {
        matches!(self, Self::Error | Self::ErrorAfter | Self::TimeoutBefore | Self::TimeoutAfter | Self::Lost)
    }
}

/// Decides about one request after the other, and counts.
pub struct Faults {
    pub spec: Spec,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asked: BTreeMap<String, u64>,
    injected: BTreeMap<(String, Fate), u64>,
    kills: u64,
    ambiguous: u64,
    paused: bool,
}

/// The random numbers of one request.
pub struct Draw(fastrand::Rng);

impl Draw {
    /// Returns true with probability `chance`.
    pub fn strikes(&mut self, chance: f64) -> bool {
        self.0.f64() < chance
    }

    pub fn up_to(&mut self, milliseconds: u64) -> Duration {
        Duration::from_millis(self.0.u64(0..=milliseconds))
    }
}

impl Faults {
    pub fn new(spec: Spec) -> Self {
        Self { spec, state: Mutex::default() }
    }

    /// Stops all faults until they are resumed.
    pub fn pause(&self, paused: bool) {
        self.lock().paused = paused;
    }

    /// Returns how often each fate befell each operation.
    pub fn injected(&self) -> BTreeMap<(String, Fate), u64> {
        self.lock().injected.clone()
    }

    /// Returns the random numbers of the next request for an operation by a function; none if nothing is to go wrong
    /// with it.
    pub fn draw(&self, function: &str, operation: &str) -> Option<Draw> {
        let concerned = self.spec.function.as_ref().is_none_or(|only| only == function);
        let mut state = self.lock();
        if !concerned || state.paused {
            return None;
        }
        let asked = state.asked.entry(format!("{function} {operation}")).or_default();
        *asked += 1;
        // FNV-1a, which is the same in every version of Rust.
        let bytes = function.bytes().chain(operation.bytes()).chain(asked.to_le_bytes());
        let hash = bytes
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Some(Draw(fastrand::Rng::with_seed(hash ^ self.spec.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))))
    }

    pub fn fate(&self, draw: &mut Draw, operation: &str) -> Fate {
        let mut roll = draw.0.f64();
        let struck = self.spec.chances().into_iter().find(|(chance, _)| {
            roll -= chance;
            roll < 0.0
        });
        let mut fate = struck.map_or(Fate::Fine, |(_, fate)| fate);
        let mut state = self.lock();
        if matches!(fate, Fate::KillBefore | Fate::KillAfter) {
            if state.kills >= self.spec.kills {
                fate = Fate::Fine;
            } else {
                state.kills += 1;
            }
        }
        if fate != Fate::Fine {
            *state.injected.entry((operation.to_owned(), fate)).or_default() += 1;
        }
        fate
    }

    /// Counts mails whose sender lives and can't tell whether SES accepted them.
    pub fn count_ambiguous(&self, mails: u64) {
        self.lock().ambiguous += mails;
    }

    /// Returns how many such mails there were.
    pub fn ambiguous(&self) -> u64 {
        self.lock().ambiguous
    }

    /// Says of a kill that it did not come to it.
    pub fn take_back(&self, operation: &str, fate: Fate) {
        let mut state = self.lock();
        state.kills -= 1;
        if let Some(count) = state.injected.get_mut(&(operation.to_owned(), fate)) {
            *count -= 1;
        }
    }

    /// Returns true if a message that was handled is not taken off its queue, so that it comes again.
    pub fn forgets_to_delete(&self, function: &str) -> bool {
        self.draw(function, "delete").is_some_and(|mut draw| draw.strikes(self.spec.duplicate))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_is_read_and_what_is_wrong_with_it_is_said() {
        let spec: Spec =
            "seed=7, throttle=0.5,kills=3,function=send-email,table=LogTable,events-lost=true".parse().unwrap();

        let expected = Spec {
            seed: 7,
            throttle: 0.5,
            kills: 3,
            function: Some("send-email".into()),
            table: Some("LogTable".into()),
            events_lost: true,
            ..Spec::default()
        };
        assert_eq!(spec, expected);
        let wrong = [
            "",
            "throttle",
            "throttle=2",
            "kills=many",
            "typo=1",
            "events-lost=1",
            "seed=1,seed=2",
            "throttle=0.6,lost=0.6",
        ];
        for wrong in wrong {
            assert!(wrong.parse::<Spec>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_same_seed_decides_the_same_and_another_one_does_not() {
        let fates = |seed| {
            let faults = Faults::new(Spec { seed, throttle: 0.3, lost: 0.3, ..Spec::default() });
            let fate = |_| faults.fate(&mut faults.draw("f", "Query").unwrap(), "Query");
            (0..100).map(fate).collect::<Vec<_>>()
        };

        assert_eq!(fates(1), fates(1));
        assert_ne!(fates(1), fates(2));
    }

    #[test]
    fn no_more_are_killed_than_asked_for() {
        let faults = Faults::new(Spec { kill: 1.0, kills: 5, ..Spec::default() });

        for _ in 0..20 {
            faults.fate(&mut faults.draw("f", "Query").unwrap(), "Query");
        }

        assert_eq!(faults.injected().values().sum::<u64>(), 5);
    }
}
