use restock_domain::waves::{PolicyOwner, WavePolicy, Waves};
use restock_domain::{Arrival, Automation, KnownLevel};
use restock_queue::WaveTick;

/// What a look at a line is about.
pub struct Look<'a> {
    pub tick: &'a WaveTick,
    pub level: &'a KnownLevel,
    pub arrival: &'a Arrival,
    /// Of every scope of the SKU.
    pub levels: &'a [KnownLevel],
    pub waves: Waves<'a>,
    pub owner: &'a PolicyOwner,
    pub policy: &'a WavePolicy,
    /// True if the level has just come: its own look tells right after this one whom it refuses.
    pub is_new: bool,
}

impl Look<'_> {
    /// Returns true if whom an automation accepts waits in this line.
    pub fn is_of_line(&self, automation: &Automation) -> bool {
        self.waves.of(automation).is_some_and(|(owner, _)| owner == *self.owner)
    }
}
