//! Metrics, as lines of the log that CloudWatch reads them from (embedded metric format): no request, and nothing that
//! waits.
//!
//! What is counted while an event is handled is kept until the frame around the handler writes it, before it answers.

use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use strum::IntoStaticStr;

/// What is measured. docs/operations.md says what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, IntoStaticStr)]
pub enum Metric {
    /// Subscriptions that were made, or made again.
    Subscribed,
    /// Stock levels that were taken, from wherever.
    StockLevels,
    /// Subscriptions that a level met.
    Matched,
    /// Those of them that nothing chose, by why: the words of the integration log.
    Skipped,
    /// Mails, by what became of them: the words of the integration log.
    Mails,
    /// From the arrival of a stock level to the request to SES.
    SecondsToMail,
    /// Since a feed was last imported, by locale.
    FeedAge,
}

impl Metric {
    /// Returns CloudWatch's name of the unit.
    fn unit(self) -> &'static str {
        match self {
            Self::SecondsToMail | Self::FeedAge => "Seconds",
            Self::Subscribed | Self::StockLevels | Self::Matched | Self::Skipped | Self::Mails => "Count",
        }
    }

    /// Returns the name of what tells values apart, if anything does.
    fn dimension(self) -> Option<&'static str> {
        match self {
            Self::Mails => Some("Outcome"),
            Self::Skipped => Some("Reason"),
            Self::FeedAge => Some("Locale"),
            _ => None,
        }
    }
}

/// The most values that a line may have of a metric.
const MAX_VALUES: usize = 100;

/// By metric and the value of its dimension.
type Values = BTreeMap<(Metric, Option<String>), Vec<f64>>;

/// The name and the value of what tells values apart.
type Dimension = (&'static str, String);

struct Collected {
    namespace: String,
    values: Values,
}

static COLLECTED: Mutex<Option<Collected>> = Mutex::new(None);

/// Begins to collect metrics, for a namespace of CloudWatch. Without it, nothing is.
pub fn collect(namespace: String) {
    *collected() = Some(Collected { namespace, values: Values::new() });
}

/// Adds to a count.
pub fn count(metric: Metric, count: u64) {
    add(metric, None, count);
}

/// Adds to a count that is told apart by its dimension.
pub fn count_of(metric: Metric, value: &str, count: u64) {
    add(metric, Some(value.to_owned()), count);
}

/// Adds a value to a distribution.
pub fn observe(metric: Metric, value: f64) {
    with(|values| values.entry((metric, None)).or_default().push(value));
}

/// Adds a value to a distribution that is told apart by its dimension.
pub fn observe_of(metric: Metric, of: &str, value: f64) {
    with(|values| values.entry((metric, Some(of.to_owned()))).or_default().push(value));
}

/// Writes what was collected.
pub fn flush() {
    let mut text = String::new();
    if let Some(Collected { namespace, values }) = &mut *collected() {
        for line in lines(namespace, std::mem::take(values), Timestamp::now()) {
            text.push_str(&line.to_string());
            text.push('\n');
        }
    }
    // Whoever can't write to the log can't tell anybody.
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn add(metric: Metric, of: Option<String>, count: u64) {
    if count == 0 {
        return;
    }
    with(|values| {
        let counted = values.entry((metric, of)).or_insert_with(|| vec![0.0]);
        counted[0] += count as f64;
    });
}

fn with(change: impl FnOnce(&mut Values)) {
    if let Some(Collected { values, .. }) = &mut *collected() {
        change(values);
    }
}

fn collected() -> MutexGuard<'static, Option<Collected>> {
    COLLECTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns lines of the embedded metric format: one for all that has no dimension, and one for each value of one; more
/// if a distribution has more values than a line may have.
fn lines(namespace: &str, values: Values, now: Timestamp) -> Vec<Value> {
    let mut lines: BTreeMap<(Option<Dimension>, usize), Value> = BTreeMap::new();
    for ((metric, of), values) in values {
        let dimension = metric.dimension().zip(of);
        let name: &str = metric.into();
        for (part, values) in values.chunks(MAX_VALUES).enumerate() {
            let line =
                lines.entry((dimension.clone(), part)).or_insert_with(|| empty(namespace, dimension.as_ref(), now));
            line[name] = if let [value] = values { json!(value) } else { json!(values) };
            if let Value::Array(metrics) = &mut line["_aws"]["CloudWatchMetrics"][0]["Metrics"] {
                metrics.push(json!({"Name": name, "Unit": metric.unit()}));
            }
        }
    }
    lines.into_values().collect()
}

/// Returns a line that has no metrics yet.
fn empty(namespace: &str, dimension: Option<&Dimension>, now: Timestamp) -> Value {
    let names: Vec<&str> = dimension.iter().map(|(name, _)| *name).collect();
    let directive = json!({"Namespace": namespace, "Dimensions": [names], "Metrics": []});
    let mut line = json!({"_aws": {"Timestamp": now.as_millisecond(), "CloudWatchMetrics": [directive]}});
    if let Some((name, value)) = dimension {
        line[*name] = json!(value);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_which_of_its_members_are_metrics() {
        let values = Values::from([
            ((Metric::Matched, None), vec![3.0]),
            ((Metric::SecondsToMail, None), vec![1.5, 2.0]),
            ((Metric::Mails, Some("accepted".into())), vec![2.0]),
        ]);

        let lines = lines("restock", values, Timestamp::from_second(1).unwrap());

        let directive = |dimensions: Value, metrics: Value| {
            let directive = json!({"Namespace": "restock", "Dimensions": [dimensions], "Metrics": metrics});
            json!({"Timestamp": 1000, "CloudWatchMetrics": [directive]})
        };
        let matched = json!({"Name": "Matched", "Unit": "Count"});
        let time = json!({"Name": "SecondsToMail", "Unit": "Seconds"});
        let mails = json!({"Name": "Mails", "Unit": "Count"});
        let expected = [
            json!({"_aws": directive(json!([]), json!([matched, time])), "Matched": 3.0, "SecondsToMail": [1.5, 2.0]}),
            json!({"_aws": directive(json!(["Outcome"]), json!([mails])), "Mails": 2.0, "Outcome": "accepted"}),
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_distribution_of_many_values_is_more_than_one_line() {
        let values = Values::from([((Metric::SecondsToMail, None), vec![1.0; 250])]);

        let lengths: Vec<usize> = lines("restock", values, Timestamp::UNIX_EPOCH)
            .iter()
            .map(|line| line["SecondsToMail"].as_array().map_or(0, Vec::len))
            .collect();

        assert_eq!(lengths, [100, 100, 50]);
    }
}
