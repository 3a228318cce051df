//! Turns texts into the values parts ask for, and keeps every problem and every effective value on the way.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::secret::without_passwords;
use super::sources::{Found, key};
use super::variables::{self, Kind, Preset, Variable};
use super::{Problem, Setting, text};

/// Source of a value that nobody set.
pub(super) const DEFAULT: &str = "default";

/// Reads values of rows.
#[derive(Debug)]
pub(super) struct Reader {
    values: BTreeMap<String, Found>,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl Reader {
    pub(super) fn new(values: BTreeMap<String, Found>, problems: Vec<Problem>) -> Self {
        Self { values, settings: Vec::new(), problems }
    }

    /// Effective values in the order of the table, and problems, when all has been read.
    pub(super) fn finish(mut self) -> (Vec<Setting>, Vec<Problem>) {
        let place = |setting: &Setting| {
            let is_row = |row: &Variable| match row.prefix() {
                Some(prefix) => setting.name.starts_with(prefix),
                None => row.label() == setting.name,
            };
            variables::all().position(is_row)
        };
        self.settings.sort_by_cached_key(place);
        // A value that two parts ask for was read twice.
        self.settings.dedup();
        let mut problems: Vec<Problem> = Vec::new();
        for problem in self.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        (self.settings, problems)
    }

    /// True when someone set it.
    pub(super) fn is_set(&self, variable: &Variable) -> bool {
        self.values.contains_key(&key(variable))
    }

    pub(super) fn flag(&mut self, variable: &Variable) -> bool {
        self.read(variable, text::flag).unwrap_or_default()
    }

    /// A flag whose default is another's value.
    pub(super) fn flag_or(&mut self, variable: &Variable, default: bool) -> bool {
        match self.computed(variable, text::flag) {
            Some(flag) => flag,
            None if self.is_set(variable) => default,
            None => self.preset(variable, default),
        }
    }

    /// A number within bounds.
    pub(super) fn number<T>(&mut self, variable: &Variable, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        self.read(variable, |text| in_range(text, &range)).unwrap_or(*range.start())
    }

    /// A number whose default is worked out by its user; `None` when not set.
    pub(super) fn number_if_set<T>(&mut self, variable: &Variable, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        self.computed(variable, |text| in_range(text, &range)).or_else(|| self.left_to_its_user(variable))
    }

    pub(super) fn duration(&mut self, variable: &Variable) -> Duration {
        let Kind::Duration(unit) = variable.kind else { return Duration::ZERO };
        self.read(variable, |text| text::duration(text, unit)).unwrap_or_default()
    }

    /// A time for which zero means "none".
    pub(super) fn duration_unless_zero(&mut self, variable: &Variable) -> Option<Duration> {
        Some(self.duration(variable)).filter(|duration| !duration.is_zero())
    }

    /// A size of at least `least` bytes.
    pub(super) fn bytes(&mut self, variable: &Variable, least: usize) -> usize {
        self.read(variable, |text| at_least(text, least)).unwrap_or(least)
    }

    /// A size within bounds.
    pub(super) fn bytes_within(&mut self, variable: &Variable, range: RangeInclusive<u32>) -> u32 {
        let parse = |text: &str| {
            let bytes = u32::try_from(text::bytes(text)?).ok().filter(|bytes| range.contains(bytes));
            bytes.ok_or_else(|| format!("is not from {} to {} bytes", range.start(), range.end()))
        };
        self.read(variable, parse).unwrap_or(*range.start())
    }

    /// A size whose default is worked out by its user; `None` when not set.
    pub(super) fn bytes_if_set(&mut self, variable: &Variable, least: usize) -> Option<usize> {
        self.computed(variable, |text| at_least(text, least)).or_else(|| self.left_to_its_user(variable))
    }

    /// A size whose default was worked out.
    pub(super) fn bytes_or(&mut self, variable: &Variable, least: usize, default: usize) -> usize {
        match self.computed(variable, |text| at_least(text, least)) {
            Some(bytes) => bytes,
            None if self.is_set(variable) => default,
            None => self.preset(variable, default),
        }
    }

    pub(super) fn text(&mut self, variable: &Variable) -> Option<String> {
        self.read(variable, |text| Ok(text.to_owned()))
    }

    /// A text whose default is worked out by its user; `None` when not set.
    pub(super) fn text_if_set(&mut self, variable: &Variable) -> Option<String> {
        self.computed(variable, |text| Ok(text.to_owned())).or_else(|| self.left_to_its_user(variable))
    }

    pub(super) fn list(&mut self, variable: &Variable) -> Vec<String> {
        self.read(variable, |text| Ok(text::list(text))).unwrap_or_default()
    }

    /// One of the words of the row's kind, in any letter case; the answer is in that of the row.
    pub(super) fn choice(&mut self, variable: &Variable) -> Option<&'static str> {
        let Kind::Choice(words) = variable.kind else { return None };
        self.read(variable, |text| choose(text, words))
    }

    /// Any type that reads itself.
    pub(super) fn parsed<T: FromStr<Err = String>>(&mut self, variable: &Variable) -> Option<T> {
        self.read(variable, T::from_str)
    }

    /// A value written in JSON.
    pub(super) fn json<T: DeserializeOwned>(&mut self, variable: &Variable) -> Option<T> {
        self.read(variable, |text| serde_json::from_str(text).map_err(|error| format!("is not understood: {error}")))
    }

    /// The properties of a family that are set, by the rest of their name. What cannot be read is a problem.
    pub(super) fn family<T>(
        &mut self,
        variable: &Variable,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<(String, T)> {
        let Some(prefix) = variable.prefix() else { return Vec::new() };
        let members: Vec<(String, Found)> = self
            .values
            .iter()
            .filter(|(key, _)| key.starts_with(prefix))
            .map(|(key, found)| (key.clone(), found.clone()))
            .collect();
        let mut read = Vec::new();
        for (name, found) in members {
            match parse(&found.text) {
                Ok(value) => read.push((name[prefix.len()..].to_owned(), value)),
                Err(reason) => self.problems.push(problem(&name, variable, &found, &reason)),
            }
            self.settings.push(Setting::new(name, shown(variable, &found.text), found.source));
        }
        read
    }

    /// Tells what a value that nobody set was worked out to be.
    pub(super) fn preset<T: Display>(&mut self, variable: &Variable, value: T) -> T {
        let shown = shown(variable, &value.to_string());
        self.settings.push(Setting::new(variable.label(), shown, DEFAULT.to_owned()));
        value
    }

    fn left_to_its_user<T>(&mut self, variable: &Variable) -> Option<T> {
        if let Preset::Computed(words) = variable.default
            && !self.is_set(variable)
        {
            self.preset(variable, format_args!("({words})"));
        }
        None
    }

    /// Adds a problem that lies between several values.
    pub(super) fn problem(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        self.problems.push(Problem::new(name, reason));
    }

    fn read<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let set = self.values.get(&key(variable)).cloned();
        let found = set.or_else(|| match variable.default {
            Preset::Text(text) => Some(Found { text: text.to_owned(), source: DEFAULT.to_owned() }),
            Preset::Unset | Preset::Computed(_) => None,
        });
        let Some(found) = found else {
            self.settings.push(Setting::new(variable.label(), String::new(), DEFAULT.to_owned()));
            return None;
        };
        self.parse(variable, &found, parse)
    }

    /// As [`Reader::read`] for a default that is worked out: the caller tells it by [`Reader::preset`].
    fn computed<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let found = self.values.get(&key(variable)).cloned()?;
        self.parse(variable, &found, parse)
    }

    fn parse<T>(&mut self, variable: &Variable, found: &Found, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let setting = Setting::new(variable.label(), shown(variable, &found.text), found.source.clone());
        self.settings.push(setting);
        parse(&found.text)
            .map_err(|reason| self.problems.push(problem(&variable.label(), variable, found, &reason)))
            .ok()
    }
}

fn problem(name: &str, variable: &Variable, found: &Found, reason: &str) -> Problem {
    Problem::new(name, format!("\"{}\" {reason} ({})", shown(variable, &found.text), found.source))
}

/// A value as people may see it.
pub(super) fn shown(variable: &Variable, text: &str) -> String {
    match variable.kind {
        Kind::Secret => "***".to_owned(),
        Kind::Url => without_passwords(text),
        _ => text.to_owned(),
    }
}

fn in_range<T: FromStr + PartialOrd + Display>(text: &str, range: &RangeInclusive<T>) -> Result<T, String> {
    let number = text.trim().parse::<T>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("is not a number from {} to {}", range.start(), range.end()))
}

fn at_least(text: &str, least: usize) -> Result<usize, String> {
    let bytes = text::bytes(text)?;
    usize::try_from(bytes).ok().filter(|bytes| *bytes >= least).ok_or_else(|| format!("is less than {least} bytes"))
}

fn choose(text: &str, words: &'static str) -> Result<&'static str, String> {
    let chosen = words.split(", ").find(|word| word.eq_ignore_ascii_case(text.trim()));
    chosen.ok_or_else(|| format!("is none of {words}"))
}
