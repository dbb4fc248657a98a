//! What every function needs before its first event: settings, telemetry and AWS clients.
//!
//! This crate is the only reader of environment variables. `template.yaml` is where they are set.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use queue::{Queues, Urls};
use std::time::Duration;
use store::{Store, Tables};

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
        let filter = tracing_subscriber::EnvFilter::try_from_env("LOG_LEVEL")
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
        // A second subscriber in one process is refused; the first one stays.
        let _ = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_target(false)
            .with_env_filter(filter)
            .try_init();
        let http =
            aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(8))
            .build();
        let config = aws_config::from_env().http_client(http).timeout_config(timeouts).load().await;
        Self { config }
    }

    pub fn store(&self) -> Result<Store, SettingError> {
        let tables = Tables {
            configuration: required("CONFIGURATION_TABLE")?,
            contacts: required("CONTACTS_TABLE")?,
            deliveries: required("DELIVERIES_TABLE")?,
            log: required("LOG_TABLE")?,
            products: required("PRODUCTS_TABLE")?,
            stock: required("STOCK_TABLE")?,
            subscriptions: required("SUBSCRIPTIONS_TABLE")?,
            uploads: required("UPLOADS_TABLE")?,
        };
        Ok(Store::new(aws_sdk_dynamodb::Client::new(&self.config), tables))
    }

    pub fn queues(&self) -> Result<Queues, SettingError> {
        let urls = Urls {
            stock_levels: required("STOCK_LEVELS_QUEUE")?,
            notifications: required("NOTIFICATIONS_QUEUE")?,
            feed_imports: required("FEED_IMPORTS_QUEUE")?,
            email_events: required("EMAIL_EVENTS_QUEUE")?,
        };
        Ok(Queues::new(aws_sdk_sqs::Client::new(&self.config), urls))
    }

    /// SES without retries of the SDK: it would repeat requests that timed out, which may have been accepted.
    pub fn ses(&self) -> aws_sdk_sesv2::Client {
        let config = aws_sdk_sesv2::config::Builder::from(&self.config).retry_config(RetryConfig::disabled()).build();
        aws_sdk_sesv2::Client::from_conf(config)
    }
}

/// The text of a setting.
pub fn required(name: &'static str) -> Result<String, SettingError> {
    optional(name).ok_or(SettingError::Missing(name))
}

/// The text of a setting that may be missing or empty.
pub fn optional(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A setting that is a whole number.
pub fn whole_number(name: &'static str) -> Result<u64, SettingError> {
    required(name)?.parse().map_err(|_| SettingError::Invalid { name, expected: "a whole number" })
}
