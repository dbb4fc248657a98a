use jiff::Timestamp;

/// What keeps mails from leaving for a while, whoever they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HeldBack {
    /// All sending is paused.
    Pause,
    /// The SKU is held.
    Hold,
    /// The stock has to be at least the minimum of a policy until then.
    HoldDown(Timestamp),
    /// The quiet hours of a policy, which end then.
    QuietHours(Timestamp),
}
