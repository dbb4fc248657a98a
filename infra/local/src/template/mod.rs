//! `template.yaml` as far as the local stack needs it: what is not understood is an error, not a guess.

mod loops;
mod parameters;
mod resolver;
mod yaml;

use crate::Error;
use crate::aws::names::{last_part, queue_url, table_name};
use crate::faults::permissions::Permissions;
use resolver::{Resolver, text};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use yaml::Node;

/// Where the emulators answer; what some references resolve to.
pub struct Endpoints {
    pub api: String,
    pub sqs: String,
}

/// The resources that the template deploys, with every reference resolved.
pub struct Template {
    pub functions: Vec<Function>,
    pub routes: Vec<Route>,
    pub queues: Vec<Queue>,
    pub tables: Vec<Table>,
    pub mappings: Vec<Mapping>,
    pub schedules: Vec<Schedule>,
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
    pub memory_mb: u64,
    /// `RecursiveLoop` is `Allow`.
    pub may_loop: bool,
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
    /// Two messages with one body within five minutes are one.
    pub deduplicates_content: bool,
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

/// A message that is put on a queue again and again.
pub struct Schedule {
    pub every: Duration,
    pub queue: String,
    /// The message group, for a FIFO queue.
    pub group: Option<String>,
    message: String,
    /// The logical id of the role that sends it.
    pub role: String,
}

impl Schedule {
    /// Returns the message of a moment, with what EventBridge Scheduler fills in.
    pub fn message_at(&self, at: jiff::Timestamp) -> String {
        self.message.replace("<aws.scheduler.scheduled-time>", &at.to_string())
    }
}

impl Queue {
    pub fn url(&self, sqs: &str) -> String {
        queue_url(sqs, &self.name)
    }
}

/// Returns the function that each route of a template leads to, such as `GET /api/{version}/feeds`. The default route
/// is left out.
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
    /// Returns the function with this binary, which a test knows to exist.
    #[cfg(test)]
    fn function(&self, binary: &str) -> &Function {
        self.functions.iter().find(|function| function.binary == binary).expect("the function exists")
    }

    pub fn parse(yaml: &str, endpoints: &Endpoints, overrides: &BTreeMap<String, String>) -> Result<Self, Error> {
        let mut document = document(yaml)?;
        let resources = document["Resources"].as_object().ok_or("template.yaml has no Resources")?;
        let resources = loops::unrolled(resources)?;
        document["Resources"] = json!(resources);
        if let Some(unknown) = overrides.keys().find(|name| document["Parameters"].get(name).is_none()) {
            return Err(format!("template.yaml has no parameter {unknown}").into());
        }
        let resolver = Resolver { document: &document, endpoints, overrides };
        let mut template = Self {
            functions: vec![],
            routes: vec![],
            queues: vec![],
            tables: vec![],
            mappings: vec![],
            schedules: vec![],
            email_events: None,
            permissions: Permissions::default(),
        };
        for (id, resource) in &resources {
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
                let route = resolver.resolve(properties)?;
                let key = text(&route["RouteKey"])?;
                let integration = text(&route["Target"])?.trim_start_matches("integrations/");
                let uri = &resolver.document["Resources"][integration]["Properties"]["IntegrationUri"];
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
                    queue: last_part(arn).to_owned(),
                    function,
                    batch_size: mapping["BatchSize"].as_u64().unwrap_or(10) as usize,
                    window_seconds: mapping["MaximumBatchingWindowInSeconds"].as_u64().unwrap_or(0),
                    concurrency: whole_number(&mapping["ScalingConfig"]["MaximumConcurrency"]).unwrap_or(5) as usize,
                    partial_failures: responses.is_some_and(|types| types.contains(&json!("ReportBatchItemFailures"))),
                });
            }
            "AWS::SQS::Queue" => {
                let properties = resolver.resolve(properties)?;
                let redrive = properties.get("RedrivePolicy").map(|policy| {
                    let arn = text(&policy["deadLetterTargetArn"])?;
                    let most = policy["maxReceiveCount"].as_u64().ok_or("maxReceiveCount is no number")?;
                    Ok::<_, Error>((last_part(arn).to_owned(), u32::try_from(most)?))
                });
                self.queues.push(Queue {
                    name: text(&properties["QueueName"])?.to_owned(),
                    visibility_seconds: properties["VisibilityTimeout"].as_u64().unwrap_or(30),
                    delay_seconds: properties["DelaySeconds"].as_u64().unwrap_or(0),
                    fifo: properties["FifoQueue"] == true,
                    deduplicates_content: properties["ContentBasedDeduplication"] == true,
                    redrive: redrive.transpose()?,
                });
            }
            "AWS::DynamoDB::Table" => {
                let properties = resolver.resolve(properties)?;
                self.tables.push(Table { id: id.to_owned(), name: table_name(id), properties });
            }
            "AWS::Scheduler::Schedule" => {
                let target = &properties["Target"];
                let role = text(&target["RoleArn"]["Fn::GetAtt"][0])?.to_owned();
                self.schedules.push(Schedule {
                    every: period(text(&properties["ScheduleExpression"])?)?,
                    queue: last_part(text(&resolver.resolve(&target["Arn"])?)?).to_owned(),
                    group: target["SqsParameters"]["MessageGroupId"].as_str().map(ToOwned::to_owned),
                    message: text(&resolver.resolve(&target["Input"])?)?.to_owned(),
                    role,
                });
            }
            "AWS::IAM::Role" => {
                for policy in properties["Policies"].as_array().into_iter().flatten() {
                    self.permissions.add(id, &resolver.resolve(&policy["PolicyDocument"])?);
                }
            }
            "AWS::SNS::Subscription" => {
                let properties = resolver.resolve(properties)?;
                let arn = text(&properties["Endpoint"])?;
                self.email_events = Some(last_part(arn).to_owned());
            }
            // The stack makes them itself, as its functions may be started by something else.
            "Custom::Secrets" => {}
            // These have no local counterpart: there is one stage, which throttles nobody, and one log, and policies
            // are read with the functions.
            "AWS::ApiGatewayV2::Api"
            | "AWS::ApiGatewayV2::Stage"
            | "AWS::ApiGatewayV2::Integration"
            | "AWS::Lambda::Permission"
            | "AWS::Scheduler::ScheduleGroup"
            | "AWS::IAM::ManagedPolicy"
            | "AWS::Logs::LogGroup"
            | "AWS::Logs::MetricFilter"
            | "AWS::CloudWatch::Alarm"
            | "AWS::CloudWatch::Dashboard"
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
        let number = |name: &str| match properties.get(name).or_else(|| globals.get(name)) {
            Some(value) => Ok::<_, Error>(whole_number(&resolver.resolve(value)?)),
            None => Ok(None),
        };
        self.functions.push(Function {
            id: id.to_owned(),
            binary: binary.clone(),
            timeout_seconds: number("Timeout")?.unwrap_or(3),
            memory_mb: number("MemorySize")?.unwrap_or(128),
            may_loop: properties["RecursiveLoop"] == "Allow",
            environment,
        });
        Ok(())
    }
}

/// Reads a number, which may be written as a text, as those of mappings are that also go into environments.
fn whole_number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

/// Reads `rate(1 day)`, as EventBridge Scheduler has it.
fn period(expression: &str) -> Result<Duration, Error> {
    let rate = expression.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).and_then(|rate| {
        let (count, unit) = rate.split_once(' ')?;
        let minutes = match unit.trim_end_matches('s') {
            "minute" => 1,
            "hour" => 60,
            "day" => 24 * 60,
            _ => return None,
        };
        Some(Duration::from_secs(count.parse::<u64>().ok()? * minutes * 60))
    });
    rate.ok_or_else(|| format!("the schedule expression {expression} is not understood").into())
}

/// Returns an error if a deployment would refuse one of these values of the template's parameters.
pub fn check_parameters(yaml: &str, given: &[(String, String)]) -> Result<(), Error> {
    parameters::check(&document(yaml)?["Parameters"], given)
}

fn document(yaml: &str) -> Result<Value, Error> {
    let options = serde_saphyr::options! { strict_booleans: true };
    let Node(document) = serde_saphyr::from_str_with_options(yaml, options)?;
    Ok(document)
}

/// Returns where a value has a null in it, as the names that lead there.
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
    use crate::aws::names::queue_arn;

    fn parse(yaml: &str) -> Result<Template, Error> {
        let endpoints = Endpoints { api: "http://api".into(), sqs: "http://sqs".into() };
        Template::parse(yaml, &endpoints, &BTreeMap::new())
    }

    fn projects() -> Template {
        parse(include_str!("../../../../template.yaml")).unwrap()
    }

    #[test]
    fn the_projects_template_is_understood() {
        let template = projects();

        assert_eq!(template.email_events.as_deref(), Some("restock-email-events"));
        assert_eq!(template.function("send-email").environment["PUBLIC_URL"], "http://api");
        let queue = &template.function("send-email").environment["NOTIFICATIONS_QUEUE"];
        assert_eq!(queue, "http://sqs/000000000000/restock-notifications");
        for mapping in &template.mappings {
            let queue = template.queues.iter().find(|queue| queue.name == mapping.queue).unwrap();
            assert!(queue.redrive.is_some(), "{} has no dead-letter queue", queue.name);
            // Else Lambda refuses the mapping.
            assert!(queue.visibility_seconds >= template.function(&mapping.function).timeout_seconds, "{}", queue.name);
        }
    }

    #[test]
    fn one_parameter_sizes_senders_and_those_that_handle_their_events() {
        let size = |throughput: &str| {
            let endpoints = Endpoints { api: String::new(), sqs: String::new() };
            let parameters = BTreeMap::from([("Throughput".to_owned(), throughput.to_owned())]);
            let yaml = include_str!("../../../../template.yaml");
            let template = Template::parse(yaml, &endpoints, &parameters).unwrap();
            let concurrency = |function: &str| {
                template.mappings.iter().find(|mapping| mapping.function == function).unwrap().concurrency
            };
            let sender = template.function("send-email");
            // Each sender takes its share of the account's rate.
            assert_eq!(sender.environment["SENDERS"], concurrency("send-email").to_string());
            (concurrency("send-email"), sender.memory_mb, concurrency("record-email-events"))
        };

        assert_eq!(size("standard"), (2, 512, 2));
        assert_eq!(size("high"), (8, 1024, 8));
    }

    #[test]
    fn a_setting_that_repeats_a_fact_of_the_template_agrees_with_it() {
        let template = projects();
        let setting = |function, name: &str| template.function(function).environment[name].clone();

        for function in ["match-stock", "send-email", "import-feed", "finish-erasure"] {
            let timeout = template.function(function).timeout_seconds;
            assert_eq!(setting(function, "TIMEOUT_SECONDS"), timeout.to_string());
        }
        let subscribing = template.function("create-subscription").timeout_seconds;
        assert_eq!(setting("match-stock", "SUBSCRIBING_SECONDS"), subscribing.to_string());
        let imports = template.queues.iter().find(|queue| queue.name == "restock-feed-imports.fifo").unwrap();
        let (_, max_receives) = imports.redrive.clone().unwrap();
        assert_eq!(setting("import-feed", "MAX_RECEIVES"), max_receives.to_string());
    }

    #[test]
    fn secrets_are_read_by_functions_that_need_them_and_made_by_one() {
        let template = projects();
        let may_touch = |kind: &str| {
            let functions = template.functions.iter().map(|function| function.binary.as_str());
            let mut may: Vec<&str> =
                functions.filter(|function| template.permissions.may_touch(function, kind)).collect();
            may.sort_unstable();
            may
        };

        let recognise = [
            "create-contact",
            "delete-contact",
            "import-contacts",
            "import-subscriptions",
            "make-secrets",
            "record-email-events",
            "send-email",
            "unsubscribe",
            "update-contact",
        ];
        assert_eq!(may_touch("secret"), recognise, "docs/decisions/0006 says why");
        assert_eq!(may_touch("link-key"), ["create-subscription", "make-secrets", "send-email", "unsubscribe"]);
    }

    #[test]
    fn a_function_that_may_send_to_its_own_queue_may_be_invoked_by_that_without_end() {
        let template = projects();
        for mapping in &template.mappings {
            let feeds_itself =
                template.permissions.allows(&mapping.function, "sqs:SendMessage", &queue_arn(&mapping.queue));
            assert_eq!(
                template.function(&mapping.function).may_loop,
                feeds_itself,
                "RecursiveLoop of {}",
                mapping.function
            );
        }
    }

    #[test]
    fn a_schedule_may_send_to_its_queue_and_a_function_takes_it() {
        let template = projects();
        assert!(!template.schedules.is_empty());
        for schedule in &template.schedules {
            assert!(template.permissions.allows(&schedule.role, "sqs:SendMessage", &queue_arn(&schedule.queue)));
            assert!(template.mappings.iter().any(|mapping| mapping.queue == schedule.queue), "{}", schedule.queue);
            assert!(schedule.every >= Duration::from_secs(60), "no rate is shorter than a minute");
            let queue = template.queues.iter().find(|queue| queue.name == schedule.queue).unwrap();
            // A schedule names no deduplication id, without which a FIFO queue takes nothing.
            assert_eq!(
                (queue.fifo, queue.deduplicates_content),
                (schedule.group.is_some(), queue.fifo),
                "{}",
                schedule.queue
            );
        }
        assert!(period("rate(15 minutes)").is_ok() && period("cron(0 3 * * ? *)").is_err());
    }

    #[test]
    fn every_setting_is_a_text() {
        // An emulator that takes CloudFormation strictly does not start a function with a number.
        let Node(document) = serde_saphyr::from_str(include_str!("../../../../template.yaml")).unwrap();
        for (id, resource) in document["Resources"].as_object().unwrap() {
            let variables = resource["Properties"]["Environment"]["Variables"].as_object();
            for (name, value) in variables.into_iter().flatten() {
                assert!(!value.is_number() && !value.is_boolean(), "{id}: {name} is {value}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let error = parse("Resources:\n  X:\n    Type: AWS::Kinesis::Stream\n").err().unwrap();

        assert_eq!(error.to_string(), "template.yaml, X: the local stack does not know AWS::Kinesis::Stream");
        let error = parse("Resources:\n  X:\n    Type: AWS::SQS::Queue\n    Properties:\n").err().unwrap();
        assert_eq!(error.to_string(), "template.yaml, X.Properties is empty, which CloudFormation refuses");
    }
}
