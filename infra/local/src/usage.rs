//! What the functions asked AWS for, and what that costs.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::iter::Sum;
use std::ops::Sub;

/// Requests of one function for one operation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    pub requests: u64,
    /// Capacity units of DynamoDB, with those of indexes.
    pub reads: f64,
    pub writes: f64,
    /// That SES was asked for.
    pub mails: u64,
}

/// By function and operation.
pub type Usage = BTreeMap<(String, String), Use>;

/// US dollars for a million in us-east-1, without what is free each month: DynamoDB on demand since November 2024,
/// requests to SQS, mails. Lambda's time and what SES's events cost are not counted here.
mod dollars_a_million {
    pub const READ_UNITS: f64 = 0.125;
    pub const WRITE_UNITS: f64 = 0.625;
    pub const SQS_REQUESTS: f64 = 0.40;
    pub const MAILS: f64 = 100.0;
}

impl Use {
    /// Returns what it costs, in US dollars.
    fn dollars(&self, operation: &str) -> f64 {
        use dollars_a_million::{MAILS, READ_UNITS, SQS_REQUESTS, WRITE_UNITS};
        let is_sqs = operation.starts_with("SendMessage") || operation.starts_with("ChangeMessage");
        let sqs = if is_sqs { self.requests as f64 * SQS_REQUESTS } else { 0.0 };
        (self.reads * READ_UNITS + self.writes * WRITE_UNITS + sqs + self.mails as f64 * MAILS) / 1e6
    }
}

impl Sum for Use {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            requests: sum.requests + one.requests,
            reads: sum.reads + one.reads,
            writes: sum.writes + one.writes,
            mails: sum.mails + one.mails,
        })
    }
}

impl Sub for Use {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            reads: self.reads - other.reads,
            writes: self.writes - other.writes,
            mails: self.mails - other.mails,
        }
    }
}

/// Returns a table for people, with a line for each operation that was used and one for all.
pub fn table(usage: &Usage) -> String {
    let mut table = String::from(
        "| Function | Operation | Requests | Read units | Write units | US dollars |\n|---|---|--:|--:|--:|--:|\n",
    );
    let mut row = |function: &str, operation: &str, used: &Use, dollars: f64| {
        let Use { requests, reads, writes, .. } = used;
        // Writing to a text can't fail.
        let _ = writeln!(table, "| {function} | {operation} | {requests} | {reads} | {writes} | {dollars:.6} |");
    };
    let mut dollars = 0.0;
    for ((function, operation), used) in usage.iter().filter(|(_, used)| used.requests > 0) {
        let of_row = used.dollars(operation);
        dollars += of_row;
        row(function, operation, used, of_row);
    }
    row("all", "", &usage.values().copied().sum(), dollars);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_what_was_used_and_what_it_costs() {
        let of = |operation: &str| ("send-email".to_owned(), operation.to_owned());
        let read = Use { requests: 2, reads: 8.0, ..Use::default() };
        let sent = Use { requests: 1, mails: 50, ..Use::default() };
        let usage =
            BTreeMap::from([(of("BatchGetItem"), read), (of("SendBulkEmail"), sent), (of("Query"), Use::default())]);

        let lines: Vec<String> = table(&usage).lines().skip(2).map(ToOwned::to_owned).collect();

        assert_eq!(
            lines,
            [
                "| send-email | BatchGetItem | 2 | 8 | 0 | 0.000001 |",
                "| send-email | SendBulkEmail | 1 | 0 | 0 | 0.005000 |",
                "| all |  | 3 | 8 | 0 | 0.005001 |",
            ]
        );
    }
}
