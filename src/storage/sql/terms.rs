//! Terms: what a search may ask of tags and annotations, as checksums that lie beside the traces of a list.
//!
//! A list without the checksum of a term has no span with it. One with it may have one: 32 bits are shared now and then, which costs
//! candidates that do not match, never a wrong answer.

use crate::model::SpanRef;

/// Appends the terms of a span: the key of each tag, its key and value, the value of each annotation.
pub(super) fn of_span(span: &SpanRef<'_>, terms: &mut Vec<u32>) {
    for (key, value) in span.tags() {
        terms.push(key_term(key));
        terms.push(tag_term(key, value));
    }
    terms.extend(span.annotations().map(|(_, value)| key_term(value)));
}

/// What a query's condition asks for; without a value it is a tag's key or an annotation.
pub(super) fn asked(key: &str, value: &str) -> u32 {
    if value.is_empty() { key_term(key) } else { tag_term(key, value) }
}

fn key_term(key: &str) -> u32 {
    crc32fast::hash(key.as_bytes())
}

fn tag_term(key: &str, value: &str) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key.as_bytes());
    // No text of UTF-8 has such a byte.
    hasher.update(&[0xff]);
    hasher.update(value.as_bytes());
    hasher.finalize()
}

/// Sorts, and leaves out what is there already.
pub(super) fn fold(terms: &mut Vec<u32>) {
    terms.sort_unstable();
    terms.dedup();
}

/// As they are stored, and searched for by the engines: high byte first, one behind the other.
pub(super) fn encode(terms: &[u32]) -> Vec<u8> {
    terms.iter().flat_map(|term| term.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::spans_from_json;

    #[test]
    fn all_that_a_search_may_ask_for_is_a_term() {
        let spans = spans_from_json(
            r#"[{"traceId":"1","id":"1","tags":{"http.path":"/a","empty":""},"annotations":[{"timestamp":5,"value":"ws"}]}]"#,
        );
        let mut terms = Vec::new();
        of_span(&spans.get(0).unwrap(), &mut terms);
        for (key, value) in [("http.path", ""), ("http.path", "/a"), ("empty", ""), ("ws", "")] {
            assert!(terms.contains(&asked(key, value)), "{key}={value}");
        }
        for (key, value) in [("http.path", "/b"), ("http", ""), ("ws", "x"), ("/a", "")] {
            assert!(!terms.contains(&asked(key, value)), "{key}={value}");
        }
    }

    /// Rows hold these numbers.
    #[test]
    fn terms_stay_as_they_are() {
        assert_eq!(key_term("123456789"), 0xcbf4_3926);
        assert_eq!(tag_term("", ""), crc32fast::hash(&[0xff]));
        let mut terms = vec![3, 1, 3, 0x0102_0304];
        fold(&mut terms);
        assert_eq!(encode(&terms), [0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4]);
    }
}
