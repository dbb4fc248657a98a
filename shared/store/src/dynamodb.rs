//! Carries [`Database`]'s words out on DynamoDB.

use crate::Error;
use crate::database::{
    Action, AllWritten, BatchGot, Change, Consistency, Database, Executed, FoundItems, Item, Pending, PlainWrite,
    Query, Range, Scan, Statement, Table, Write, Written,
};
use crate::item::text;
use crate::partiql;
use crate::wording::Wording;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, BatchStatementErrorCodeEnum as Code, BatchStatementRequest, BatchStatementResponse, Delete,
    DeleteRequest, KeysAndAttributes, Put, PutRequest, ReturnValue, ReturnValuesOnConditionCheckFailure as OnRefusal,
    TransactWriteItem, Update, WriteRequest,
};
use restock_domain::time;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use strum::IntoEnumIterator;

/// The names of the tables, as deployed: of those that a function may use.
#[derive(Debug, Clone)]
pub struct Tables(BTreeMap<Table, String>);

pub struct DynamoDb {
    pub client: Client,
    pub tables: Tables,
}

impl Tables {
    /// Takes the name of each table from its setting, if there is one.
    pub fn of(setting: impl Fn(&str) -> Option<String>) -> Self {
        Self(Table::iter().filter_map(|table| Some((table, setting(table.setting())?))).collect())
    }

    fn name(&self, table: Table) -> Result<&str, Error> {
        self.0.get(&table).map(String::as_str).ok_or(Error::NoTable(table))
    }

    fn table(&self, name: &str) -> Option<Table> {
        self.0.iter().find(|(_, of)| *of == name).map(|(table, _)| *table)
    }
}

/// Sets the common parts of all six kinds of writes.
macro_rules! in_words {
    ($builder:expr, $table:expr, $condition:expr, $words:expr) => {
        $builder
            .table_name($table)
            .set_condition_expression($condition)
            .set_expression_attribute_names($words.names())
            .set_expression_attribute_values($words.values())
            .return_values_on_condition_check_failure(OnRefusal::AllOld)
    };
}

impl Database for DynamoDb {
    fn batch_get(&self, keys: Vec<(Table, Item)>, consistency: Consistency) -> Pending<'_, BatchGot> {
        Box::pin(async move {
            let is_strong = consistency == Consistency::Strong;
            let mut wanted: HashMap<String, KeysAndAttributes> = HashMap::new();
            for (table, keys) in by_table(keys) {
                let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(is_strong).build();
                wanted.insert(self.tables.name(table)?.to_owned(), keys.map_err(failed("BatchGetItem"))?);
            }
            let answer = self.client.batch_get_item().set_request_items(Some(wanted)).send().await;
            let answer = answer.map_err(failed("BatchGetItem"))?;
            let found = answer.responses.unwrap_or_default().into_iter();
            let unprocessed = answer.unprocessed_keys.unwrap_or_default().into_iter();
            Ok(BatchGot {
                found: self.named("BatchGetItem", found)?,
                unprocessed: self.named("BatchGetItem", unprocessed.map(|(name, keys)| (name, keys.keys)))?,
            })
        })
    }

    fn write(&self, write: Write) -> Pending<'_, Written> {
        Box::pin(async move {
            let table = self.tables.name(write.table)?;
            let mut words = Words::default();
            let condition = words.condition(&write.condition);
            match write.change {
                Change::Put(mut item) => {
                    item.extend(write.key);
                    let request = self.client.put_item().set_item(Some(item)).return_values(ReturnValue::AllOld);
                    let answer = in_words!(request, table, condition, words).send().await;
                    written(answer.map(|answer| answer.attributes), "PutItem")
                }
                Change::Update(actions) => {
                    let counts = condition.is_none() && actions.iter().any(|action| matches!(action, Action::Add(..)));
                    let expression = words.update(actions);
                    let request = self
                        .client
                        .update_item()
                        .set_key(Some(write.key))
                        .update_expression(expression)
                        .return_values(ReturnValue::AllNew);
                    let mut request = in_words!(request, table, condition, words).customize();
                    if counts {
                        // The SDK would count twice what it repeats after a lost answer.
                        let once = aws_sdk_dynamodb::Config::builder().retry_config(RetryConfig::disabled());
                        request = request.config_override(once);
                    }
                    let answer = request.send().await;
                    written(answer.map(|answer| answer.attributes), "UpdateItem")
                }
                Change::Delete => {
                    let request = self.client.delete_item().set_key(Some(write.key)).return_values(ReturnValue::AllOld);
                    let answer = in_words!(request, table, condition, words).send().await;
                    written(answer.map(|answer| answer.attributes), "DeleteItem")
                }
            }
        })
    }

    fn write_all(&self, writes: Vec<Write>) -> Pending<'_, AllWritten> {
        Box::pin(async move {
            let items: Vec<TransactWriteItem> =
                writes.into_iter().map(|write| self.transacted(write)).collect::<Result<_, _>>()?;
            let mut attempt = 0;
            loop {
                let answer = self.client.transact_write_items().set_transact_items(Some(items.clone())).send().await;
                let Err(error) = answer else { return Ok(AllWritten::Done) };
                if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
                {
                    let reasons = cancelled.cancellation_reasons();
                    let any = |code| reasons.iter().any(|reason| reason.code() == Some(code));
                    if any("ConditionalCheckFailed") {
                        return Ok(AllWritten::Refused(reasons.iter().map(|reason| reason.item.clone()).collect()));
                    }
                    // Another transaction has the same item in hand; it will be done in a moment.
                    if any("TransactionConflict") && attempt < 6 {
                        let (first, max) = (Duration::from_millis(20), Duration::from_secs(3));
                        tokio::time::sleep(time::backoff(first, attempt, max, fastrand::f64())).await;
                        attempt += 1;
                        continue;
                    }
                }
                return Err(failed("TransactWriteItems")(error));
            }
        })
    }

    fn execute(&self, statements: Vec<Statement>) -> Pending<'_, Vec<Executed>> {
        Box::pin(async move {
            let operation = "BatchExecuteStatement";
            let count = statements.len();
            let request = |statement: Statement| {
                let table = self.tables.name(statement.table)?;
                let (text, parameters) = partiql::printed(statement, table);
                let request = BatchStatementRequest::builder().statement(text).set_parameters(Some(parameters));
                let request = request.return_values_on_condition_check_failure(OnRefusal::AllOld).build();
                request.map_err(failed(operation))
            };
            let requests: Vec<BatchStatementRequest> = statements.into_iter().map(request).collect::<Result<_, _>>()?;
            let answer = self.client.batch_execute_statement().set_statements(Some(requests)).send().await;
            let mut answers = answer.map_err(failed(operation))?.responses.unwrap_or_default().into_iter();
            // One that is not answered may have been carried out.
            let missing = || Executed::Failed(of_statement("no answer"));
            Ok((0..count).map(|_| answers.next().map_or_else(missing, executed)).collect())
        })
    }

    fn batch_write(&self, writes: Vec<PlainWrite>) -> Pending<'_, Vec<PlainWrite>> {
        Box::pin(async move {
            let mut requests: HashMap<String, Vec<WriteRequest>> = HashMap::new();
            for write in writes {
                let request = WriteRequest::builder();
                let (table, request) = match write {
                    PlainWrite::Put(table, item) => {
                        let put = PutRequest::builder().set_item(Some(item)).build();
                        (table, request.put_request(put.map_err(failed("BatchWriteItem"))?))
                    }
                    PlainWrite::Delete(table, key) => {
                        let delete = DeleteRequest::builder().set_key(Some(key)).build();
                        (table, request.delete_request(delete.map_err(failed("BatchWriteItem"))?))
                    }
                };
                requests.entry(self.tables.name(table)?.to_owned()).or_default().push(request.build());
            }
            let answer = self.client.batch_write_item().set_request_items(Some(requests)).send().await;
            let answer = answer.map_err(failed("BatchWriteItem"))?;
            let left = self.named("BatchWriteItem", answer.unprocessed_items.unwrap_or_default().into_iter())?;
            let left = left.into_iter().map(|(table, request)| match request {
                WriteRequest { put_request: Some(put), .. } => Ok(PlainWrite::Put(table, put.item)),
                WriteRequest { delete_request: Some(delete), .. } => Ok(PlainWrite::Delete(table, delete.key)),
                _ => Err(unexpected("BatchWriteItem", "it left a request undone that neither puts nor deletes")),
            });
            left.collect()
        })
    }

    fn query(&self, query: Query) -> Pending<'_, FoundItems> {
        Box::pin(async move {
            let (partition, sort) = query.key();
            let mut words = Words::default();
            let mut condition = format!("{} = {}", words.name(partition), words.value(text(query.partition)));
            match query.range {
                Range::All => {}
                Range::BeginsWith(prefix) => condition.push_str(&format!(
                    " AND begins_with({}, {})",
                    words.name(sort),
                    words.value(text(prefix))
                )),
                Range::Between(first, last) => condition.push_str(&format!(
                    " AND {} BETWEEN {} AND {}",
                    words.name(sort),
                    words.value(text(first)),
                    words.value(text(last))
                )),
                Range::Before(end) => {
                    condition.push_str(&format!(" AND {} < {}", words.name(sort), words.value(text(end))));
                }
            }
            let answer = self
                .client
                .query()
                .table_name(self.tables.name(query.table)?)
                .set_index_name(query.index.map(|index| index.name().to_owned()))
                .consistent_read(query.index.is_none())
                .key_condition_expression(condition)
                .set_expression_attribute_names(words.names())
                .set_expression_attribute_values(words.values())
                .scan_index_forward(!query.newest_first)
                .set_limit(query.limit)
                .set_exclusive_start_key(query.after)
                .send()
                .await
                .map_err(failed("Query"))?;
            Ok(FoundItems { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
        })
    }

    fn scan(&self, scan: Scan) -> Pending<'_, FoundItems> {
        Box::pin(async move {
            let mut words = Words::default();
            let attributes: Vec<String> = scan.attributes.iter().map(|name| words.name(name)).collect();
            let answer = self
                .client
                .scan()
                .table_name(self.tables.name(scan.table)?)
                .set_index_name(scan.index.map(|index| index.name().to_owned()))
                .consistent_read(scan.index.is_none())
                .set_projection_expression((!attributes.is_empty()).then(|| attributes.join(", ")))
                .set_expression_attribute_names(words.names())
                .segment(scan.segment)
                .total_segments(scan.segments)
                .set_limit(scan.limit)
                .set_exclusive_start_key(scan.after)
                .send()
                .await
                .map_err(failed("Scan"))?;
            Ok(FoundItems { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
        })
    }
}

impl DynamoDb {
    /// Returns a part of an answer by its table. What is of none would be taken for missing, so it is an error.
    fn named<T>(
        &self,
        operation: &'static str,
        of_tables: impl Iterator<Item = (String, Vec<T>)>,
    ) -> Result<Vec<(Table, T)>, Error> {
        let mut named = Vec::new();
        for (name, of_table) in of_tables {
            let known = self.tables.table(&name);
            let table = known.ok_or_else(|| unexpected(operation, &format!("it is about the table {name}")))?;
            named.extend(of_table.into_iter().map(|one| (table, one)));
        }
        Ok(named)
    }

    fn transacted(&self, write: Write) -> Result<TransactWriteItem, Error> {
        let operation = "TransactWriteItems";
        let table = self.tables.name(write.table)?;
        let mut words = Words::default();
        let condition = words.condition(&write.condition);
        let item = TransactWriteItem::builder();
        let item = match write.change {
            Change::Put(mut attributes) => {
                attributes.extend(write.key);
                let put = in_words!(Put::builder().set_item(Some(attributes)), table, condition, words);
                item.put(put.build().map_err(failed(operation))?)
            }
            Change::Update(actions) => {
                let expression = words.update(actions);
                let update = in_words!(
                    Update::builder().set_key(Some(write.key)).update_expression(expression),
                    table,
                    condition,
                    words
                );
                item.update(update.build().map_err(failed(operation))?)
            }
            Change::Delete => {
                let delete = in_words!(Delete::builder().set_key(Some(write.key)), table, condition, words);
                item.delete(delete.build().map_err(failed(operation))?)
            }
        };
        Ok(item.build())
    }
}

/// Returns what became of a statement. AWS answers 200 even if single statements were throttled, and the SDK does not
/// repeat those.
fn executed(answer: BatchStatementResponse) -> Executed {
    let Some(error) = answer.error else { return Executed::Done(answer.item.filter(|item| !item.is_empty())) };
    match error.code {
        Some(Code::ConditionalCheckFailed) => Executed::Refused(error.item.filter(|item| !item.is_empty())),
        Some(Code::DuplicateItem) => Executed::Refused(None),
        Some(
            Code::ProvisionedThroughputExceeded
            | Code::RequestLimitExceeded
            | Code::ThrottlingError
            | Code::TransactionConflict,
        ) => Executed::NotNow,
        code => {
            let code = code.as_ref().map_or("no code", Code::as_str);
            Executed::Failed(of_statement(&format!("{code}: {}", error.message.unwrap_or_default())))
        }
    }
}

fn of_statement(reason: &str) -> Error {
    let source = std::io::Error::other(reason.to_owned());
    Error::Request { operation: "BatchExecuteStatement", throttled: false, source: Arc::new(source) }
}

fn by_table(keys: Vec<(Table, Item)>) -> HashMap<Table, Vec<Item>> {
    let mut tables: HashMap<Table, Vec<Item>> = HashMap::new();
    for (table, key) in keys {
        tables.entry(table).or_default().push(key);
    }
    tables
}

/// Builds expressions. Every name and every value is a placeholder, so reserved words and dots need no thought.
#[derive(Default)]
struct Words {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Wording for Words {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn presence(&mut self, name: &str, is_there: bool) -> String {
        let function = if is_there { "attribute_exists" } else { "attribute_not_exists" };
        format!("{function}({})", self.name(name))
    }
}

impl Words {
    fn update(&mut self, actions: Vec<Action>) -> String {
        let (mut set, mut add, mut remove) = (Vec::new(), Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Set(name, value) => set.push(format!("{} = {}", self.name(&name), self.value(value))),
                Action::SetIfMissing(name, value) => {
                    let name = self.name(&name);
                    set.push(format!("{name} = if_not_exists({name}, {})", self.value(value)));
                }
                Action::Add(name, number) => {
                    let number = AttributeValue::N(number.to_string());
                    add.push(format!("{} {}", self.name(&name), self.value(number)));
                }
                Action::Remove(name) => remove.push(self.name(&name)),
            }
        }
        let clauses = [("SET", set), ("ADD", add), ("REMOVE", remove)];
        let clauses = clauses.into_iter().filter(|(_, parts)| !parts.is_empty());
        clauses.map(|(word, parts)| format!("{word} {}", parts.join(", "))).collect::<Vec<_>>().join(" ")
    }

    fn names(&mut self) -> Option<HashMap<String, String>> {
        Some(std::mem::take(&mut self.names)).filter(|names| !names.is_empty())
    }

    fn values(&mut self) -> Option<HashMap<String, AttributeValue>> {
        Some(std::mem::take(&mut self.values)).filter(|values| !values.is_empty())
    }
}

/// The three operations refuse in types of their own.
trait Refused {
    fn refusal(&self) -> Option<Option<Item>>;
}

macro_rules! refusal {
    ($operation:ident, $error:ident) => {
        impl Refused for aws_sdk_dynamodb::operation::$operation::$error {
            fn refusal(&self) -> Option<Option<Item>> {
                match self {
                    Self::ConditionalCheckFailedException(refused) => Some(refused.item.clone()),
                    _ => None,
                }
            }
        }
    };
}

refusal!(put_item, PutItemError);
refusal!(update_item, UpdateItemError);
refusal!(delete_item, DeleteItemError);

fn written<E, R>(answer: Result<Option<Item>, SdkError<E, R>>, operation: &'static str) -> Result<Written, Error>
where
    E: Refused + ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    R: std::fmt::Debug + Send + Sync + 'static,
{
    match answer {
        Ok(item) => Ok(Written::Done(item.filter(|item| !item.is_empty()))),
        Err(error) => match error.as_service_error().and_then(Refused::refusal) {
            Some(item) => Ok(Written::Refused(item.filter(|item| !item.is_empty()))),
            None => Err(failed(operation)(error)),
        },
    }
}

/// Names the operation that an SDK error belongs to.
fn failed<E>(operation: &'static str) -> impl FnOnce(E) -> Error
where
    E: Throttling + std::error::Error + Send + Sync + 'static,
{
    move |source| Error::Request { operation, throttled: source.throttled(), source: Arc::new(source) }
}

/// Returns the error of an answer that DynamoDB is not known to give.
fn unexpected(operation: &'static str, about: &str) -> Error {
    Error::Request { operation, throttled: false, source: Arc::new(std::io::Error::other(about.to_owned())) }
}

trait Throttling {
    fn throttled(&self) -> bool;
}

impl<E: ProvideErrorMetadata, R> Throttling for SdkError<E, R> {
    fn throttled(&self) -> bool {
        let throttling = [
            "ThrottlingException",
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            // Other transactions held the item for longer than we wanted to wait.
            "TransactionCanceledException",
        ];
        self.code().is_some_and(|code| throttling.contains(&code))
    }
}

impl Throttling for aws_sdk_dynamodb::error::BuildError {
    fn throttled(&self) -> bool {
        false
    }
}
