//! What the policies of `template.yaml` tell apart: tables, and kinds of items in the configuration table. Each is a
//! type, so that a request leaves a note of it in the binary (`restock_access`).

use crate::table::{Item, Table};
use restock_access::{Access, note};
use std::marker::PhantomData;

pub trait Keyspace: Copy {
    const TABLE: Table;
    /// The partition key of its items, in the configuration table; else empty.
    const KIND: &'static str = "";
}

macro_rules! keyspaces {
    ($($name:ident: $table:ident $($kind:literal)?,)*) => {
        $(
            #[derive(Debug, Clone, Copy)]
            pub struct $name;

            impl Keyspace for $name {
                const TABLE: Table = Table::$table;
                $(const KIND: &'static str = $kind;)?
            }
        )*
    };
}

keyspaces! {
    Contacts: Contacts,
    Deliveries: Deliveries,
    Log: Log,
    Products: Products,
    Purchases: Purchases,
    Stock: Stock,
    Subscriptions: Subscriptions,
    Uploads: Uploads,
    ApiKeys: Configuration "api-key",
    ApiKeyUse: Configuration "api-key-use",
    Automations: Configuration "automation",
    AutomationVersions: Configuration "automation-version",
    Brand: Configuration "brand",
    Feeds: Configuration "feed",
    // Passwords are kept apart from what is shown, and only the importer may read them.
    FeedCredentials: Configuration "feed-credentials",
    FeedFetches: Configuration "feed-fetch",
    Holds: Configuration "hold",
    LinkKeys: Configuration "link-key",
    Pauses: Configuration "pause",
    Reputation: Configuration "reputation",
    Secrets: Configuration "secret",
    SendQuotas: Configuration "send-quota",
    Templates: Configuration "template",
    TemplateVersions: Configuration "template-version",
    WavePolicies: Configuration "wave-policy",
    WavePolicyVersions: Configuration "wave-policy-version",
    WaveTicks: Configuration "wave-tick",
}

impl<K: Keyspace> From<K> for Table {
    fn from(_: K) -> Self {
        K::TABLE
    }
}

/// Returns the key of an item of the configuration table.
pub fn kind_key<K: Keyspace>(_: K, id: &str) -> Item {
    crate::item::texts([("kind", K::KIND), ("id", id)])
}

/// Declares the requests that can be made of a keyspace. Each function notes that its request is made, and returns the
/// table that it is made of.
macro_rules! requests {
    ($($function:ident: $name:ident $action:literal $($of_index:literal)?,)*) => {
        $(
            struct $name<K>(PhantomData<K>);

            impl<K: Keyspace> Access for $name<K> {
                const ACTION: &'static str = concat!("dynamodb:", $action);
                const RESOURCE: &'static str = K::TABLE.setting();
                const LEADING_KEY: &'static str = K::KIND;
                $(const OF_INDEX: bool = $of_index;)?
            }

            pub(crate) fn $function<K: Keyspace>(_: K) -> Table {
                note::<$name<K>>();
                K::TABLE
            }
        )*
    };
}

requests! {
    batch_get_of: BatchGet "BatchGetItem",
    batch_write_of: BatchWrite "BatchWriteItem",
    change_of: PartiQlUpdate "PartiQLUpdate",
    delete_of: Delete "DeleteItem",
    insert_of: PartiQlInsert "PartiQLInsert",
    put_of: Put "PutItem",
    query_of: Query "Query",
    query_index_of: QueryIndex "Query" true,
    remove_of: PartiQlDelete "PartiQLDelete",
    scan_of: Scan "Scan",
    scan_index_of: ScanIndex "Scan" true,
    update_of: Update "UpdateItem",
}
