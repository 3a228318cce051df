//! JSON compared by meaning: `0` equals `0.0`.

use serde_json::Value;

/// True when two values mean the same. Order matters in lists, not in objects.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        _ => a == b,
    }
}

/// The elements of a list as sorted text, for lists whose order says nothing.
pub(crate) fn as_set(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("not a list: {list}"));
    let mut texts: Vec<_> = list.iter().map(Value::to_string).collect();
    texts.sort();
    texts
}
