//! Follows references and evaluates conditions, as CloudFormation does.

use super::Endpoints;
use crate::Error;
use crate::aws::names::{ACCOUNT, REGION, STACK, queue_arn, queue_url, table_arn, table_name};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Values of parameters that whoever deploys has to give.
const SAMPLES: [(&str, &str); 2] = [("Sender", "Restock <restock@shop.example>"), ("SenderIdentity", "shop.example")];

/// Follows references and evaluates conditions.
pub struct Resolver<'a> {
    pub document: &'a Value,
    pub endpoints: &'a Endpoints,
    pub overrides: &'a BTreeMap<String, String>,
}

impl Resolver<'_> {
    pub fn resolve(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Object(map) => match single(map) {
                Some(("Ref", name)) => self.reference(text(&self.resolve(name)?)?),
                Some(("Fn::GetAtt", path)) => self.attribute(text(&self.resolve(&path[0])?)?, text(&path[1])?),
                Some(("Fn::Sub", Value::Array(parts))) => self.substitute(text(&parts[0])?, &parts[1]).map(Value::from),
                Some(("Fn::Sub", pattern)) => self.substitute(text(pattern)?, &Value::Null).map(Value::from),
                Some(("Fn::FindInMap", path)) => {
                    let mut found = &self.document["Mappings"];
                    for name in path.as_array().into_iter().flatten() {
                        found = &found[text(&self.resolve(name)?)?];
                    }
                    Ok(found.clone())
                }
                Some(("Fn::If", branches)) => {
                    let chosen = if self.condition(text(&branches[0])?)? { 1 } else { 2 };
                    self.resolve(&branches[chosen])
                }
                Some((name, _)) if name.starts_with("Fn::") => {
                    Err(format!("the local stack does not know {name}").into())
                }
                _ => {
                    let resolved = map.iter().map(|(key, value)| Ok((key.clone(), self.resolve(value)?)));
                    resolved.collect::<Result<Map<_, _>, Error>>().map(Value::Object)
                }
            },
            Value::Array(values) => {
                values.iter().map(|value| self.resolve(value)).collect::<Result<_, _>>().map(Value::Array)
            }
            plain => Ok(plain.clone()),
        }
    }

    fn reference(&self, name: &str) -> Result<Value, Error> {
        match name {
            "AWS::StackName" => return Ok(json!(STACK)),
            "AWS::Region" => return Ok(json!(REGION)),
            "AWS::AccountId" => return Ok(json!(ACCOUNT)),
            "AWS::Partition" => return Ok(json!("aws")),
            "AWS::NoValue" => return Ok(Value::Null),
            _ => {}
        }
        if let Some(value) = self.overrides.get(name) {
            return Ok(json!(value));
        }
        if let Some(parameter) = self.document["Parameters"].get(name) {
            let sample = || SAMPLES.iter().find(|(of, _)| *of == name).map(|(_, value)| json!(value));
            let value = parameter.get("Default").cloned().or_else(sample);
            return value.ok_or_else(|| format!("the parameter {name} needs a default, or a sample in SAMPLES").into());
        }
        let resource = &self.document["Resources"][name];
        match resource["Type"].as_str() {
            Some("AWS::DynamoDB::Table") => Ok(json!(table_name(name))),
            Some("AWS::SQS::Queue") => Ok(json!(queue_url(&self.endpoints.sqs, &self.queue_name(name)?))),
            Some(_) => Ok(json!(name)),
            None => Err(format!("{name} is neither a parameter nor a resource").into()),
        }
    }

    fn attribute(&self, name: &str, attribute: &str) -> Result<Value, Error> {
        let kind = self.document["Resources"][name]["Type"].as_str().unwrap_or_default();
        match (kind, attribute) {
            ("AWS::SQS::Queue", "Arn") => Ok(json!(queue_arn(&self.queue_name(name)?))),
            ("AWS::SQS::Queue", "QueueName") => Ok(json!(self.queue_name(name)?)),
            ("AWS::DynamoDB::Table", "Arn") => Ok(json!(table_arn(&table_name(name)))),
            ("AWS::ApiGatewayV2::Api", "ApiEndpoint") => Ok(json!(self.endpoints.api)),
            _ => Err(format!("the local stack does not know {attribute} of {name}").into()),
        }
    }

    /// Fills in `${…}`: with the variables that are given, with attributes, and with references.
    fn substitute(&self, pattern: &str, variables: &Value) -> Result<String, Error> {
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ is not closed")?;
            filled.push_str(before);
            let value = match (variables.get(name), name.split_once('.')) {
                (Some(variable), _) => self.resolve(variable)?,
                (None, Some((resource, attribute))) => self.attribute(resource, attribute)?,
                (None, None) => self.reference(name)?,
            };
            filled.push_str(text(&value)?);
            rest = after;
        }
        Ok(filled + rest)
    }

    fn condition(&self, name: &str) -> Result<bool, Error> {
        self.holds(&self.document["Conditions"][name])
    }

    fn holds(&self, condition: &Value) -> Result<bool, Error> {
        match condition.as_object().and_then(single) {
            Some(("Fn::Not", inner)) => Ok(!self.holds(&inner[0])?),
            Some(("Fn::Equals", sides)) => Ok(self.resolve(&sides[0])? == self.resolve(&sides[1])?),
            _ => Err("a condition is not understood".into()),
        }
    }

    fn queue_name(&self, id: &str) -> Result<String, Error> {
        let name = self.resolve(&self.document["Resources"][id]["Properties"]["QueueName"])?;
        Ok(text(&name)?.to_owned())
    }

    pub fn binary(&self, function: &str) -> Result<String, Error> {
        let metadata = &self.document["Resources"][function]["Metadata"];
        Ok(text(&metadata["BuildProperties"]["Binary"])?.to_owned())
    }
}

pub fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    let (name, value) = entries.next()?;
    entries.next().is_none().then_some((name.as_str(), value))
}

pub fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| format!("expected a text, found {value}").into())
}
