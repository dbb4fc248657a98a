//! Settings, telemetry and AWS clients: the things that every function needs before its first event.
//!
//! This crate is the only reader of environment variables. `template.yaml` is where they are set, besides
//! `LOG_LEVEL` and `REQUEST_TIMEOUT_SECONDS`, which are optional.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use lambda_runtime::{LambdaEvent, service_fn};
use restock_events::Events;
use restock_queue::{Queues, Sqs, Urls};
use restock_store::{CachedAutomations, CachedWavePolicy, DynamoDb, Store, Tables};
use std::io::Write;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// How each line of the log begins.
const VERSION: &str = concat!(r#"{"version":""#, env!("CARGO_PKG_VERSION"), r#"","#);

/// The connections and settings of one function.
pub struct Runtime {
    config: SdkConfig,
}

/// A setting is missing or not as it should be; the function can't start.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    #[error("set the environment variable {0}")]
    Missing(&'static str),
    #[error("the environment variable {name} is not {expected}")]
    Invalid { name: &'static str, expected: &'static str },
}

impl Runtime {
    /// Starts logging and prepares AWS clients. Credentials, region and endpoints come from the standard variables.
    pub async fn start() -> Self {
        start_logging();
        Self::connect().await
    }

    /// Prepares AWS clients, and starts no logging.
    pub async fn connect() -> Self {
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(attempt_seconds()))
            .build();
        let config = aws_config::from_env().http_client(http).timeout_config(timeouts).load().await;
        Self { config }
    }

    /// Returns the tables that the function was told about.
    pub fn store(&self) -> Store {
        Store::new(DynamoDb { client: self.dynamodb(), tables: Tables::of(optional) })
    }

    /// Returns a store of which only the configuration is known, by its table's name.
    pub fn store_with_configuration(&self, table: String) -> Store {
        let tables = Tables::of(|setting| (setting == "CONFIGURATION_TABLE").then(|| table.clone()));
        Store::new(DynamoDb { client: self.dynamodb(), tables })
    }

    /// Returns the queues that the function was told about.
    pub fn queues(&self) -> Queues {
        Queues::new(Sqs { client: self.sqs(), urls: Urls::of(optional) })
    }

    /// Returns DynamoDB itself, for the operator, who copies tables.
    pub fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config)
    }

    /// Returns the account's default bus of EventBridge; `api` is the address by which this stack is known to others.
    pub fn events(&self, api: String) -> Events {
        Events::new(aws_sdk_eventbridge::Client::new(&self.config), api)
    }

    /// Returns SQS itself, for the operator, who looks at queues.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.config)
    }

    /// Returns SES without retries of the SDK: it would repeat requests that timed out, which may have been accepted.
    /// An answer is waited for no longer than `patience`.
    pub fn ses(&self, patience: Duration) -> aws_sdk_sesv2::Client {
        let config = aws_sdk_sesv2::config::Builder::from(&self.config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::builder().operation_timeout(patience).build());
        aws_sdk_sesv2::Client::from_conf(config.build())
    }
}

/// Starts logging, and metrics if they are wanted. Functions that ask nothing of AWS need no more, and then have none
/// of its clients in their binaries.
pub fn start_logging() {
    if let Some(namespace) = optional("METRICS_NAMESPACE") {
        restock_metrics::collect(namespace);
    }
    // Not `EnvFilter`, which brings regular expressions into each binary.
    let wanted = optional("LOG_LEVEL").and_then(|level| level.parse::<Targets>().ok());
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Versioned(std::io::stdout()))
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false);
    let filter = wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    // A second subscriber in one process is refused; the first one stays.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// Writes the version into each line of the log, which comes as one write.
struct Versioned<W>(W);

impl<W: Write> Write for Versioned<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match line.strip_prefix(b"{") {
            Some(rest) => self.0.write_all(&[VERSION.as_bytes(), rest].concat())?,
            None => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

/// Serves the messages of a queue until Lambda ends the instance.
pub async fn serve_queue<F: Future<Output = SqsBatchResponse>>(
    handle: impl Fn(SqsEvent) -> F,
) -> Result<(), lambda_runtime::Error> {
    let handle = |event: LambdaEvent<SqsEvent>| {
        let handled = handle(event.payload);
        async {
            let answer = handled.await;
            restock_metrics::flush();
            Ok::<_, lambda_runtime::Error>(answer)
        }
    };
    lambda_runtime::run(service_fn(handle)).await
}

/// Returns the automations, as they were no longer ago than the setting says.
pub fn automations(store: &Store) -> Result<CachedAutomations, SettingError> {
    Ok(CachedAutomations::new(store.clone(), settings_kept()?))
}

/// Returns the shop's policy for waves, as it was no longer ago than the setting says.
pub fn wave_policy(store: &Store) -> Result<CachedWavePolicy, SettingError> {
    Ok(CachedWavePolicy::new(store.clone(), settings_kept()?))
}

/// Returns the shortest interval that a policy for waves may have.
pub fn shortest_interval() -> Result<Duration, SettingError> {
    whole_number("SHORTEST_WAVE_SECONDS").map(Duration::from_secs)
}

/// Returns how long automations, templates and the brand are used before they are read again.
pub fn settings_kept() -> Result<Duration, SettingError> {
    whole_number("AUTOMATIONS_KEPT_SECONDS").map(Duration::from_secs)
}

/// Returns where the API is reachable from outside, without a slash at the end.
pub fn public_url() -> Result<String, SettingError> {
    Ok(required("PUBLIC_URL")?.trim_end_matches('/').to_owned())
}

/// Reads a setting that is a number of days.
pub fn days(name: &'static str) -> Result<Duration, SettingError> {
    Ok(Duration::from_secs(whole_number(name)? * 24 * 3600))
}

/// Reads a setting that is `true` or `false`.
pub fn is_on(name: &'static str) -> Result<bool, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::Invalid { name, expected: "true or false" })
}

/// Returns how long an answer of DynamoDB or SQS is waited for before the SDK asks again.
fn attempt_seconds() -> u64 {
    optional("REQUEST_TIMEOUT_SECONDS").and_then(|seconds| seconds.parse().ok()).unwrap_or(8)
}

/// Reads a setting.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    optional(name).ok_or(SettingError::Missing(name))
}

/// Reads a setting that may be missing or empty.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a setting that is a number above zero.
pub fn number(name: &'static str) -> Result<f64, SettingError> {
    let number = required(name)?.parse().ok().filter(|number: &f64| number.is_normal() && *number > 0.0);
    number.ok_or(SettingError::Invalid { name, expected: "a number above zero" })
}

/// Reads a setting that is a whole number.
pub fn whole_number(name: &'static str) -> Result<u64, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::Invalid { name, expected: "a whole number" })
}
