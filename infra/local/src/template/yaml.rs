//! Reads YAML with CloudFormation's tags.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;
use std::fmt;

/// A YAML node with CloudFormation's short tags written out: `!Ref X` becomes `{"Ref": "X"}`.
pub struct Node(pub Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::<Untagged>::deserialize(deserializer)?;
        let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')).filter(|name| !name.is_empty()) else {
            return Ok(Self(value));
        };
        Ok(Self(match name {
            "Ref" => json!({ "Ref": value }),
            "GetAtt" => {
                let parts = match value.as_str().and_then(|path| path.split_once('.')) {
                    Some((resource, attribute)) => json!([resource, attribute]),
                    None if value.is_array() => value,
                    None => return Err(D::Error::custom("!GetAtt needs Resource.Attribute, or a list of both")),
                };
                json!({ "Fn::GetAtt": parts })
            }
            name => json!({ format!("Fn::{name}"): value }),
        }))
    }
}

struct Untagged(Value);

impl<'de> Deserialize<'de> for Untagged {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML node")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Node(value)) = elements.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Node(value))) = entries.next_entry::<String, Node>()? {
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}
