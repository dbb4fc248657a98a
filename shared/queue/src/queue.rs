use restock_access::{Access, note};
use std::marker::PhantomData;
use strum::EnumIter;

/// Declares the queues of template.yaml, each with the environment variable that has its URL, and as a type too: so
/// that a request leaves a note of its queue in the binary (`restock_access`).
macro_rules! queues {
    ($($name:ident: $setting:literal,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, EnumIter)]
        pub enum Queue {
            $($name,)*
        }

        impl Queue {
            /// Returns the environment variable with the queue's URL.
            pub const fn setting(self) -> &'static str {
                match self {
                    $(Self::$name => $setting,)*
                }
            }
        }

        pub mod named {
            $(
                #[derive(Debug, Clone, Copy)]
                pub struct $name;

                impl super::Named for $name {
                    const QUEUE: super::Queue = super::Queue::$name;
                }
            )*
        }
    };
}

queues! {
    StockLevels: "STOCK_LEVELS_QUEUE",
    Notifications: "NOTIFICATIONS_QUEUE",
    FeedImports: "FEED_IMPORTS_QUEUE",
    EmailEvents: "EMAIL_EVENTS_QUEUE",
    Erasures: "ERASURES_QUEUE",
}

pub trait Named {
    const QUEUE: Queue;
}

struct Send<Q>(PhantomData<Q>);

impl<Q: Named> Access for Send<Q> {
    const ACTION: &'static str = "sqs:SendMessage";
    const RESOURCE: &'static str = Q::QUEUE.setting();
}

struct ChangeVisibility<Q>(PhantomData<Q>);

impl<Q: Named> Access for ChangeVisibility<Q> {
    const ACTION: &'static str = "sqs:ChangeMessageVisibility";
    const RESOURCE: &'static str = Q::QUEUE.setting();
}

/// Notes that messages are sent to a queue, and returns it.
pub(crate) fn sent_to<Q: Named>() -> Queue {
    note::<Send<Q>>();
    Q::QUEUE
}

/// Notes that messages of a queue are hidden for longer or shorter, and returns it.
pub(crate) fn hidden_in<Q: Named>(_: Q) -> Queue {
    note::<ChangeVisibility<Q>>();
    Q::QUEUE
}
