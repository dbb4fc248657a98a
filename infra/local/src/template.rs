//! `template.yaml` as far as the local stack needs it: what is not understood is an error, not a guess.

use crate::Error;
use crate::permissions::Permissions;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, json};
use serde_saphyr::Tagged;
use std::collections::BTreeMap;
use std::fmt;

pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "eu-north-1";
const STACK: &str = "restock";

/// Where the emulators answer; what some references resolve to.
pub struct Endpoints {
    pub api: String,
    pub sqs: String,
}

/// What the template deploys, with every reference resolved.
pub struct Template {
    pub functions: Vec<Function>,
    pub routes: Vec<Route>,
    pub queues: Vec<Queue>,
    pub tables: Vec<Table>,
    pub mappings: Vec<Mapping>,
    /// The queue that SES's events go to.
    pub email_events: Option<String>,
    pub permissions: Permissions,
}

pub struct Function {
    /// The logical id.
    pub id: String,
    /// The name of the binary, which is also the local function's name.
    pub binary: String,
    pub timeout_seconds: u64,
    pub environment: BTreeMap<String, String>,
}

pub struct Route {
    /// `None` for the default route.
    pub method_and_path: Option<(String, String)>,
    pub function: String,
}

pub struct Queue {
    pub name: String,
    pub visibility_seconds: u64,
    pub delay_seconds: u64,
    pub fifo: bool,
    /// The name of the dead-letter queue and the most receives before a message goes there.
    pub redrive: Option<(String, u32)>,
}

pub struct Table {
    pub id: String,
    pub name: String,
    /// The properties of the CloudFormation resource, which are those of CreateTable but for the TTL.
    pub properties: Value,
}

pub struct Mapping {
    pub queue: String,
    pub function: String,
    pub batch_size: usize,
    pub window_seconds: u64,
    pub concurrency: usize,
    pub partial_failures: bool,
}

impl Queue {
    pub fn url(&self, sqs: &str) -> String {
        queue_url(sqs, &self.name)
    }
}

pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

pub fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

fn queue_url(sqs: &str, name: &str) -> String {
    format!("{sqs}/{ACCOUNT}/{name}")
}

/// Returns the function that each route of a template leads to, such as `GET /api/{version}/feeds`. The default route is
/// left out.
pub fn routes(yaml: &str) -> Result<BTreeMap<String, String>, Error> {
    let endpoints = Endpoints { api: String::new(), sqs: String::new() };
    let template = Template::parse(yaml, &endpoints, &BTreeMap::new())?;
    let routes = template.routes.into_iter();
    Ok(routes
        .filter_map(|route| Some((route.method_and_path?, route.function)))
        .map(|((method, path), function)| (format!("{method} {path}"), function))
        .collect())
}

impl Template {
    pub fn parse(yaml: &str, endpoints: &Endpoints, overrides: &BTreeMap<String, String>) -> Result<Self, Error> {
        let options = serde_saphyr::options! { strict_booleans: true };
        let Node(document) = serde_saphyr::from_str_with_options(yaml, options)?;
        let resolver = Resolver { document: &document, endpoints, overrides };
        let mut template = Self {
            functions: vec![],
            routes: vec![],
            queues: vec![],
            tables: vec![],
            mappings: vec![],
            email_events: None,
            permissions: Permissions::default(),
        };
        let resources = document["Resources"].as_object().ok_or("template.yaml has no Resources")?;
        for (id, resource) in resources {
            if let Some(place) = null_in(resource) {
                return Err(format!("template.yaml, {id}{place} is empty, which CloudFormation refuses").into());
            }
            template.add(id, resource, &resolver).map_err(|error| format!("template.yaml, {id}: {error}"))?;
        }
        Ok(template)
    }

    fn add(&mut self, id: &str, resource: &Value, resolver: &Resolver<'_>) -> Result<(), Error> {
        let kind = resource["Type"].as_str().unwrap_or_default();
        let properties = &resource["Properties"];
        match kind {
            "AWS::Serverless::Function" => self.add_function(id, resource, resolver)?,
            "AWS::ApiGatewayV2::Route" => {
                let key = text(&properties["RouteKey"])?;
                let integration = resolver.resolve(&properties["Target"])?;
                let integration = text(&integration)?.trim_start_matches("integrations/").to_owned();
                let uri = &resolver.document["Resources"][&integration]["Properties"]["IntegrationUri"];
                let function = text(&uri["Fn::GetAtt"][0])?;
                let method_and_path = match key.split_once(' ') {
                    Some((method, path)) => Some((method.to_owned(), path.to_owned())),
                    None if key == "$default" => None,
                    None => return Err(format!("the route key {key} is not understood").into()),
                };
                self.routes.push(Route { method_and_path, function: resolver.binary(function)? });
            }
            "AWS::Lambda::EventSourceMapping" => {
                let function = resolver.binary(text(&properties["FunctionName"]["Ref"])?)?;
                let mapping = resolver.resolve(properties)?;
                let arn = text(&mapping["EventSourceArn"])?;
                let responses = mapping["FunctionResponseTypes"].as_array();
                self.mappings.push(Mapping {
                    queue: arn.rsplit(':').next().unwrap_or_default().to_owned(),
                    function,
                    batch_size: mapping["BatchSize"].as_u64().unwrap_or(10) as usize,
                    window_seconds: mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap_or(0),
                    concurrency: mapping["ScalingConfig"]["MaximumConcurrency"].as_u64().unwrap_or(5) as usize,
                    partial_failures: responses.is_some_and(|types| types.contains(&json!("ReportBatchItemFailures"))),
                });
            }
            "AWS::SQS::Queue" => {
                let properties = resolver.resolve(properties)?;
                let redrive = properties.get("RedrivePolicy").map(|policy| {
                    let arn = text(&policy["deadLetterTargetArn"])?;
                    let most = policy["maxReceiveCount"].as_u64().ok_or("maxReceiveCount is no number")?;
                    Ok::<_, Error>((arn.rsplit(':').next().unwrap_or_default().to_owned(), u32::try_from(most)?))
                });
                self.queues.push(Queue {
                    name: text(&properties["QueueName"])?.to_owned(),
                    visibility_seconds: properties["VisibilityTimeout"].as_u64().unwrap_or(30),
                    delay_seconds: properties["DelaySeconds"].as_u64().unwrap_or(0),
                    fifo: properties["FifoQueue"] == true,
                    redrive: redrive.transpose()?,
                });
            }
            "AWS::DynamoDB::Table" => {
                let properties = resolver.resolve(properties)?;
                self.tables.push(Table { id: id.to_owned(), name: table_name(id), properties });
            }
            "AWS::SNS::Subscription" => {
                let properties = resolver.resolve(properties)?;
                let arn = text(&properties["Endpoint"])?;
                self.email_events = arn.rsplit(':').next().map(ToOwned::to_owned);
            }
            // These have no local counterpart: there is no IAM here, and one stage and one log.
            "AWS::ApiGatewayV2::Api"
            | "AWS::ApiGatewayV2::Stage"
            | "AWS::ApiGatewayV2::Integration"
            | "AWS::IAM::Role"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::Logs::LogGroup"
            | "AWS::CloudWatch::Alarm"
            | "AWS::SES::ConfigurationSet"
            | "AWS::SES::ConfigurationSetEventDestination"
            | "AWS::SNS::Topic"
            | "AWS::SNS::TopicPolicy"
            | "AWS::SQS::QueuePolicy" => {}
            other => return Err(format!("the local stack does not know {other}").into()),
        }
        Ok(())
    }

    fn add_function(&mut self, id: &str, resource: &Value, resolver: &Resolver<'_>) -> Result<(), Error> {
        let globals = &resolver.document["Globals"]["Function"];
        let properties = &resource["Properties"];
        let binary = resolver.binary(id)?;
        let mut environment = BTreeMap::new();
        for variables in [&globals["Environment"]["Variables"], &properties["Environment"]["Variables"]] {
            for (name, value) in variables.as_object().into_iter().flatten() {
                let value = resolver.resolve(value)?;
                let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
                environment.insert(name.clone(), value);
            }
        }
        for policy in properties["Policies"].as_array().into_iter().flatten() {
            let document = match policy["Ref"].as_str() {
                Some(managed) => &resolver.document["Resources"][managed]["Properties"]["PolicyDocument"],
                None => policy,
            };
            self.permissions.add(&binary, &resolver.resolve(document)?);
        }
        let timeout = properties.get("Timeout").or_else(|| globals.get("Timeout")).and_then(Value::as_u64);
        self.functions.push(Function {
            id: id.to_owned(),
            binary: binary.clone(),
            timeout_seconds: timeout.unwrap_or(3),
            environment,
        });
        Ok(())
    }
}

/// Follows references and evaluates conditions.
struct Resolver<'a> {
    document: &'a Value,
    endpoints: &'a Endpoints,
    overrides: &'a BTreeMap<String, String>,
}

impl Resolver<'_> {
    fn resolve(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Object(map) => match single(map) {
                Some(("Ref", name)) => self.reference(text(name)?),
                Some(("Fn::GetAtt", path)) => self.attribute(text(&path[0])?, text(&path[1])?),
                Some(("Fn::Sub", pattern)) => self.substitute(text(pattern)?).map(Value::from),
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
            return Ok(parameter["Default"].clone());
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

    fn substitute(&self, pattern: &str) -> Result<String, Error> {
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("a ${ is not closed")?;
            filled.push_str(before);
            let value = match name.split_once('.') {
                Some((resource, attribute)) => self.attribute(resource, attribute)?,
                None => self.reference(name)?,
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

    fn binary(&self, function: &str) -> Result<String, Error> {
        let metadata = &self.document["Resources"][function]["Metadata"];
        Ok(text(&metadata["BuildProperties"]["Binary"])?.to_owned())
    }
}

/// CloudFormation would make a name up; this one tells which table it is.
fn table_name(id: &str) -> String {
    format!("{STACK}-{id}")
}

fn single(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let mut entries = map.iter();
    let (name, value) = entries.next()?;
    entries.next().is_none().then_some((name.as_str(), value))
}

fn text(value: &Value) -> Result<&str, Error> {
    value.as_str().ok_or_else(|| format!("expected a text, found {value}").into())
}

/// A YAML node with CloudFormation's short tags written out: `!Ref X` becomes `{"Ref": "X"}`.
struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Tagged(Untagged(value), tag) = Tagged::<Untagged>::deserialize(deserializer)?;
        let Some(name) = tag.as_deref().and_then(|tag| tag.strip_prefix('!')).filter(|name| !name.is_empty()) else {
            return Ok(Self(value));
        };
        Ok(Self(match name {
            "Ref" => json!({ "Ref": value }),
            "GetAtt" => {
                let path = value.as_str().and_then(|path| path.split_once('.'));
                let (resource, attribute) = path.ok_or_else(|| D::Error::custom("!GetAtt needs Resource.Attribute"))?;
                json!({ "Fn::GetAtt": [resource, attribute] })
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

/// Where a value has a null in it, as the names that lead there.
fn null_in(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Object(map) => map.iter().find_map(|(name, value)| Some(format!(".{name}{}", null_in(value)?))),
        Value::Array(values) => values.iter().find_map(null_in),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(yaml: &str) -> Result<Template, Error> {
        let endpoints = Endpoints { api: "http://api".into(), sqs: "http://sqs".into() };
        Template::parse(yaml, &endpoints, &BTreeMap::new())
    }

    #[test]
    fn the_projects_template_is_understood() {
        let template = parse(include_str!("../../../template.yaml")).unwrap();

        assert_eq!(template.functions.len(), 28);
        assert_eq!(template.mappings.len(), 4);
        assert_eq!(template.queues.iter().filter(|queue| queue.redrive.is_some()).count(), 4);
        assert_eq!(template.email_events.as_deref(), Some("restock-email-events"));
        let sender = template.functions.iter().find(|function| function.binary == "send-email").unwrap();
        assert_eq!(sender.environment["PUBLIC_URL"], "http://api");
        assert_eq!(sender.environment["NOTIFICATIONS_QUEUE"], "http://sqs/000000000000/restock-notifications");
        // Each sender takes its share of the account's rate.
        let senders = template.mappings.iter().find(|mapping| mapping.function == "send-email").unwrap().concurrency;
        assert_eq!(sender.environment["SENDERS"], senders.to_string());
        let routes: Vec<_> = template.routes.iter().filter(|route| route.function == "update-stock-levels").collect();
        assert_eq!(routes.len(), 2);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let error = parse("Resources:\n  X:\n    Type: AWS::Kinesis::Stream\n").err().unwrap();

        assert_eq!(error.to_string(), "template.yaml, X: the local stack does not know AWS::Kinesis::Stream");
        let error = parse("Resources:\n  X:\n    Type: AWS::SQS::Queue\n    Properties:\n").err().unwrap();
        assert_eq!(error.to_string(), "template.yaml, X.Properties is empty, which CloudFormation refuses");
    }
}
