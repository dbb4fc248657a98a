use jiff::Timestamp;

/// A stop of all sending, or of what is about one SKU, by an operator, or by Restock itself. Who waits keeps waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    /// In the words of whoever paused.
    pub reason: Option<String>,
    /// Restock has paused, as too many mails bounced or were complained about.
    pub by_itself: bool,
}
