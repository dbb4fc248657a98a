use strum::{Display, EnumIter};

/// The queues of template.yaml.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter, Display)]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
pub enum Queue {
    StockLevels,
    Notifications,
    FeedImports,
    EmailEvents,
    Erasures,
}

impl Queue {
    /// Returns the environment variable with the queue's URL, such as `STOCK_LEVELS_QUEUE`.
    pub fn setting(self) -> String {
        format!("{self}_QUEUE")
    }
}
