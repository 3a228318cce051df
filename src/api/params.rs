//! Query parameters, read as zipkin reads them: case-sensitive, the first of a name counts, `+` is a blank.

use std::convert::Infallible;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::error::ApiError;

/// The decoded parameters of one request.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    pub(crate) fn parse(query: &str) -> Self {
        Self { pairs: form_urlencoded::parse(query.as_bytes()).into_owned().collect() }
    }

    /// The value of a parameter, empty when it was sent without one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated parameter.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| value.clone()).collect()
    }

    /// The value of a parameter, `None` also when it is empty.
    pub(crate) fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there; it may be empty.
    pub(crate) fn mandatory(&self, name: &str) -> Result<&str, ApiError> {
        let missing = || ApiError::bad_request(format!("Mandatory parameter/header/attribute is missing: {name}"));
        self.get(name).ok_or_else(missing)
    }

    /// A number that may be left out or empty.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, ApiError> {
        self.non_empty(name).map(parse_number).transpose()
    }

    /// A number that must not be empty: the peer's primitive types.
    pub(crate) fn primitive<T: FromStr>(&self, name: &str, value: &str) -> Result<T, ApiError> {
        if value.is_empty() {
            return Err(ApiError::bad_request(format!("Cannot set null to primitive type parameter: {name}")));
        }
        parse_number(value)
    }
}

/// Decimal with an optional sign, nothing else.
fn parse_number<T: FromStr>(value: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| ApiError::bad_request(format!("For input string: \"{value}\"")))
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn the_first_of_a_name_counts_and_letter_case_matters() {
        let params = Params::parse("a=1&a=2&A=3&b&c=x+y%2Bz%C3%A9&name%5B%5D=q");
        assert_eq!(params.get("a"), Some("1"));
        assert_eq!(params.get("b"), Some(""));
        assert_eq!(params.get("c"), Some("x y+zé"));
        assert_eq!(params.get("B"), None);
        assert_eq!(params.all("a"), ["1", "2"]);
        assert_eq!(params.all("name[]"), ["q"]);
    }

    #[test]
    fn numbers_are_decimal_with_an_optional_sign() {
        let number = |query: &str| Params::parse(query).number::<i64>("n");
        assert_eq!(number("n=%2B5").unwrap(), Some(5));
        assert_eq!(number("n=-5").unwrap(), Some(-5));
        assert_eq!(number("n=").unwrap(), None);
        assert_eq!(refused(number("n=+5")), "For input string: \" 5\"");
        assert_eq!(refused(number("n=1.5")), "For input string: \"1.5\"");
        assert_eq!(refused(Params::parse("n=99999999999").number::<i32>("n")), "For input string: \"99999999999\"");
    }

    #[test]
    fn mandatory_parameters_are_named_when_missing() {
        let params = Params::parse("servicename=a");
        assert_eq!(
            refused(params.mandatory("serviceName")),
            "Mandatory parameter/header/attribute is missing: serviceName"
        );
    }
}
