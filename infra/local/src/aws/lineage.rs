//! Recursive-loop detection, as Lambda does it (Lambda developer guide, "Use Lambda recursive loop detection to prevent
//! infinite loops"): the trace id says how often each function was invoked in a chain of requests, the SDKs pass it on
//! with every message to SQS, and after about 16 times a function is not invoked, unless it has `RecursiveLoop: Allow`.

use super::sqs::md5;
use std::collections::BTreeMap;

/// Invocations of one function in one chain of requests.
pub const MAX_INVOCATIONS: u32 = 16;

const LINEAGE: &str = "Lineage=";

/// How often each function was invoked in a chain, by a digest of its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lineage(BTreeMap<String, u32>);

impl Lineage {
    /// Reads the lineage of a trace id, such as `Root=1-…;Lineage=1:a87bd80c:15`; what has none begins a chain.
    pub fn of(trace_id: &str) -> Self {
        let lineage = trace_id.split(';').find_map(|part| part.trim().strip_prefix(LINEAGE)).unwrap_or_default();
        let functions = lineage.split('|').filter_map(|part| {
            let mut parts = part.rsplit(':');
            let count = parts.next()?.parse().ok()?;
            Some((parts.next()?.to_owned(), count))
        });
        Self(functions.collect())
    }

    /// Returns the lineage of a batch: of two records the one that has come further counts.
    #[must_use]
    pub fn worst(mut self, other: Self) -> Self {
        for (function, count) in other.0 {
            let known = self.0.entry(function).or_default();
            *known = count.max(*known);
        }
        self
    }

    /// Returns the lineage with one more invocation of a function, or `None` if that is one too many.
    pub fn invoking(mut self, function: &str) -> Option<Self> {
        let count = self.0.entry(digest(function)).or_default();
        *count += 1;
        (*count <= MAX_INVOCATIONS).then_some(self)
    }

    /// Returns the lineage with one more invocation of a function that may be invoked however often.
    #[must_use]
    pub fn allowed(mut self, function: &str) -> Self {
        *self.0.entry(digest(function)).or_default() += 1;
        self
    }

    /// Returns the trace id of an invocation.
    pub fn trace_id(&self) -> String {
        let functions: Vec<String> = self.0.iter().map(|(function, count)| format!("1:{function}:{count}")).collect();
        format!("Root=1-00000000-000000000000000000000000;Sampled=0;{LINEAGE}{}", functions.join("|"))
    }
}

/// Names a function in a lineage.
pub fn digest(function: &str) -> String {
    md5(function).chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(hops: u32) -> Lineage {
        (0..hops).fold(Lineage::default(), |lineage, _| lineage.allowed("f"))
    }

    #[test]
    fn a_function_is_invoked_sixteen_times_in_a_chain_and_other_functions_count_for_themselves() {
        assert!(chain(15).invoking("f").is_some());
        assert!(chain(16).invoking("f").is_none());
        assert!(chain(16).invoking("g").is_some());
    }

    #[test]
    fn a_lineage_reads_back_and_a_batch_counts_as_the_worst_of_its_records() {
        let both = chain(3).worst(chain(7).allowed("g"));

        assert_eq!(both, chain(7).allowed("g"));
        assert_eq!(Lineage::of(&both.trace_id()), both);
        assert_eq!(Lineage::of("Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"), Lineage::default());
    }
}
