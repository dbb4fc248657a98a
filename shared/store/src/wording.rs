//! Conditions in words: of expressions, and of statements.

use crate::database::{AttributeValue, TableCondition};

/// How names and values are written.
pub trait Wording {
    fn name(&mut self, name: &str) -> String;

    fn value(&mut self, value: AttributeValue) -> String;

    /// Returns the condition that an attribute is there, or is not.
    fn presence(&mut self, name: &str, is_there: bool) -> String;

    /// Returns a condition in words; `None` if it always holds.
    fn condition(&mut self, condition: &TableCondition) -> Option<String> {
        let mut compare = |name: &str, operator: &str, value: &AttributeValue| {
            Some(format!("{} {operator} {}", self.name(name), self.value(value.clone())))
        };
        match condition {
            TableCondition::Always => None,
            TableCondition::Exists(name) => Some(self.presence(name, true)),
            TableCondition::Missing(name) => Some(self.presence(name, false)),
            TableCondition::Is(name, value) => compare(name, "=", value),
            TableCondition::IsNot(name, value) => compare(name, "<>", value),
            TableCondition::AtMost(name, value) => compare(name, "<=", value),
            TableCondition::All(conditions) => self.joined(conditions, " AND "),
            TableCondition::Any(conditions) => self.joined(conditions, " OR "),
        }
    }

    fn joined(&mut self, conditions: &[TableCondition], operator: &str) -> Option<String> {
        let parts: Vec<String> = conditions.iter().filter_map(|condition| self.condition(condition)).collect();
        (!parts.is_empty()).then(|| format!("({})", parts.join(operator)))
    }
}
