//! Where settings come from, in zipkin's order of precedence, and the library that lays one over the other.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::Problem;
use super::files;
use super::placeholder;
use super::variables::{self, Variable};

/// The environment of a process, or of a test.
pub trait EnvSource {
    /// One variable.
    fn get(&self, name: &str) -> Option<String>;
    /// The names of all variables.
    fn names(&self) -> Vec<String>;
}

/// The environment of this process. Variables that are not UTF-8 are left out.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnv;

impl EnvSource for ProcessEnv {
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn names(&self) -> Vec<String> {
        std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).collect()
    }
}

impl EnvSource for HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        HashMap::get(self, name).cloned()
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// A value that is set, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) text: String,
    pub(super) source: String,
}

/// All values that are set, by [`key`] or full property, and names that mean nothing here, by source.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) values: BTreeMap<String, Found>,
    pub(super) unknown: Vec<(String, Vec<String>)>,
    pub(super) problems: Vec<Problem>,
}

/// The name a row's value is kept under.
pub(super) fn key(variable: &Variable) -> String {
    variable.label()
}

/// Reads all sources.
pub(super) fn gather(properties: &[(String, String)], env: &dyn EnvSource, directory: &Path) -> Gathered {
    let mut gathered = Gathered::default();
    let index = Index::new();
    let mut figment = Figment::new().merge(short_variables(env));
    for file in files::FILES {
        match file.read(directory) {
            Ok(Some(entries)) => figment = figment.merge(gathered.layer(&index, file.name, entries, env)),
            Ok(None) => {}
            Err(reason) => gathered.problems.push(Problem::new(file.name, reason)),
        }
    }
    figment = figment.merge(gathered.full_names(&index, env));
    let java_opts = env.get("JAVA_OPTS").unwrap_or_default();
    figment = figment.merge(gathered.layer(&index, "JAVA_OPTS", system_properties(&java_opts), env));
    figment = figment.merge(gathered.layer(&index, "argument", properties.to_vec(), env));
    gathered.values = found(&figment);
    gathered
}

impl Gathered {
    /// Entries of a file or of arguments, by property or short name.
    fn layer(&mut self, index: &Index, source: &str, entries: Vec<(String, String)>, env: &dyn EnvSource) -> Layer {
        let mut layer = Layer { source: source.to_owned(), values: BTreeMap::new() };
        let mut unknown = Vec::new();
        for (name, text) in entries {
            let Some(key) = index.by_property(&name) else {
                unknown.push(name);
                continue;
            };
            match placeholder::resolve(&text, env) {
                Ok(text) => layer.set(key, text),
                Err(reason) => self.problems.push(Problem::new(format!("{name} in {source}"), reason)),
            }
        }
        if !unknown.is_empty() {
            unknown.sort();
            self.unknown.push((source.to_owned(), unknown));
        }
        layer
    }

    /// Environment variables made from full property names.
    fn full_names(&mut self, index: &Index, env: &dyn EnvSource) -> Layer {
        let mut layer = Layer { source: "environment".to_owned(), values: BTreeMap::new() };
        let mut unknown = Vec::new();
        for name in env.names() {
            match index.by_environment_name(&name) {
                Some(key) => layer.set(key, env.get(&name).unwrap_or_default()),
                None if name.starts_with("ZIPKIN_") && !index.is_short(&name) && !is_service_link(&name) => {
                    unknown.push(name);
                }
                None => {}
            }
        }
        if !unknown.is_empty() {
            unknown.sort();
            self.unknown.push(("environment".to_owned(), unknown));
        }
        layer
    }
}

/// Kubernetes describes a service called `zipkin` to every container in variables like these.
fn is_service_link(name: &str) -> bool {
    name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_PORT")
}

/// The short variables. The preferred of two names wins.
fn short_variables(env: &dyn EnvSource) -> Layer {
    let mut layer = Layer { source: "environment".to_owned(), values: BTreeMap::new() };
    for variable in variables::all() {
        let set = variable.names.iter().filter_map(|name| env.get(name)).find(|text| !text.is_empty());
        layer.set(key(variable), set.unwrap_or_default());
    }
    layer
}

/// `-Dname=value` among the options of a JVM.
fn system_properties(options: &str) -> Vec<(String, String)> {
    let of_jvm =
        |name: &str| !["zipkin.", "zipkind.", "server.", "logging.", "armeria."].iter().any(|p| name.starts_with(p));
    options
        .split_whitespace()
        .filter_map(|option| option.strip_prefix("-D")?.split_once('='))
        .filter(|(name, _)| !of_jvm(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Values of one source.
#[derive(Debug)]
struct Layer {
    source: String,
    values: BTreeMap<String, String>,
}

impl Layer {
    /// An empty value means "not set", as in zipkin.
    fn set(&mut self, key: String, text: String) {
        if !text.is_empty() {
            self.values.insert(key, text);
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict: Dict = self.values.iter().map(|(key, text)| (key.clone(), Value::from(text.clone()))).collect();
        Ok(Profile::Default.collect(dict))
    }
}

fn found(figment: &Figment) -> BTreeMap<String, Found> {
    let data = figment.data().unwrap_or_default();
    let values = data.into_values().flatten();
    values
        .filter_map(|(key, value)| {
            let source =
                figment.get_metadata(value.tag()).map_or_else(String::new, |metadata| metadata.name.to_string());
            Some((key, Found { text: value.into_string()?, source }))
        })
        .collect()
}

/// Finds rows by the names that people write. Letter case, dashes and underscores do not matter, as in zipkin.
#[derive(Debug)]
struct Index {
    exact: HashMap<String, &'static Variable>,
    families: Vec<&'static Variable>,
}

impl Index {
    fn new() -> Self {
        let mut index = Self { exact: HashMap::new(), families: Vec::new() };
        for variable in variables::all() {
            if variable.prefix().is_some() {
                index.families.push(variable);
            } else if !variable.property.is_empty() {
                index.exact.insert(squeeze(variable.property), variable);
            }
        }
        index
    }

    fn is_short(&self, name: &str) -> bool {
        variables::all().any(|variable| variable.names.contains(&name))
    }

    /// The key of a property, or of a short name that stands in a file.
    fn by_property(&self, name: &str) -> Option<String> {
        if let Some(variable) = self.exact.get(&squeeze(name)) {
            return Some(key(variable));
        }
        if let Some(variable) = variables::all().find(|variable| variable.names.contains(&name)) {
            return Some(key(variable));
        }
        let family = self.families.iter().find_map(|family| family.prefix().filter(|prefix| name.starts_with(prefix)));
        family.map(|_| name.to_owned())
    }

    fn by_environment_name(&self, name: &str) -> Option<String> {
        if name.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        if let Some(variable) = self.exact.get(&squeeze(name)) {
            return Some(key(variable));
        }
        self.families.iter().find_map(|family| {
            let rest = name.strip_prefix(&family.environment_name())?;
            let rest = rest.trim_start_matches('_').replace('_', ".").to_ascii_lowercase();
            (!rest.is_empty()).then(|| format!("{}{rest}", family.prefix().unwrap_or_default()))
        })
    }
}

fn squeeze(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '.' | '-' | '_')).map(|c| c.to_ascii_lowercase()).collect()
}
