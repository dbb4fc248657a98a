use jiff::Timestamp;

/// The `reason` in the log of whatever waits for the end of a pause or a hold; `template.yaml` counts it for an alarm.
pub const STOPPED: &str = "sending is paused, or the SKU is held";

/// A stop of all sending, or of what is about one SKU, by an operator, or by Restock itself. Who waits keeps waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    /// In the words of whoever paused.
    pub reason: Option<String>,
    /// Restock has paused, as too many mails bounced or were complained about.
    pub by_itself: bool,
}
