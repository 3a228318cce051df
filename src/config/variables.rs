//! The one table of everything that can be set. The README's reference is made from it, and nothing else holds a default
//! as text.
//!
//! A part that is added brings its rows: a file below this one, and a line in [`SECTIONS`].

mod collectors;
mod embedded;
mod foreign;
mod ingest;
mod kafka;
mod limits;
mod operation;
mod query;
mod queues;
mod reference;
mod servers;

pub(super) use collectors::*;
pub(super) use embedded::*;
pub(super) use ingest::*;
pub(super) use kafka::*;
pub(super) use limits::*;
pub(super) use operation::*;
pub(super) use query::*;
pub use reference::reference_markdown;
pub(super) use servers::*;

/// One thing that can be set.
#[derive(Debug)]
pub struct Variable {
    /// Short environment variables, the preferred first; none where only the property has a name.
    pub names: &'static [&'static str],
    /// The full property: an argument `--property=value`, a key in a file, and an environment variable. One that ends in
    /// `*` stands for all properties of that prefix; empty for a variable without one.
    pub property: &'static str,
    /// What values look like.
    pub kind: Kind,
    /// What holds when it is not set.
    pub default: Preset,
    /// What becomes of it here.
    pub effect: Effect,
    /// What it does.
    pub meaning: &'static str,
}

/// What values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// A whole number, or a share.
    Number,
    /// A time with its unit (`11s`, `100ms`); a bare number is of the given unit.
    Duration(TimeUnit),
    /// Bytes: a number, or one with a unit (`64MiB`).
    Bytes,
    /// One of some words.
    Choice(&'static str),
    /// Any text.
    Text,
    /// Texts with commas between them.
    List,
    /// An address that may hold a password, which is never shown.
    Url,
    /// Never shown.
    Secret,
}

/// The unit of a bare number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// What holds when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Nothing.
    Unset,
    /// This text, read as if it had been set.
    Text(&'static str),
    /// Worked out at start; the words say how.
    Computed(&'static str),
}

/// What becomes of a variable here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It means what it says.
    Used,
    /// It acts on something that is built in another way here; the words say how.
    Mapped(&'static str),
    /// It is understood and does nothing; the words are logged at start when it is set.
    Nothing(&'static str),
}

/// Rows of one part.
#[derive(Debug)]
pub struct Section {
    /// Headline in the reference.
    pub title: &'static str,
    /// The rows.
    pub rows: &'static [&'static Variable],
}

/// All rows, in the order of the reference.
pub static SECTIONS: &[Section] = &[
    Section { title: "Server and logs", rows: operation::ROWS },
    Section { title: "Query and UI", rows: query::ROWS },
    Section { title: "Collectors", rows: collectors::ROWS },
    Section { title: "Buffer between collectors and storage", rows: ingest::ROWS },
    Section { title: "Limits", rows: limits::ROWS },
    Section { title: "Storage", rows: embedded::ROWS },
    Section { title: "Storage in SQL servers", rows: servers::ROWS },
    Section { title: "Storage in other servers", rows: foreign::ROWS },
    Section { title: "Kafka", rows: kafka::ROWS },
    Section { title: "Message queues and RPC", rows: queues::ROWS },
];

/// Every row.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    SECTIONS.iter().flat_map(|section| section.rows.iter().copied())
}

impl Variable {
    /// Name to speak of it: the preferred short one, else the property's as an environment variable.
    #[must_use]
    pub fn label(&self) -> String {
        self.names.first().map_or_else(|| self.environment_name(), |name| (*name).to_owned())
    }

    /// The environment variable made from the full property.
    #[must_use]
    pub fn environment_name(&self) -> String {
        self.property.trim_end_matches(['.', '*']).replace(['.', '-'], "_").to_ascii_uppercase()
    }

    /// The part before `*` when the row stands for all properties of a prefix.
    #[must_use]
    pub fn prefix(&self) -> Option<&'static str> {
        self.property.strip_suffix('*')
    }
}

/// Writes rows and the list of them: `NAME: kind, default, effect, [short names], "property", "meaning";`.
macro_rules! variables {
    ($($name:ident: $kind:expr, $default:expr, $effect:expr, [$($short:literal),*], $property:literal, $meaning:literal;)*) => {
        $(
            #[doc = $meaning]
            pub(in crate::config) static $name: $crate::config::variables::Variable = $crate::config::variables::Variable {
                names: &[$($short),*],
                property: $property,
                kind: $kind,
                default: $default,
                effect: $effect,
                meaning: $meaning,
            };
        )*
        /// The rows of this section.
        pub(super) static ROWS: &[&$crate::config::variables::Variable] = &[$(&$name),*];
    };
}
use variables;

#[cfg(test)]
mod tests;
