//! The table as Markdown, for the README.

use super::{Effect, Kind, Preset, SECTIONS, TimeUnit, Variable};

/// A headline and a table for each section.
#[must_use]
pub fn reference_markdown() -> String {
    let mut text = String::new();
    for section in SECTIONS {
        text.push_str(&format!("### {}\n\n", section.title));
        text.push_str("| Variable | Property | Default | Value | What it does |\n|---|---|---|---|---|\n");
        for variable in section.rows {
            text.push_str(&row(variable));
        }
        text.push('\n');
    }
    text
}

fn row(variable: &Variable) -> String {
    let names = match variable.names {
        [] => vec![variable.environment_name()],
        names => names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let property = if variable.property.is_empty() { "-".to_owned() } else { format!("`{}`", variable.property) };
    let default = match variable.default {
        Preset::Unset => "-".to_owned(),
        Preset::Text(_) if variable.kind == Kind::Secret => "`***`".to_owned(),
        Preset::Text(text) => format!("`{text}`"),
        Preset::Computed(words) => words.to_owned(),
    };
    let effect = match variable.effect {
        Effect::Used => String::new(),
        Effect::Mapped(how) => format!(". Here: {how}"),
        Effect::Nothing(reason) => format!(". **No effect**: {reason}"),
    };
    let meaning = variable.meaning;
    format!("| {} | {property} | {default} | {} | {meaning}{effect} |\n", names.join(", "), value(variable.kind))
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Flag => "true, false".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Duration(TimeUnit::Milliseconds) => "time; bare: ms".to_owned(),
        Kind::Duration(TimeUnit::Seconds) => "time; bare: s".to_owned(),
        Kind::Bytes => "bytes".to_owned(),
        Kind::Choice(words) => words.to_owned(),
        Kind::Text => "text".to_owned(),
        Kind::List => "comma list".to_owned(),
        Kind::Url => "address".to_owned(),
        Kind::Secret => "secret".to_owned(),
    }
}
