//! The Restock that a command is about: in an AWS account, or on this machine.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName::{
    ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible, QueueArn,
};
use display_error_chain::DisplayErrorChain;
use restock_local::aws::names::STACK;
use restock_local::{Error, Ready, running};
use restock_queue::Queue;
use restock_runtime::Runtime;
use restock_store::Store;

pub struct Stack {
    pub store: Store,
    pub dynamodb: aws_sdk_dynamodb::Client,
    sqs: Client,
    /// The name of the CloudFormation stack, with which its queues' names begin; `None` if the table's name does not
    /// tell it.
    name: Option<String>,
}

/// A queue as it is now; SQS counts approximately.
pub struct Depth {
    pub arn: String,
    /// Messages that can be received.
    pub waiting: u64,
    /// Messages that a function works on.
    pub in_work: u64,
    /// Messages that can be received later.
    pub later: u64,
}

impl Depth {
    /// Returns all messages of the queue.
    pub fn total(&self) -> u64 {
        self.waiting + self.in_work + self.later
    }
}

impl Stack {
    /// Returns the stack with that configuration table, whose name CloudFormation has begun with the stack's.
    pub async fn of_table(table: &str) -> Self {
        let name = table.rsplit_once("-ConfigurationTable-").map(|(name, _)| name.to_owned());
        let runtime = Runtime::connect().await;
        let store = runtime.store_with_configuration(table.to_owned());
        Self { store, dynamodb: runtime.dynamodb(), sqs: runtime.sqs(), name }
    }

    /// Returns a stack of this machine.
    pub fn running(ready: &Ready) -> Self {
        let (database, name) = (running::database(ready), Some(STACK.to_owned()));
        Self { store: running::store(ready), dynamodb: database.client, sqs: running::sqs(ready), name }
    }

    /// Returns a queue, or that of its dead letters, as it is now.
    pub async fn depth(&self, queue: Queue, dead_letters: bool) -> Result<Depth, Error> {
        let stack = self.name.as_ref().ok_or(
            "Give the table as the stack's output ConfigurationTableName has it: the queues are found by its name.",
        )?;
        let end = if dead_letters { "-dead-letters" } else { "" };
        let fifo = if queue == Queue::FeedImports { ".fifo" } else { "" };
        let name = format!("{stack}-{}{end}{fifo}", word(queue));
        let found = self.sqs.get_queue_url().queue_name(&name).send().await.map_err(|error| about(&name, error))?;
        let url = found.queue_url.unwrap_or_default();
        let counts =
            [ApproximateNumberOfMessages, ApproximateNumberOfMessagesNotVisible, ApproximateNumberOfMessagesDelayed];
        let wanted = counts.iter().cloned().chain([QueueArn]).collect();
        let asked = self.sqs.get_queue_attributes().queue_url(&url).set_attribute_names(Some(wanted)).send().await;
        let attributes = asked.map_err(|error| about(&name, error))?.attributes.unwrap_or_default();
        let [waiting, in_work, later] =
            counts.map(|count| attributes.get(&count).and_then(|count| count.parse().ok()).unwrap_or_default());
        Ok(Depth { arn: attributes.get(&QueueArn).cloned().unwrap_or_default(), waiting, in_work, later })
    }

    /// Lets SQS move dead letters back to the queue that they are from.
    pub async fn redrive(&self, dead_letters: &Depth) -> Result<(), Error> {
        let started = self.sqs.start_message_move_task().source_arn(&dead_letters.arn).send().await;
        started.map(drop).map_err(|error| about(&dead_letters.arn, error))
    }
}

/// Returns what a queue is called in commands, and after the stack in its name.
pub fn word(queue: Queue) -> String {
    queue.setting().trim_end_matches("_QUEUE").to_lowercase().replace('_', "-")
}

fn about(queue: &str, error: impl std::error::Error) -> Error {
    format!("{queue}: {}", DisplayErrorChain::new(&error)).into()
}
