//! Attribute values as text: what a tag or an annotation can hold.

use std::fmt::Write;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use serde_json::Value as Json;

/// Writes a value as a tag holds it: text as it is, a list of scalars joined by commas, anything nested as JSON.
pub(super) fn write_text(value: Option<&AnyValue>, text: &mut String) {
    text.clear();
    match value.and_then(|any| any.value.as_ref()) {
        None => {}
        Some(Value::StringValue(value)) => text.push_str(value),
        Some(Value::BoolValue(value)) => text.push_str(if *value { "true" } else { "false" }),
        Some(Value::IntValue(value)) => {
            let _ = write!(text, "{value}");
        }
        Some(Value::ArrayValue(list)) if list.values.iter().all(is_scalar) => {
            let mut item = String::new();
            for (index, value) in list.values.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write_text(Some(value), &mut item);
                text.push_str(&item);
            }
        }
        Some(value @ Value::DoubleValue(number)) => match to_json(value) {
            Json::Null => {
                let _ = write!(text, "{number}");
            }
            json => text.push_str(&json.to_string()),
        },
        Some(value) => match to_json(value) {
            Json::String(base64) => text.push_str(&base64),
            json => text.push_str(&json.to_string()),
        },
    }
}

/// Attributes as a JSON object, in the order they were sent.
pub(super) fn write_json_object(attributes: &[KeyValue]) -> String {
    let mut text = String::from("{");
    for (index, attribute) in attributes.iter().enumerate() {
        let value = attribute.value.as_ref().and_then(|any| any.value.as_ref()).map_or(Json::Null, to_json);
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{}:{value}", Json::String(attribute.key.clone()));
    }
    text.push('}');
    text
}

fn is_scalar(value: &AnyValue) -> bool {
    !matches!(value.value, Some(Value::ArrayValue(_) | Value::KvlistValue(_)))
}

/// Depth is bounded by the decoders: prost stops at 100 levels, serde_json at 128.
fn to_json(value: &Value) -> Json {
    let inner = |any: &AnyValue| any.value.as_ref().map_or(Json::Null, to_json);
    match value {
        Value::StringValue(value) => Json::String(value.clone()),
        Value::BoolValue(value) => Json::Bool(*value),
        Value::IntValue(value) => Json::from(*value),
        // NaN and the infinities have no JSON number.
        Value::DoubleValue(value) => serde_json::Number::from_f64(*value).map_or(Json::Null, Json::Number),
        Value::ArrayValue(list) => Json::Array(list.values.iter().map(inner).collect()),
        Value::KvlistValue(list) => {
            let members = list.values.iter();
            Json::Object(members.map(|kv| (kv.key.clone(), kv.value.as_ref().map_or(Json::Null, inner))).collect())
        }
        Value::BytesValue(bytes) => Json::String(base64(bytes)),
        // A reference into a string table that only profiles have; a trace cannot resolve it.
        Value::StringValueStrindex(index) => Json::from(*index),
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}
