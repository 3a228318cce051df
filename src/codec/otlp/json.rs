//! OTLP's JSON mapping into the protobuf types.
//!
//! `opentelemetry-proto` can read JSON too, but wants members that senders leave out (`schemaUrl`), so the mapping stands
//! here: every member optional, `null` is absence, ids in hex, 64-bit numbers as numbers or text, enums as numbers or names,
//! unknown members ignored (OTLP specification, "JSON Protobuf Encoding").

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1 as common;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::resource::v1::Resource as ResourceProto;
use opentelemetry_proto::tonic::trace::v1 as trace;
use opentelemetry_proto::tonic::trace::v1::span::{Event as EventProto, Link as LinkProto, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

/// Reads a request; serde_json bounds the depth.
pub(super) fn read(body: &[u8]) -> Result<ExportTraceServiceRequest, serde_json::Error> {
    let request: Request = serde_json::from_slice(body)?;
    Ok(ExportTraceServiceRequest { resource_spans: request.resource_spans.into_iter().map(Into::into).collect() })
}

/// A list, absent or `null` being empty.
type List<T> = Vec<T>;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request {
    #[serde(deserialize_with = "or_default")]
    resource_spans: List<ResourceSpans>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans {
    resource: Option<Resource>,
    #[serde(deserialize_with = "or_default")]
    scope_spans: List<ScopeSpans>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    #[serde(deserialize_with = "or_default")]
    attributes: List<KeyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScopeSpans {
    scope: Option<Scope>,
    #[serde(deserialize_with = "or_default")]
    spans: List<Span>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Scope {
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    version: String,
    #[serde(deserialize_with = "or_default")]
    attributes: List<KeyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Span {
    #[serde(deserialize_with = "hex")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    span_id: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    parent_span_id: Vec<u8>,
    #[serde(deserialize_with = "or_default")]
    trace_state: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "span_kind")]
    kind: i32,
    #[serde(deserialize_with = "number")]
    start_time_unix_nano: u64,
    #[serde(deserialize_with = "number")]
    end_time_unix_nano: u64,
    #[serde(deserialize_with = "or_default")]
    attributes: List<KeyValue>,
    #[serde(deserialize_with = "or_default")]
    events: List<Event>,
    #[serde(deserialize_with = "or_default")]
    links: List<Link>,
    #[serde(deserialize_with = "number")]
    dropped_attributes_count: u32,
    #[serde(deserialize_with = "number")]
    dropped_events_count: u32,
    #[serde(deserialize_with = "number")]
    dropped_links_count: u32,
    status: Option<Status>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event {
    #[serde(deserialize_with = "number")]
    time_unix_nano: u64,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    attributes: List<KeyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Link {
    #[serde(deserialize_with = "hex")]
    trace_id: Vec<u8>,
    #[serde(deserialize_with = "hex")]
    span_id: Vec<u8>,
    #[serde(deserialize_with = "or_default")]
    attributes: List<KeyValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    message: String,
    #[serde(deserialize_with = "status_code")]
    code: i32,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct KeyValue {
    #[serde(deserialize_with = "or_default")]
    key: String,
    value: Option<AnyValue>,
}

/// Exactly one member is set; an object without any is an empty value.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AnyValue {
    string_value: Option<String>,
    bool_value: Option<bool>,
    int_value: Option<Number>,
    double_value: Option<Number>,
    bytes_value: Option<String>,
    array_value: Option<Values<AnyValue>>,
    kvlist_value: Option<Values<KeyValue>>,
}

#[derive(Deserialize)]
struct Values<T> {
    #[serde(default = "Vec::new")]
    values: List<T>,
}

/// A number, or the text of one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
}

impl Number {
    fn parse<T: std::str::FromStr>(&self) -> Result<T, String> {
        let text = match self {
            Self::Integer(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => text.clone(),
        };
        text.parse().map_err(|_| format!("{text:?} is no number of this field"))
    }
}

fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn number<'de, D: Deserializer<'de>, T: std::str::FromStr + Default>(from: D) -> Result<T, D::Error> {
    Option::<Number>::deserialize(from)?.map_or(Ok(T::default()), |number| number.parse().map_err(D::Error::custom))
}

fn hex<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = Option::<String>::deserialize(from)?.unwrap_or_default();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().ok_or_else(|| D::Error::custom(format!("{text:?} is not hex")))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EnumValue {
    Number(i32),
    Name(String),
}

fn span_kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    Ok(match Option::deserialize(from)? {
        None => 0,
        Some(EnumValue::Number(number)) => number,
        Some(EnumValue::Name(name)) => SpanKind::from_str_name(&name).map_or(0, |kind| kind as i32),
    })
}

fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    Ok(match Option::deserialize(from)? {
        None => 0,
        Some(EnumValue::Number(number)) => number,
        Some(EnumValue::Name(name)) => StatusCode::from_str_name(&name).map_or(0, |code| code as i32),
    })
}

fn attributes(list: List<KeyValue>) -> Vec<common::KeyValue> {
    list.into_iter().map(Into::into).collect()
}

impl From<ResourceSpans> for trace::ResourceSpans {
    fn from(from: ResourceSpans) -> Self {
        let resource = from
            .resource
            .map(|resource| ResourceProto { attributes: attributes(resource.attributes), ..Default::default() });
        Self { resource, scope_spans: from.scope_spans.into_iter().map(Into::into).collect(), ..Default::default() }
    }
}

impl From<ScopeSpans> for trace::ScopeSpans {
    fn from(from: ScopeSpans) -> Self {
        let scope = from.scope.map(|scope| common::InstrumentationScope {
            name: scope.name,
            version: scope.version,
            attributes: attributes(scope.attributes),
            ..Default::default()
        });
        Self { scope, spans: from.spans.into_iter().map(Into::into).collect(), ..Default::default() }
    }
}

impl From<Span> for trace::Span {
    fn from(from: Span) -> Self {
        let event = |event: Event| EventProto {
            time_unix_nano: event.time_unix_nano,
            name: event.name,
            attributes: attributes(event.attributes),
            ..Default::default()
        };
        let link = |link: Link| LinkProto {
            trace_id: link.trace_id,
            span_id: link.span_id,
            attributes: attributes(link.attributes),
            ..Default::default()
        };
        Self {
            trace_id: from.trace_id,
            span_id: from.span_id,
            parent_span_id: from.parent_span_id,
            trace_state: from.trace_state,
            name: from.name,
            kind: from.kind,
            start_time_unix_nano: from.start_time_unix_nano,
            end_time_unix_nano: from.end_time_unix_nano,
            attributes: attributes(from.attributes),
            events: from.events.into_iter().map(event).collect(),
            links: from.links.into_iter().map(link).collect(),
            dropped_attributes_count: from.dropped_attributes_count,
            dropped_events_count: from.dropped_events_count,
            dropped_links_count: from.dropped_links_count,
            status: from.status.map(|status| trace::Status { message: status.message, code: status.code }),
            ..Default::default()
        }
    }
}

impl From<KeyValue> for common::KeyValue {
    fn from(from: KeyValue) -> Self {
        Self { key: from.key, value: from.value.map(Into::into), ..Default::default() }
    }
}

impl From<AnyValue> for common::AnyValue {
    fn from(from: AnyValue) -> Self {
        let list =
            |list: Values<AnyValue>| common::ArrayValue { values: list.values.into_iter().map(Into::into).collect() };
        let map = |map: Values<KeyValue>| common::KeyValueList { values: attributes(map.values) };
        // A number or base64 text that does not read back is kept as the text it was.
        let int = |number: Number| match number.parse() {
            Ok(value) => Value::IntValue(value),
            Err(text) => Value::StringValue(text),
        };
        let double = |number: Number| match number.parse() {
            Ok(value) => Value::DoubleValue(value),
            Err(text) => Value::StringValue(text),
        };
        let value = from
            .string_value
            .map(Value::StringValue)
            .or(from.bool_value.map(Value::BoolValue))
            .or(from.int_value.map(int))
            .or(from.double_value.map(double))
            // Base64 in, base64 out: a tag holds bytes in that form anyway.
            .or(from.bytes_value.map(Value::StringValue))
            .or(from.array_value.map(|values| Value::ArrayValue(list(values))))
            .or(from.kvlist_value.map(|values| Value::KvlistValue(map(values))));
        Self { value }
    }
}
