//! Statements as DynamoDB reads them (PartiQL). Every value is a parameter, and every name is quoted.

use crate::database::{Alteration, AttributeValue, Item, Statement, TableCondition};
use crate::wording::Wording;

/// Returns a statement about a table, and its parameters.
pub fn printed(statement: Statement, table: &str) -> (String, Vec<AttributeValue>) {
    let Statement { table: of, key, alteration, condition, returns_item } = statement;
    let mut printer = Printer::default();
    let (verb, changes) = match alteration {
        Alteration::Insert(mut item) => {
            item.extend(key);
            let members = item.into_iter().map(|(name, value)| format!("'{name}': {}", printer.value(value)));
            let text = format!("INSERT INTO \"{table}\" VALUE {{{}}}", members.collect::<Vec<_>>().join(", "));
            return (text, printer.parameters);
        }
        Alteration::Set(attributes) => {
            let set = |(name, value): (String, _)| format!(" SET {} = {}", printer.name(&name), printer.value(value));
            ("UPDATE", attributes.into_iter().map(set).collect())
        }
        Alteration::Unset(names) => {
            ("UPDATE", names.iter().map(|name| format!(" REMOVE {}", printer.name(name))).collect())
        }
        Alteration::Remove => ("DELETE FROM", String::new()),
    };
    let item = printer.item(of.key(), key, &condition);
    let returning = if returns_item { " RETURNING ALL NEW *" } else { "" };
    (format!("{verb} \"{table}\"{changes} WHERE {item}{returning}"), printer.parameters)
}

#[derive(Default)]
struct Printer {
    parameters: Vec<AttributeValue>,
}

impl Wording for Printer {
    fn name(&mut self, name: &str) -> String {
        format!("\"{name}\"")
    }

    fn value(&mut self, value: AttributeValue) -> String {
        self.parameters.push(value);
        "?".to_owned()
    }

    fn presence(&mut self, name: &str, is_there: bool) -> String {
        format!("\"{name}\" IS {}MISSING", if is_there { "NOT " } else { "" })
    }
}

impl Printer {
    /// Returns the condition that it is the item with this key, and that what has to hold of it does.
    fn item(&mut self, names: (&str, Option<&str>), mut key: Item, condition: &TableCondition) -> String {
        let names = [Some(names.0), names.1].into_iter().flatten();
        let is_key = |name| Some(format!("\"{name}\" = {}", self.value(key.remove(name)?)));
        let mut parts: Vec<String> = names.filter_map(is_key).collect();
        parts.extend(self.condition(condition));
        parts.join(" AND ")
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
