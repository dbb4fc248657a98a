//! The AWS services that the local stack plays, as far as Restock uses them.

pub mod events;
pub mod gateway;
pub mod http;
pub mod lambda;
pub mod lineage;
pub mod names;
pub mod poller;
pub mod ses;
pub mod sqs;
