use super::facts::Facts;
use super::field::Field;
use super::predicate::{Given, Misfit, Predicate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A condition on a triggered subscription, as a tree.
///
/// Its form in tables, in answers and in requests is the same: a test is `{"field","operator","value"}`, and a group is
/// `{"all":[…]}`, `{"any":[…]}` or `{"not":{…}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    All { all: Vec<Condition> },
    Any { any: Vec<Condition> },
    Not { not: Box<Condition> },
    Test(Test),
}

/// Asks something of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "TestForm", into = "TestForm")]
pub struct Test {
    pub field: Field,
    pub predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct TestForm {
    field: String,
    operator: String,
    value: Option<Given>,
}

impl TryFrom<TestForm> for Test {
    type Error = crate::Invalid;

    fn try_from(form: TestForm) -> Result<Self, Self::Error> {
        let field = Field::parse(&form.field)?;
        let predicate = Predicate::new(&field, &form.operator, form.value).map_err(|Misfit { invalid, .. }| invalid)?;
        Ok(Self { field, predicate })
    }
}

impl From<Test> for TestForm {
    fn from(test: Test) -> Self {
        let operator = test.predicate.operator().to_owned();
        Self { field: test.field.to_string(), operator, value: Some(test.predicate.value()) }
    }
}

impl Condition {
    /// Returns true if the condition holds of these facts.
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::All { all } => all.iter().all(|condition| condition.holds(facts)),
            Self::Any { any } => any.iter().any(|condition| condition.holds(facts)),
            Self::Not { not } => !not.holds(facts),
            Self::Test(Test { field, predicate }) => {
                predicate.holds(field.comparison(), &field.values(facts), facts.now)
            }
        }
    }

    /// Returns true if it looks at purchases, which are not read for conditions that don't.
    pub fn looks_at_purchases(&self) -> bool {
        self.looks_at(&|field| *field == Field::PurchasedOn)
    }

    /// Returns true if it looks at the contact.
    pub fn looks_at_contact(&self) -> bool {
        self.looks_at(&|field| matches!(field, Field::Contact(_)))
    }

    fn looks_at(&self, is_looked_for: &dyn Fn(&Field) -> bool) -> bool {
        match self {
            Self::All { all: conditions } | Self::Any { any: conditions } => {
                conditions.iter().any(|condition| condition.looks_at(is_looked_for))
            }
            Self::Not { not } => not.looks_at(is_looked_for),
            Self::Test(test) => is_looked_for(&test.field),
        }
    }
}

/// In words, for whoever reads the integration log: `quantity is at least 5`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let group = |f: &mut fmt::Formatter<'_>, word: &str, conditions: &[Self]| {
            let parts: Vec<String> = conditions.iter().map(ToString::to_string).collect();
            write!(f, "{word} ({})", parts.join("; "))
        };
        match self {
            Self::All { all } => group(f, "all of", all),
            Self::Any { any } => group(f, "any of", any),
            Self::Not { not } => write!(f, "not ({not})"),
            Self::Test(Test { field, predicate }) => write!(f, "{field} {predicate}"),
        }
    }
}
