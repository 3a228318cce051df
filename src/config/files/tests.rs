use super::*;

fn sorted(mut entries: Entries) -> Vec<(String, String)> {
    entries.sort();
    entries
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn properties_have_their_own_escapes() {
    let entries = parse_properties(b"# c\nzipkin.ui.environment = a\\u0041 \\\n  b\nserver.port:9\n").unwrap();
    assert_eq!(entries, pairs(&[("zipkin.ui.environment", "aA b"), ("server.port", "9")]));
}

#[test]
fn nested_and_dotted_names_of_toml_and_yaml_are_the_same() {
    let toml = b"QUERY_PORT = 1\n[zipkin.storage]\ntype = 'mem'\nautocomplete-keys = ['a', 'b']\n";
    let yaml = b"QUERY_PORT: 1\nzipkin.storage:\n  type: mem\n  autocomplete-keys: [a, b]\n  nothing: null\n";
    let expected =
        pairs(&[("QUERY_PORT", "1"), ("zipkin.storage.autocomplete-keys", "a,b"), ("zipkin.storage.type", "mem")]);
    assert_eq!(sorted(parse_toml(toml).unwrap()), expected);
    assert_eq!(sorted(parse_yaml(yaml).unwrap()), expected);
}

#[test]
fn documents_of_a_profile_do_not_count() {
    let yaml = b"server:\n  port: 1\n---\nspring:\n  config:\n    activate:\n      on-profile: x\nserver:\n  port: 2\n";
    assert_eq!(parse_yaml(yaml).unwrap(), pairs(&[("server.port", "1")]));
}

#[test]
fn a_list_of_maps_is_numbered() {
    let yaml = b"armeria:\n  ports:\n    - port: 1\n      protocols: [https]\n";
    assert_eq!(
        sorted(parse_yaml(yaml).unwrap()),
        pairs(&[("armeria.ports[0].port", "1"), ("armeria.ports[0].protocols", "https")])
    );
}

#[test]
fn a_broken_file_is_told_with_its_place() {
    assert!(parse_toml(b"a = \n").unwrap_err().contains("line 1"));
    assert!(parse_yaml(b"a: [1\n").is_err());
    assert!(parse_toml(&[0xff]).is_err());
}

#[test]
fn an_empty_yaml_file_sets_nothing() {
    assert_eq!(parse_yaml(b"").unwrap(), []);
    assert_eq!(parse_yaml(b"# only a comment\n").unwrap(), []);
}
