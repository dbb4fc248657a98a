//! The parts of a batch that are left undone, and what its answer says of them.

use crate::faults::{Draw, Spec};
use serde_json::{Map, Value, json};

/// What was left undone, in the words of an answer.
#[derive(Default)]
pub struct Left {
    member: &'static str,
    value: Value,
    /// Answers by their place, if the batch is answered part by part.
    at: Vec<(usize, Value)>,
    /// Nothing of the batch is to be done.
    pub nothing_else: bool,
}

impl Left {
    pub fn add_to(self, answer: &mut Value) {
        if !self.at.is_empty() {
            let mut answers = answer[self.member].as_array().cloned().unwrap_or_default();
            for (place, left) in self.at {
                answers.insert(place.min(answers.len()), left);
            }
            answer[self.member] = answers.into();
            return;
        }
        if self.value.is_null() {
            return;
        }
        match (&mut answer[self.member], self.value) {
            (Value::Array(there), Value::Array(left)) => there.extend(left),
            (Value::Object(there), Value::Object(left)) => there.extend(left),
            (there, left) => *there = left,
        }
    }
}

/// Takes statements out of a batch: each is throttled by itself, in an answer that is a 200.
pub fn leave_statements(body: &mut Value, mut is_left: impl FnMut(&Value) -> bool) -> Left {
    let Some(statements) = body["Statements"].as_array_mut() else { return Left::default() };
    let error = json!({ "Error": { "Code": "ThrottlingError", "Message": "injected" } });
    let at = take_out(statements, |statement| is_left(statement).then(|| error.clone()));
    Left { member: "Responses", at, nothing_else: statements.is_empty(), ..Left::default() }
}

/// Takes mails out of a bulk request: half of them throttled, and half with a status that does not tell. Returns how
/// many of these there are.
pub fn leave_mails(body: &mut Value, chance: f64, draw: &mut Draw) -> (Left, u64) {
    let Some(entries) = body["BulkEmailEntries"].as_array_mut() else { return Default::default() };
    let mut ambiguous = 0;
    let at = take_out(entries, |_| {
        let status = match (draw.strikes(chance), draw.strikes(0.5)) {
            (false, _) => return None,
            (true, true) => "ACCOUNT_THROTTLED",
            (true, false) => "TRANSIENT_FAILURE",
        };
        ambiguous += u64::from(status == "TRANSIENT_FAILURE");
        Some(json!({ "Status": status, "Error": "injected" }))
    });
    (Left { member: "BulkEmailEntryResults", at, nothing_else: entries.is_empty(), ..Left::default() }, ambiguous)
}

/// Takes out of a list what has an answer already, and returns the answers by their place.
fn take_out(list: &mut Vec<Value>, mut answer: impl FnMut(&Value) -> Option<Value>) -> Vec<(usize, Value)> {
    let (mut at, mut place) = (Vec::new(), 0);
    list.retain(|one| {
        let left = answer(one);
        at.extend(left.clone().map(|left| (place, left)));
        place += 1;
        left.is_none()
    });
    at
}

pub fn leave_entries(body: &mut Value, chance: f64, draw: &mut Draw) -> Left {
    let Some(entries) = body["Entries"].as_array_mut() else { return Left::default() };
    let (left, kept): (Vec<Value>, Vec<Value>) =
        std::mem::take(entries).into_iter().partition(|_| draw.strikes(chance));
    *entries = kept;
    let failed = |entry: &Value| json!({ "Id": entry["Id"], "Code": "InternalError", "SenderFault": false });
    let value = if left.is_empty() { Value::Null } else { left.iter().map(failed).collect() };
    Left { member: "Failed", value, nothing_else: entries.is_empty(), ..Left::default() }
}

/// Makes messages come late or twice.
pub fn disturb_messages(body: &mut Value, spec: &Spec, draw: &mut Draw) {
    let Some(entries) = body["Entries"].as_array_mut() else { return };
    let mut copies = Vec::new();
    for entry in entries.iter_mut().filter(|entry| entry["MessageGroupId"].is_null()) {
        if draw.strikes(spec.delay) {
            let late = draw.up_to(spec.delay_ms).as_secs() + 1;
            entry["DelaySeconds"] = json!(entry["DelaySeconds"].as_u64().unwrap_or(0) + late);
        }
        if draw.strikes(spec.duplicate) {
            let mut copy = entry.clone();
            copy["Id"] = json!(format!("{}-again", entry["Id"].as_str().unwrap_or_default()));
            copies.push(copy);
        }
    }
    // A request has ten entries at most.
    copies.truncate(10 - entries.len().min(10));
    entries.extend(copies);
}

pub fn leave_items(body: &mut Value, operation: &str, chance: f64, draw: &mut Draw) -> Left {
    let member = match operation {
        "BatchGetItem" => "UnprocessedKeys",
        "BatchWriteItem" => "UnprocessedItems",
        _ => return Left::default(),
    };
    let Some(tables) = body["RequestItems"].as_object_mut() else { return Left::default() };
    let mut left = Map::new();
    for (table, asked) in tables.iter_mut() {
        let mut rest = asked.clone();
        let (list, rest_list) = match operation {
            "BatchGetItem" => (asked["Keys"].as_array_mut(), rest["Keys"].as_array_mut()),
            _ => (asked.as_array_mut(), rest.as_array_mut()),
        };
        let (Some(list), Some(rest_list)) = (list, rest_list) else { continue };
        let (undone, kept): (Vec<Value>, Vec<Value>) =
            std::mem::take(list).into_iter().partition(|_| draw.strikes(chance));
        *list = kept;
        *rest_list = undone;
        if !rest_list.is_empty() {
            left.insert(table.clone(), rest);
        }
    }
    tables.retain(|_, asked| !asked.as_array().or(asked["Keys"].as_array()).is_none_or(Vec::is_empty));
    let value = if left.is_empty() { Value::Null } else { Value::Object(left) };
    Left { member, value, nothing_else: tables.is_empty(), ..Left::default() }
}
