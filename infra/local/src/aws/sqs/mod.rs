//! An SQS on this machine: what the functions and the pollers use of it, with SQS's own rules for visibility, redrive,
//! order and limits. `docs/decisions/0003-own-sqs-emulator.md` says why it is our own.

mod api;
mod broker;
mod fairness;

pub use api::{md5, router, system_attributes};
pub use broker::{Attribute, Broker, Message, SendOptions};
