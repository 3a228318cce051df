#![no_main]

use libfuzzer_sys::fuzz_target;
use zipkind::model::QueryRequest;

fuzz_target!(|text: &str| {
    let terms = QueryRequest::parse_annotation_query(text);
    // Zipkin splits into 100 pieces at most, and each key is asked for once.
    assert!(terms.len() <= 100);
    for (index, (key, value)) in terms.iter().enumerate() {
        assert!(terms[..index].iter().all(|(other, _)| other != key));
        assert!(text.contains(key.as_str()) && text.contains(value.as_str()));
    }
});
