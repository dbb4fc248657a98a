use crate::{Arrival, StockLevel};
use sha2::{Digest, Sha256};

/// The events that a scope's levels had, the newest last; of each a digest, by which the same one again is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenEvents(Vec<SeenEvent>);

/// Digests of the event's id, of what it said, and of the message that it came in.
type SeenEvent = [[u8; 8]; 3];

/// What a level is to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// It has no event id, or a new one, or it is the same message that was delivered again.
    None,
    /// Its event was seen and said the same.
    Same,
    /// Its event was seen and said something else.
    Different,
}

impl SeenEvents {
    /// How many are remembered. They share an item with the level, which is read for each mail.
    pub const MAX: usize = 30;
    /// In bytes, of one.
    const LENGTH: usize = 24;

    /// Compares a level with those before.
    pub fn compare(&self, level: &StockLevel, arrival: &Arrival) -> Repetition {
        let Some([id, said, came_in]) = event(level, arrival) else { return Repetition::None };
        match self.0.iter().find(|[known, ..]| *known == id) {
            None => Repetition::None,
            Some([_, _, known]) if *known == came_in => Repetition::None,
            Some([_, known, _]) if *known == said => Repetition::Same,
            Some(_) => Repetition::Different,
        }
    }

    /// Returns these and the event of a level, if it has one.
    #[must_use]
    pub fn then(mut self, level: &StockLevel, arrival: &Arrival) -> Self {
        if let Some(new) = event(level, arrival).filter(|new| !self.0.contains(new)) {
            self.0.push(new);
            self.0.drain(..self.0.len().saturating_sub(Self::MAX));
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().flatten().copied().collect()
    }

    /// Reads what `to_bytes` wrote; what is left over is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (events, _) = bytes.as_chunks::<{ Self::LENGTH }>();
        let part = |event: &[u8; Self::LENGTH], n: usize| std::array::from_fn(|byte| event[n * 8 + byte]);
        Self(events.iter().map(|event| [part(event, 0), part(event, 1), part(event, 2)]).collect())
    }
}

fn event(level: &StockLevel, arrival: &Arrival) -> Option<SeenEvent> {
    let id = level.event_id.as_ref()?;
    let said = format!("{} {:?}", level.quantity, level.updated_on);
    Some([digest(id.as_str()), digest(&said), digest(&arrival.id)])
}

fn digest(text: &str) -> [u8; 8] {
    let digest = Sha256::digest(text);
    std::array::from_fn(|byte| digest[byte])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Scope, Sku, Source};
    use jiff::Timestamp;

    fn level(event: &str, quantity: i64) -> StockLevel {
        let event_id = Some(EventId::parse(event).unwrap());
        StockLevel { sku: Sku::parse("A").unwrap(), scope: Scope::Sku, quantity, updated_on: None, event_id }
    }

    fn arrival(id: &str) -> Arrival {
        Arrival { at: Timestamp::UNIX_EPOCH, id: id.to_owned(), source: Source::Http }
    }

    #[test]
    fn an_event_is_known_again_by_its_id_and_a_message_that_is_delivered_again_is_no_repetition() {
        let seen = SeenEvents::default().then(&level("e", 1), &arrival("m"));
        let seen = SeenEvents::from_bytes(&seen.to_bytes());

        assert_eq!(seen.compare(&level("e", 1), &arrival("m")), Repetition::None);
        assert_eq!(seen.compare(&level("e", 1), &arrival("n")), Repetition::Same);
        assert_eq!(seen.compare(&level("e", 2), &arrival("n")), Repetition::Different);
        assert_eq!(seen.compare(&level("f", 1), &arrival("n")), Repetition::None);
        assert_eq!(seen.compare(&StockLevel { event_id: None, ..level("e", 1) }, &arrival("n")), Repetition::None);
    }

    #[test]
    fn the_newest_thirty_events_are_remembered() {
        let all = (0..40).fold(SeenEvents::default(), |seen, n| seen.then(&level(&n.to_string(), 1), &arrival("m")));

        assert_eq!(all.to_bytes().len(), SeenEvents::MAX * 24);
        assert_eq!(all.compare(&level("9", 1), &arrival("n")), Repetition::None);
        assert_eq!(all.compare(&level("10", 1), &arrival("n")), Repetition::Same);
    }
}
