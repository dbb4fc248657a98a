//! Writes the loops of a template out: `Fn::ForEach` of CloudFormation's language extensions.

use super::resolver::text;
use crate::Error;
use serde_json::{Map, Value, json};

const LOOP: &str = "Fn::ForEach::";

/// Returns the resources with each loop replaced by what it stands for.
pub fn unrolled(resources: &Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let mut all = Map::new();
    for (id, resource) in resources {
        if !id.starts_with(LOOP) {
            all.insert(id.clone(), resource.clone());
            continue;
        }
        let body = resource[2].as_object().ok_or_else(|| format!("template.yaml, {id} has no body"))?;
        for value in resource[1].as_array().into_iter().flatten() {
            let (name, value) = (text(&resource[0])?, text(value)?);
            for (id, resource) in body {
                let id = id.replace(&format!("${{{name}}}"), value);
                let resource = filled(resource, name, value);
                if all.insert(id.clone(), resource).is_some() {
                    return Err(format!("template.yaml has {id} twice").into());
                }
            }
        }
    }
    Ok(all)
}

/// Puts the loop's value in, wherever its name stands.
fn filled(resource: &Value, name: &str, value: &str) -> Value {
    match resource {
        Value::String(text) => json!(text.replace(&format!("${{{name}}}"), value)),
        Value::Array(parts) => parts.iter().map(|part| filled(part, name, value)).collect(),
        Value::Object(map) if map.len() == 1 && map.get("Ref") == Some(&json!(name)) => json!(value),
        Value::Object(map) => map.iter().map(|(key, part)| (key.clone(), filled(part, name, value))).collect(),
        plain => plain.clone(),
    }
}
