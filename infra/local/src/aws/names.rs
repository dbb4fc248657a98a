//! The account and region of the local stack, and how things in it are named.

pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "eu-north-1";
pub const STACK: &str = "restock";

pub fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}")
}

pub fn queue_url(sqs: &str, name: &str) -> String {
    format!("{sqs}/{ACCOUNT}/{name}")
}

pub fn table_arn(name: &str) -> String {
    format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}")
}

/// Returns the name of a table. CloudFormation would make one up; this one tells which table it is.
pub fn table_name(id: &str) -> String {
    format!("{STACK}-{id}")
}

/// Returns the last part of an ARN or a URL.
pub fn last_part(name: &str) -> &str {
    name.rsplit([':', '/']).next().unwrap_or_default()
}
