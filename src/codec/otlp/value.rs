//! Attribute values as text: what a tag or an annotation can hold.

use std::fmt::Write;

use serde_json::Value as Json;

use super::view::{Attribute, Value};

/// A value as a tag holds it: text as it is, a list of scalars joined by commas, anything nested as JSON. `text` is for
/// what has to be written.
pub(super) fn as_text<'t>(value: &'t Value<'_>, text: &'t mut String) -> &'t str {
    if let Value::Text(value) = value {
        return value;
    }
    text.clear();
    write_text(value, text);
    text
}

fn write_text(value: &Value<'_>, text: &mut String) {
    match value {
        Value::Empty => {}
        Value::Text(value) => text.push_str(value),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => {
            let _ = write!(text, "{value}");
        }
        Value::List(values) if values.iter().all(is_scalar) => {
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_text(value, text);
            }
        }
        Value::Double(number) => match to_json(value) {
            // Protobuf's JSON mapping has words for what JSON has no number for.
            Json::Null if number.is_nan() => text.push_str("NaN"),
            Json::Null => text.push_str(if *number > 0.0 { "Infinity" } else { "-Infinity" }),
            json => text.push_str(&json.to_string()),
        },
        Value::Bytes(bytes) => text.push_str(&base64(bytes)),
        Value::List(_) | Value::Map(_) => text.push_str(&to_json(value).to_string()),
    }
}

/// Attributes as a JSON object, in the order they were sent.
pub(super) fn write_json_object(attributes: &[Attribute<'_>], text: &mut String) {
    text.push('{');
    for (index, attribute) in attributes.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{}:{}", json_text(&attribute.key), to_json(&attribute.value));
    }
    text.push('}');
}

/// Text as JSON writes it, in quotes.
pub(super) fn json_text(text: &str) -> Json {
    Json::String(text.to_owned())
}

fn is_scalar(value: &Value<'_>) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_))
}

/// Depth is bounded by the decoders.
fn to_json(value: &Value<'_>) -> Json {
    match value {
        Value::Empty => Json::Null,
        Value::Text(value) => json_text(value),
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::from(*value),
        // NaN and the infinities have no JSON number.
        Value::Double(value) => serde_json::Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::List(values) => Json::Array(values.iter().map(to_json).collect()),
        Value::Map(members) => Json::Object(
            members.iter().map(|member| (member.key.clone().into_owned(), to_json(&member.value))).collect(),
        ),
        Value::Bytes(bytes) => Json::String(base64(bytes)),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
