//! Statements as DynamoDB reads them (PartiQL). Every value is a parameter, and every name is quoted.

use crate::database::{Action, AttributeValue, Change, Item, Statement, TableCondition, Write};

/// Returns a statement about a table, and its parameters.
pub fn printed(statement: Statement, table: &str) -> (String, Vec<AttributeValue>) {
    let Write { table: of, key, change, condition } = statement.write().clone();
    let mut printer = Printer::default();
    let text = match change {
        Change::Put(mut attributes) => {
            attributes.extend(key);
            format!("INSERT INTO \"{table}\" VALUE {{{}}}", printer.members(attributes))
        }
        Change::Update(actions) => {
            let actions: Vec<String> = actions.into_iter().filter_map(|action| printer.action(action)).collect();
            let item = printer.item(of.key(), key, &condition);
            let returning = if statement.returns_item() { " RETURNING ALL NEW *" } else { "" };
            format!("UPDATE \"{table}\" {} WHERE {item}{returning}", actions.join(" "))
        }
        Change::Delete => format!("DELETE FROM \"{table}\" WHERE {}", printer.item(of.key(), key, &condition)),
    };
    (text, printer.parameters)
}

#[derive(Default)]
struct Printer {
    parameters: Vec<AttributeValue>,
}

impl Printer {
    fn value(&mut self, value: AttributeValue) -> char {
        self.parameters.push(value);
        '?'
    }

    fn members(&mut self, item: Item) -> String {
        item.into_iter().map(|(name, value)| format!("'{name}': {}", self.value(value))).collect::<Vec<_>>().join(", ")
    }

    /// Returns what a statement can do to an attribute; it can't count, nor look whether there is one.
    fn action(&mut self, action: Action) -> Option<String> {
        match action {
            Action::Set(name, value) => Some(format!("SET \"{name}\" = {}", self.value(value))),
            Action::Remove(name) => Some(format!("REMOVE \"{name}\"")),
            Action::SetIfMissing(..) | Action::Add(..) => None,
        }
    }

    /// Returns the condition that it is the item with this key, and that what has to hold of it does.
    fn item(&mut self, names: (&str, Option<&str>), mut key: Item, condition: &TableCondition) -> String {
        let names = [Some(names.0), names.1].into_iter().flatten();
        let mut parts: Vec<String> =
            names.filter_map(|name| Some(format!("\"{name}\" = {}", self.value(key.remove(name)?)))).collect();
        parts.extend(self.condition(condition));
        parts.join(" AND ")
    }

    fn condition(&mut self, condition: &TableCondition) -> Option<String> {
        let mut compare = |name: &str, operator: &str, value: &AttributeValue| {
            Some(format!("\"{name}\" {operator} {}", self.value(value.clone())))
        };
        match condition {
            TableCondition::Always => None,
            TableCondition::Exists(name) => Some(format!("\"{name}\" IS NOT MISSING")),
            TableCondition::Missing(name) => Some(format!("\"{name}\" IS MISSING")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::{text, texts};
    use crate::keyspace::Subscriptions;

    #[test]
    fn statements_name_their_item_by_its_whole_key() {
        let key = || texts([("contactId", "c"), ("subscription", "s")]);
        let is = |name, value: &str| TableCondition::Is(name, text(value));
        let either = TableCondition::Any(vec![TableCondition::Missing("a"), is("a", "1")]);
        let printed = |statement| {
            let (text, parameters) = printed(statement, "t");
            let values = parameters.iter().map(|value| value.as_s().unwrap().as_str()).collect::<Vec<_>>();
            format!("{text} with {}", values.join(","))
        };

        let removed = Statement::remove(Subscriptions, key()).when(TableCondition::All(vec![is("d", "2"), either]));
        assert_eq!(
            printed(removed),
            "DELETE FROM \"t\" WHERE \"contactId\" = ? AND \"subscription\" = ? \
             AND (\"d\" = ? AND (\"a\" IS MISSING OR \"a\" = ?)) with c,s,2,1"
        );
        assert_eq!(
            printed(Statement::set(Subscriptions, key(), texts([("x", "9")])).returning()),
            "UPDATE \"t\" SET \"x\" = ? WHERE \"contactId\" = ? AND \"subscription\" = ? RETURNING ALL NEW * with 9,c,s"
        );
        assert_eq!(
            printed(Statement::unset(Subscriptions, key(), &["x", "y"])),
            "UPDATE \"t\" REMOVE \"x\" REMOVE \"y\" WHERE \"contactId\" = ? AND \"subscription\" = ? with c,s"
        );
        let item = texts([("contactId", "c")]);
        assert_eq!(
            printed(Statement::insert(Subscriptions, item.clone(), item)),
            "INSERT INTO \"t\" VALUE {'contactId': ?} with c"
        );
    }
}
