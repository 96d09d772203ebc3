//! Helpers for JSON values.

use serde_json::Value;

/// Reads a snowflake from a field of an object.
pub(super) fn id_in(object: &Value, key: &str) -> Option<u64> {
    object.get(key)?.as_str()?.parse().ok()
}

/// Writes `changes` over `target`: objects field by field, everything else as a whole.
pub(super) fn merge(target: &mut Value, changes: &Value) {
    match (target, changes) {
        (Value::Object(target), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(target.entry(key).or_insert(Value::Null), change);
            }
        }
        (target, changes) => *target = changes.clone(),
    }
}

/// The elements of an array; none for anything else.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The length of a string in code points, as Discord counts it; 0 for anything else.
pub(super) fn chars(value: &Value) -> usize {
    value.as_str().map_or(0, |text| text.chars().count())
}

/// Sets the field that a JSON pointer names; `None` removes it.
pub(super) fn malform(value: &mut Value, pointer: &str, field: Option<Value>) {
    let (parent, key) = pointer.rsplit_once('/').unwrap_or_default();
    match (value.pointer_mut(parent), field) {
        (Some(Value::Object(fields)), Some(field)) => drop(fields.insert(key.to_owned(), field)),
        (Some(Value::Object(fields)), None) => drop(fields.remove(key)),
        (parent, _) => panic!("{pointer} is no field of an object: {parent:?}"),
    }
}
