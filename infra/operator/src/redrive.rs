//! What was given up, moved back to the queue that it is from. Each message may be handled again without harm.

use crate::stack::{Stack, word};
use restock_local::Error;
use restock_queue::Queue;
use std::io::Write;
use strum::IntoEnumIterator;

/// Reads the name of a queue, as `status` shows it.
pub fn queue(name: &str) -> Result<Queue, String> {
    let known = || Queue::iter().map(word).collect::<Vec<_>>().join(", ");
    Queue::iter().find(|queue| word(*queue) == name).ok_or_else(|| format!("there is no such queue; use {}", known()))
}

/// Has the dead letters of queues moved back, of all if none is named, and says how many they are.
pub async fn run(stack: &Stack, queues: Vec<Queue>, out: &mut impl Write) -> Result<(), Error> {
    let queues = if queues.is_empty() { Queue::iter().collect() } else { queues };
    for queue in queues {
        let dead = stack.depth(queue, true).await?;
        if dead.total() > 0 {
            stack.redrive(&dead).await?;
        }
        writeln!(out, "{:14} moved back: {}", word(queue), dead.total())?;
    }
    Ok(())
}
