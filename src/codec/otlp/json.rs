//! OTLP's JSON mapping (OTLP specification, "JSON Protobuf Encoding"): every member optional, `null` is absence, ids in hex,
//! 64-bit numbers as numbers or text, enums as numbers or names, unknown members ignored.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::OtlpError;
use super::convert::{Converter, ResourceTags, ScopeTags};
use super::view::{Attribute, Id, Resource, Scope, Span, Value};

/// Hands every span of the message to `converter`. serde_json bounds the depth.
pub(super) fn read(body: &[u8], converter: &mut Converter<'_>) -> Result<(), OtlpError> {
    let malformed = |error: String| OtlpError::Malformed(error, "json");
    // Checked once, not for each text.
    let text = std::str::from_utf8(body).map_err(|error| malformed(error.to_string()))?;
    let request: Request<'_> = serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?;
    for resource_spans in &request.resource_spans {
        let resource = ResourceTags::new(&resource_spans.resource.attributes);
        for scope_spans in &resource_spans.scope_spans {
            let scope = ScopeTags::new(&scope_spans.scope);
            for span in &scope_spans.spans {
                converter.add(&resource, &scope, span)?;
            }
        }
    }
    Ok(())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    resource_spans: Vec<ResourceSpans<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceSpans<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    resource: Resource<'a>,
    #[serde(borrow, deserialize_with = "or_default")]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScopeSpans<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    scope: Scope<'a>,
    #[serde(borrow, deserialize_with = "or_default")]
    spans: Vec<Span<'a>>,
}

/// `null` is absence.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
    match Option::<Scalar<'de>>::deserialize(from)? {
        None => Ok(Cow::Borrowed("")),
        Some(Scalar::Text(text)) => Ok(text),
        Some(other) => Err(D::Error::custom(format!("{other} where text is expected"))),
    }
}

pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Id, D::Error> {
    let text = text(from)?;
    Id::from_hex(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not hex")))
}

pub(super) fn number<'de, D: Deserializer<'de>, T: FromStr + Default + TryFrom<u64>>(from: D) -> Result<T, D::Error> {
    let Some(scalar) = Option::<Scalar<'de>>::deserialize(from)? else { return Ok(T::default()) };
    let number = match &scalar {
        Scalar::Unsigned(number) => T::try_from(*number).ok(),
        other => other.parse(),
    };
    number.ok_or_else(|| D::Error::custom(format!("{scalar} is no number of this field")))
}

/// `Span.SpanKind`; a name from the future is none.
pub(super) fn kind<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 6] = [
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ];
    enumeration(from, &NAMES)
}

/// `Status.StatusCode`.
pub(super) fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<i32, D::Error> {
    enumeration(from, &["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"])
}

fn enumeration<'de, D: Deserializer<'de>>(from: D, names: &[&str]) -> Result<i32, D::Error> {
    match Option::<Scalar<'de>>::deserialize(from)? {
        None => Ok(0),
        Some(Scalar::Text(name)) => {
            let known = names.iter().position(|known| *known == name);
            Ok(known.map_or(0, |number| number as i32))
        }
        Some(scalar) => scalar.parse().ok_or_else(|| D::Error::custom(format!("{scalar} is no value of this field"))),
    }
}

/// Anything that is no list and no object.
enum Scalar<'a> {
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// A number, or the text of one.
    fn parse<T: FromStr>(&self) -> Option<T> {
        match self {
            Self::Bool(_) => None,
            Self::Text(text) => text.parse().ok(),
            number => number.to_string().parse().ok(),
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Signed(number) => write!(f, "{number}"),
            Self::Unsigned(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or text")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Signed(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Unsigned(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Float(number))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(AnyValueVisitor)
    }
}

/// `AnyValue`: one member is set; an object without any is an empty value.
struct AnyValueVisitor;

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Member {
    StringValue,
    BytesValue,
    BoolValue,
    IntValue,
    DoubleValue,
    ArrayValue,
    KvlistValue,
    #[serde(other)]
    Unknown,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct List<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    values: Vec<Value<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Map<'a> {
    #[serde(borrow, deserialize_with = "or_default")]
    values: Vec<Attribute<'a>>,
}

impl<'de> Visitor<'de> for AnyValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an AnyValue")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut members: M) -> Result<Value<'de>, M::Error> {
        let mut value = Value::Empty;
        while let Some(member) = members.next_key()? {
            let read = match member {
                // Base64 in, base64 out: a tag holds bytes in that form anyway.
                Member::StringValue | Member::BytesValue => members.next_value::<Option<Scalar<'de>>>()?.map(as_sent),
                Member::BoolValue => members.next_value::<Option<bool>>()?.map(Value::Bool),
                Member::IntValue => members.next_value::<Option<Scalar<'de>>>()?.map(integer),
                Member::DoubleValue => members.next_value::<Option<Scalar<'de>>>()?.map(double),
                Member::ArrayValue => members.next_value::<Option<List<'de>>>()?.map(|list| Value::List(list.values)),
                Member::KvlistValue => members.next_value::<Option<Map<'de>>>()?.map(|map| Value::Map(map.values)),
                Member::Unknown => {
                    members.next_value::<IgnoredAny>()?;
                    None
                }
            };
            value = read.unwrap_or(value);
        }
        Ok(value)
    }
}

/// What does not read back as its type is kept as the text it was.
fn as_sent(scalar: Scalar<'_>) -> Value<'_> {
    match scalar {
        Scalar::Text(text) => Value::Text(text),
        other => Value::Text(Cow::Owned(other.to_string())),
    }
}

fn integer(scalar: Scalar<'_>) -> Value<'_> {
    scalar.parse().map_or_else(|| as_sent(scalar), Value::Int)
}

fn double(scalar: Scalar<'_>) -> Value<'_> {
    scalar.parse().map_or_else(|| as_sent(scalar), Value::Double)
}
