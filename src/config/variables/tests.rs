use std::collections::HashSet;

use super::*;

#[test]
fn no_two_rows_share_a_name() {
    let mut seen = HashSet::new();
    for variable in all() {
        for name in variable.names {
            assert!(seen.insert((*name).to_owned()), "{name}");
        }
        if !variable.property.is_empty() {
            let environment_name = variable.environment_name();
            let own = variable.names.contains(&environment_name.as_str());
            assert!(own || seen.insert(environment_name.clone()), "{environment_name}");
            assert!(seen.insert(variable.property.to_owned()), "{}", variable.property);
        } else {
            assert!(!variable.names.is_empty(), "a row needs a name");
        }
    }
}

#[test]
fn every_variable_of_zipkin_has_a_row() {
    let known: HashSet<String> = all()
        .flat_map(|variable| variable.names.iter().map(|name| (*name).to_owned()).chain([variable.property.to_owned()]))
        .collect();
    let listed = include_str!("zipkin_names.txt");
    for name in listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        assert!(known.contains(name), "{name} has no row");
    }
    assert!(listed.lines().count() > 150);
}

#[test]
fn the_reference_has_a_line_for_every_row() {
    let reference = reference_markdown();
    for variable in all() {
        assert!(reference.contains(&format!("`{}`", variable.label())), "{}", variable.label());
    }
    let rows = reference.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, all().count());
}
