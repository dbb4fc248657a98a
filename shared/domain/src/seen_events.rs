use crate::StockLevel;
use sha2::{Digest, Sha256};

/// The events of a scope's levels that were handled, the newest last; of each a digest, by which the same one again is
/// known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SeenEvents(Vec<SeenEvent>);

/// Digests of the event's id, and of what it said.
type SeenEvent = [[u8; 8]; 2];

/// What a level is to the ones before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// It has no event id, or a new one.
    None,
    /// Its event was handled and said the same.
    Same,
    /// Its event was handled and said something else.
    Different,
}

impl SeenEvents {
    /// How many are remembered. They share an item with the level, which is read for each mail.
    pub const MAX: usize = 30;
    /// In bytes, of one.
    const LENGTH: usize = 16;

    /// Compares a level with those before.
    pub fn compare(&self, level: &StockLevel) -> Repetition {
        let Some([id, said]) = event(level) else { return Repetition::None };
        match self.0.iter().find(|[known, _]| *known == id) {
            None => Repetition::None,
            Some([_, known]) if *known == said => Repetition::Same,
            Some(_) => Repetition::Different,
        }
    }

    /// Returns these and the event of a level, if it has one.
    #[must_use]
    pub fn then(mut self, level: &StockLevel) -> Self {
        if let Some(new) = event(level).filter(|new| !self.0.contains(new)) {
            self.0.push(new);
            self.0.drain(..self.0.len().saturating_sub(Self::MAX));
        }
        self
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flatten().flatten().copied().collect()
    }

    /// Reads what `to_bytes` wrote; what is left over is left out.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let (events, _) = bytes.as_chunks::<{ Self::LENGTH }>();
        let part = |event: &[u8; Self::LENGTH], n: usize| std::array::from_fn(|byte| event[n * 8 + byte]);
        Self(events.iter().map(|event| [part(event, 0), part(event, 1)]).collect())
    }
}

fn event(level: &StockLevel) -> Option<SeenEvent> {
    let id = level.event_id.as_ref()?;
    let said = format!("{} {:?}", level.quantity, level.updated_on);
    Some([digest(id.as_str()), digest(&said)])
}

fn digest(text: &str) -> [u8; 8] {
    let digest = Sha256::digest(text);
    std::array::from_fn(|byte| digest[byte])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventId, Scope, Sku};

    fn level(event: &str, quantity: i64) -> StockLevel {
        let event_id = Some(EventId::parse(event).unwrap());
        StockLevel { sku: Sku::parse("A").unwrap(), scope: Scope::Sku, quantity, updated_on: None, event_id }
    }

    #[test]
    fn an_event_is_known_again_by_its_id() {
        let seen = SeenEvents::from_bytes(&SeenEvents::default().then(&level("e", 1)).to_bytes());

        assert_eq!(seen.compare(&level("e", 1)), Repetition::Same);
        assert_eq!(seen.compare(&level("e", 2)), Repetition::Different);
        assert_eq!(seen.compare(&level("f", 1)), Repetition::None);
        assert_eq!(seen.compare(&StockLevel { event_id: None, ..level("e", 1) }), Repetition::None);
    }

    #[test]
    fn the_newest_thirty_events_are_remembered() {
        let all = (0..40).fold(SeenEvents::default(), |seen, n| seen.then(&level(&n.to_string(), 1)));

        assert_eq!(all.to_bytes().len(), SeenEvents::MAX * SeenEvents::LENGTH);
        assert_eq!(all.compare(&level("9", 1)), Repetition::None);
        assert_eq!(all.compare(&level("10", 1)), Repetition::Same);
    }
}
