//! Holds: SKUs that nobody is mailed about for now, and the end of one that does not come back.

use crate::values::ShortText;
use crate::{KeyScope, Moment, answer, body, endpoints};
use restock_domain::{Pause, Sku};

const WRITE: Option<KeyScope> = Some(KeyScope::WriteSending);

endpoints! {
    /// Hold a SKU, such as one that is recalled: nobody is mailed about it
    HoldSku("holdSku"): Put "/inventory/backinstock/holds", "hold-sku", WRITE,
        HoldRequest => 200 Hold, "From ten seconds after this answer on, nobody is mailed about it. Who waits keeps waiting.";

    /// Release a SKU that is held
    ReleaseSku("releaseSku"): Delete "/inventory/backinstock/holds" ? { "sku": Sku, "Which SKU."; }, "hold-sku", WRITE,
        () => 200 Released, "Whoever was to be mailed meanwhile is mailed, unless it is sold out again; within about two minutes.";

    /// End all subscriptions of a SKU, such as one that is discontinued
    EndSku("endSku"): Delete "/inventory/backinstock/subscriptions" ? { "sku": Sku, "Which SKU."; }, "end-sku", WRITE,
        () => 200 Ended, "The subscriptions end, and nobody is mailed because of them, even if a level came before; those that were made within the last seconds may be found a minute later only. This can't be undone. Whoever subscribes afterwards waits as usual. Hold the SKU first if nobody else may be mailed while many end.";

    /// All SKUs that are held
    ShowHolds("showHolds"): Get "/inventory/backinstock/holds", "hold-sku", Some(KeyScope::ReadLog),
        () => 200 Vec<Hold>, "By SKU.";
}

body! {
    #[derive(Debug)]
    pub struct HoldRequest {
        pub sku: Sku,
        /// Is shown for as long as the hold lasts.
        pub reason: Option<ShortText>,
    }
}

answer! {
    /// A SKU that nobody is mailed about.
    #[derive(Debug)]
    pub struct Hold {
        pub sku: Sku,
        pub held_on: Moment,
        /// Why, in the words of whoever holds it.
        pub reason: Option<String>,
    }
}

answer! {
    /// A SKU that people are mailed about again.
    #[derive(Debug)]
    pub struct Released {
        pub sku: Sku,
        /// Since when it was held; missing if it was not.
        pub held_on: Option<Moment>,
    }
}

answer! {
    /// A SKU whose subscriptions have ended.
    #[derive(Debug)]
    pub struct Ended {
        pub sku: Sku,
        /// Subscriptions that have ended so far.
        pub ended: u64,
        /// False if there are so many that the rest ends within minutes, by itself.
        pub complete: bool,
    }
}

impl Hold {
    pub fn new(sku: Sku, hold: Pause) -> Self {
        Self { sku, held_on: Moment(hold.since), reason: hold.reason }
    }
}
