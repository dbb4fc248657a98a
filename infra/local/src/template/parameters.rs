//! What a deployment refuses of the values of parameters.

use crate::Error;
use regex_lite::Regex;
use serde_json::{Map, Value};

/// Returns an error if CloudFormation refuses one of the values, or the deployment does, which takes no fractions.
pub fn check(declared: &Value, given: &[(String, String)]) -> Result<(), Error> {
    for (name, value) in given {
        let parameter = declared[name].as_object().ok_or_else(|| format!("template.yaml has no parameter {name}"))?;
        if let Some(why) = refusal(parameter, value)? {
            return Err(format!("{name}={value:?} can't be deployed: it {why}").into());
        }
    }
    Ok(())
}

/// Returns what a value must be, if it is not.
fn refusal(parameter: &Map<String, Value>, value: &str) -> Result<Option<String>, Error> {
    if let Some(allowed) = parameter.get("AllowedValues").and_then(Value::as_array) {
        let allowed: Vec<String> =
            allowed.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
        if !allowed.iter().any(|one| one == value) {
            return Ok(Some(format!("must be one of {}", allowed.join(", "))));
        }
    }
    if let Some(pattern) = parameter.get("AllowedPattern").and_then(Value::as_str)
        && !Regex::new(pattern)?.is_match(value)
    {
        let said = parameter.get("ConstraintDescription").and_then(Value::as_str);
        return Ok(Some(said.map_or_else(|| format!("must match {pattern}"), str::to_owned)));
    }
    if parameter.get("Type").and_then(Value::as_str) == Some("Number") {
        let bound = |name: &str| parameter.get(name).and_then(Value::as_i64);
        let (min, max) = (bound("MinValue").unwrap_or(i64::MIN), bound("MaxValue").unwrap_or(i64::MAX));
        if !value.parse::<i64>().is_ok_and(|number| (min..=max).contains(&number)) {
            return Ok(Some(format!("must be a whole number from {min} to {max}")));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::document;
    use super::*;

    #[test]
    fn a_value_that_a_deployment_refuses_is_refused_with_what_it_must_be() {
        let template = document(include_str!("../../../../template.yaml")).unwrap();
        let check = |name: &str, value: &str| {
            let given = [(name.to_owned(), value.to_owned())];
            check(&template["Parameters"], &given).map_err(|error| error.to_string())
        };

        for (name, value) in [
            ("DemandThreshold", "0"),
            ("FunctionLogDays", "14"),
            ("ShowPlaces", "true"),
            ("PublicUrl", ""),
            ("PublicUrl", "https://stock.shop.example"),
            ("Sender", "Shop <mail@shop.example>"),
            ("Restart", "again"),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}={value}");
        }
        for (name, value, why) in [
            ("DemandThreshold", "abc", "a whole number from 0 to 10000"),
            ("DemandThreshold", "0.5", "a whole number"),
            ("DemandThreshold", "10001", "a whole number"),
            ("FunctionLogDays", "2", "one of 1, 3, 5"),
            ("ShowPlaces", "yes", "one of true, false"),
            ("PublicUrl", "http://stock.shop.example", "must be https"),
            ("Sender", "", "must"),
            ("Nothing", "", "no parameter Nothing"),
        ] {
            let refused = check(name, value).unwrap_err();
            assert!(refused.contains(why), "{name}={value}: {refused}");
        }
    }
}
