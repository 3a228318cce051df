//! The house rules that a machine can check: import layers, file length, documented variables, no open ends, no paths of
//! one machine. Each checker is a function of a file's name and text, so it is itself tested on bad examples.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panic")]

use std::fs;
use std::path::{Path, PathBuf};

use zipkind::config::variables;

/// Modules by layer: a module imports only those of lower layers, never beside or above.
const LAYERS: &[&[&str]] = &[
    &["model", "telemetry"],
    &["codec", "storage"],
    &["ingest", "query"],
    &["web"],
    &["transport", "api"],
    &["config"],
    &["server"],
];

/// What lies in `src/storage` and is not a backend.
const STORAGE_SHARED: &[&str] = &[
    "conformance",
    "error",
    "index",
    "metered",
    "red_metrics",
    "retry",
    "scan",
    "scripted",
    "sql",
    "timeout",
    "traced",
    "types",
];

/// Most lines of a file without its tests.
const LINES_MAX: usize = 600;
/// Files that may be longer, and why.
const LONGER: &[(&str, &str)] = &[];

/// Folders that hold what is made or fetched, not written.
const NOT_WRITTEN: &[&str] = &["target", "node_modules", "dist", ".git", "golden", "corpora", "evidence"];
/// Endings of files that people write.
const WRITTEN: &[&str] = &["rs", "ts", "tsx", "css", "html", "md", "toml", "sql", "sh", "py", "yml", "json", ""];

#[test]
fn modules_import_only_lower_layers() {
    assert_tidy(&["src"], layer_violations);
}

#[test]
fn storage_backends_do_not_see_each_other() {
    let backends = storage_backends();
    assert!(backends.contains(&"sqlite".to_owned()) && backends.contains(&"memory".to_owned()), "{backends:?}");
    assert_tidy(&["src/storage"], |name, text| backend_violations(&backends, name, text));
}

#[test]
fn files_are_short_or_have_a_reason() {
    assert_tidy(&["src", "ui/src"], length_violations);
    for (name, reason) in LONGER {
        let text = fs::read_to_string(root().join(name)).unwrap_or_default();
        assert!(!reason.is_empty() && lines_without_tests(&text) > LINES_MAX, "{name} needs no exception any more");
    }
}

#[test]
fn nothing_is_left_open() {
    assert_tidy(&["src", "tests", "ui/src", "ui/test", "scripts", "docs", "docker", "migrations"], open_ends);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    assert_tidy(&["."], machine_paths);
}

/// `UPDATE_README=1 cargo test --test tidy` writes the table.
#[test]
fn the_readme_lists_every_variable_as_the_table_does() {
    const START: &str = "<!-- variables: made from src/config/variables, see tests/tidy.rs -->\n";
    const END: &str = "<!-- end of variables -->\n";
    let path = root().join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(START).expect("the README has a place for variables");
    let (listed, after) = rest.split_once(END).expect("the place for variables ends");
    let expected = format!("\n{}", variables::reference_markdown());
    #[allow(clippy::disallowed_methods, reason = "a switch of this test, not of the server")]
    if std::env::var("UPDATE_README").is_ok() {
        fs::write(&path, format!("{before}{START}{expected}{END}{after}")).unwrap();
        return;
    }
    assert!(listed == expected, "the README's variables are not the table's: UPDATE_README=1 cargo test --test tidy");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a checker on every written file below the folders, and fails with all it says.
fn assert_tidy(folders: &[&str], check: impl Fn(&str, &str) -> Vec<String>) {
    let mut files = Vec::new();
    for folder in folders {
        written_files(&root().join(folder), &mut files);
    }
    assert!(!files.is_empty(), "nothing to check in {folders:?}");
    let mut violations = Vec::new();
    for path in files {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let name = path.strip_prefix(root()).unwrap().to_string_lossy().trim_start_matches("./").to_owned();
        violations.extend(check(&name, &text));
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn written_files(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            if !NOT_WRITTEN.contains(&name.as_str()) {
                written_files(&path, files);
            }
        } else if !NOT_WRITTEN.contains(&name.as_str())
            && !name.contains("lock")
            && WRITTEN.contains(&path.extension().map_or("", |e| e.to_str().unwrap_or("?")))
        {
            files.push(path);
        }
    }
}

/// Lines of code with comments and the insides of strings taken out; numbers count from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, String)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, code_of(line)))
}

fn code_of(line: &str) -> String {
    let mut code = String::new();
    let mut in_string = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if in_string => drop(chars.next()),
            '"' => in_string = !in_string,
            '/' if !in_string && chars.peek() == Some(&'/') => break,
            _ if in_string => {}
            _ => code.push(c),
        }
    }
    code
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// The top module a file of `src` belongs to.
fn module_of(name: &str) -> &str {
    let path = name.trim_start_matches("src/");
    path.split(['/', '.']).next().unwrap_or_default()
}

fn layer_violations(name: &str, text: &str) -> Vec<String> {
    let module = module_of(name);
    if matches!(module, "main" | "lib") {
        return Vec::new();
    }
    let shown = name.trim_start_matches("src/");
    let Some(layer) = layer_of(module) else {
        return vec![format!("{shown}: {module} has no place among the layers")];
    };
    let imports = imports_of(text);
    let wrong = imports
        .into_iter()
        .filter(|(_, import)| import != module && layer_of(import).is_some_and(|imported| imported >= layer));
    wrong.map(|(line, import)| format!("{shown}:{line}: {module} must not import {import}")).collect()
}

/// Top modules named after `crate::`, with their lines; `use crate::{a, b::c}` names two.
fn imports_of(text: &str) -> Vec<(usize, String)> {
    let mut imports = Vec::new();
    let mut group: Option<Group> = None;
    for (line, code) in code_lines(text) {
        let mut rest = code.as_str();
        loop {
            if let Some(open) = &mut group {
                match open.read(rest, line, &mut imports) {
                    Some(after) => {
                        rest = after;
                        group = None;
                    }
                    None => break,
                }
            }
            let Some(start) = find_crate(rest) else { break };
            rest = &rest[start..];
            match rest.strip_prefix('{') {
                Some(inside) => {
                    group = Some(Group::default());
                    rest = inside;
                }
                None => imports.push((line, identifier(rest).to_owned())),
            }
        }
    }
    imports
}

/// Position after the next `crate::` that is a path of its own (not `mycrate::`, not `$crate::`'s dollar).
fn find_crate(code: &str) -> Option<usize> {
    const CRATE: &str = "crate::";
    let start = code.find(CRATE)?;
    let before = code[..start].chars().next_back();
    let own = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let after = start + CRATE.len();
    if own { Some(after) } else { find_crate(&code[after..]).map(|position| after + position) }
}

fn identifier(code: &str) -> &str {
    let end = code.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(code.len());
    &code[..end]
}

/// The inside of `use crate::{..}`, which may go over several lines.
#[derive(Default)]
struct Group {
    depth: usize,
    in_path: bool,
}

impl Group {
    /// Reads names at the top of the group; the rest of the line when the group ends.
    fn read<'a>(&mut self, code: &'a str, line: usize, imports: &mut Vec<(usize, String)>) -> Option<&'a str> {
        let mut skip_to = 0;
        for (position, c) in code.char_indices() {
            if position < skip_to {
                continue;
            }
            match c {
                '{' => self.depth += 1,
                '}' if self.depth == 0 => return Some(&code[position + 1..]),
                '}' => self.depth -= 1,
                ',' if self.depth == 0 => self.in_path = false,
                c if (c.is_alphabetic() || c == '_') && self.depth == 0 && !self.in_path => {
                    let name = identifier(&code[position..]);
                    imports.push((line, name.to_owned()));
                    skip_to = position + name.len();
                    self.in_path = true;
                }
                _ => {}
            }
        }
        None
    }
}

fn storage_backends() -> Vec<String> {
    let entries = fs::read_dir(root().join("src/storage")).unwrap().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .filter(|name| !STORAGE_SHARED.contains(&name.as_str()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn backend_violations(backends: &[String], name: &str, text: &str) -> Vec<String> {
    let shown = name.trim_start_matches("src/");
    let own = shown.trim_start_matches("storage/").split(['/', '.']).next().unwrap_or_default();
    // Tests may compare backends.
    let is_test = name.ends_with("/tests.rs") || name.contains("/tests/");
    if is_test || !backends.iter().any(|backend| backend == own) {
        return Vec::new();
    }
    let others = || backends.iter().filter(|backend| *backend != own);
    let mut violations = Vec::new();
    for (line, code) in code_lines(text) {
        for other in others() {
            let paths = [format!("storage::{other}::"), format!("super::{other}::"), format!("storage::{other};")];
            let kind = format!("{}Storage", capitalised(other));
            if paths.iter().any(|path| code.contains(path)) || code.contains(&kind) {
                violations.push(format!("{shown}:{line}: the {own} backend must not see the {other} backend"));
            }
        }
    }
    violations
}

fn capitalised(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

fn length_violations(name: &str, text: &str) -> Vec<String> {
    let is_test = name.ends_with("/tests.rs") || name.contains("/tests/") || name.contains(".test.");
    let lines = lines_without_tests(text);
    if is_test || lines <= LINES_MAX || LONGER.iter().any(|(longer, _)| *longer == name) {
        return Vec::new();
    }
    vec![format!("{name}: {lines} lines, more than {LINES_MAX}: divide it, or give a reason in tests/tidy.rs")]
}

/// Lines before a module of tests at the foot of the file.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let starts_tests =
        |pair: &[&str]| pair[0].starts_with("#[cfg(") && pair[0].contains("test") && pair[1].starts_with("mod ");
    lines.windows(2).position(starts_tests).unwrap_or(lines.len())
}

fn open_ends(name: &str, text: &str) -> Vec<String> {
    // In pieces, so that this file does not find itself.
    let marks = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["todo!", "("],
        ["unimplemented!", "("],
        ["dbg!", "("],
        ["#[ign", "ore"],
        [".skip", "("],
        ["xit", "("],
    ];
    let in_tests_only = [".skip("];
    let is_test = name.starts_with("tests/") || name.contains(".test.") || name.starts_with("ui/test");
    let mut found = Vec::new();
    for mark in marks.map(|[a, b]| format!("{a}{b}")) {
        if in_tests_only.contains(&mark.as_str()) && (!is_test || name.ends_with(".rs")) {
            continue;
        }
        let lines = text.lines().enumerate().filter(|(_, line)| contains_word(line, &mark));
        found.extend(lines.map(|(index, _)| format!("{name}:{}: an open end: {mark}", index + 1)));
    }
    found
}

/// The mark, not as a part of a longer word.
fn contains_word(line: &str, mark: &str) -> bool {
    line.match_indices(mark).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = line[start + mark.len()..].chars().next();
        let open = mark.ends_with(|c: char| c.is_alphanumeric());
        let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        !(is_word(before) || open && is_word(after))
    })
}

fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let folders = [["/wo", "rk/"], ["/ro", "ot/"], ["/fa", "rm/"], ["/ho", "me/"]].map(|[a, b]| format!("{a}{b}"));
    let is_path = |line: &str, folder: &str| {
        line.match_indices(folder).any(|(start, _)| {
            // `a/work/b` is a part of some other path.
            !line[..start]
                .chars()
                .next_back()
                .is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}'))
        })
    };
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for folder in folders.iter().filter(|folder| is_path(line, folder)) {
            found.push(format!("{name}:{}: a path of one machine: {folder}", index + 1));
        }
    }
    found
}

mod the_checkers {
    use super::*;

    #[test]
    fn an_import_of_a_layer_above_or_beside_is_found_with_its_line() {
        let text = "//! crate::storage is only spoken of\nuse crate::model::Span;\nuse crate::storage::Batch;\n";
        assert_eq!(layer_violations("src/model/span.rs", text), ["model/span.rs:3: model must not import storage"]);
        let beside = "fn f() { crate::query::ask(\"crate::server\"); }";
        assert_eq!(layer_violations("src/ingest.rs", beside), ["ingest.rs:1: ingest must not import query"]);
        assert_eq!(
            layer_violations("src/web/x.rs", "use crate::{\n    model::Span,\n    api::{self, state},\n};\n"),
            ["web/x.rs:3: web must not import api"]
        );
        assert_eq!(layer_violations("src/extra.rs", ""), ["extra.rs: extra has no place among the layers"]);
    }

    #[test]
    fn imports_of_lower_layers_and_of_the_own_module_are_right() {
        let text = "use crate::model::{Span, api};\nuse crate::api::state;\nlet x = mycrate::server::y;\n";
        assert_eq!(layer_violations("src/api/reads.rs", text), Vec::<String>::new());
    }

    #[test]
    fn a_backend_that_sees_another_is_found() {
        let backends = ["memory".to_owned(), "sqlite".to_owned()];
        let found = backend_violations(&backends, "src/storage/sqlite/open.rs", "use crate::storage::MemoryStorage;\n");
        assert_eq!(found, ["storage/sqlite/open.rs:1: the sqlite backend must not see the memory backend"]);
        let own = "use super::sqlite::Writer;\nuse crate::storage::SqliteStorage;\n";
        assert_eq!(backend_violations(&backends, "src/storage/sqlite/open.rs", own), Vec::<String>::new());
        assert_eq!(
            backend_violations(&backends, "src/storage/retry.rs", "use super::memory::X;"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "line\n".repeat(601);
        assert_eq!(length_violations("src/a.rs", &long).len(), 1);
        let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "line\n".repeat(600));
        assert_eq!(length_violations("src/a.rs", &tested), Vec::<String>::new());
    }

    #[test]
    fn open_ends_are_found_as_words() {
        let mark = ["TO", "DO"].concat();
        assert_eq!(
            open_ends("src/a.rs", &format!("a\n// {mark}: later\n")),
            [format!("src/a.rs:2: an open end: {mark}")]
        );
        assert_eq!(open_ends("src/a.rs", &format!("let {mark}S = 1; // ma{mark}\n")), Vec::<String>::new());
    }

    #[test]
    fn paths_of_one_machine_are_found_and_relative_ones_are_not() {
        let folder = ["/wo", "rk/"].concat();
        assert_eq!(
            machine_paths("a.md", &format!("see {folder}x")),
            [format!("a.md:1: a path of one machine: {folder}")]
        );
        assert_eq!(machine_paths("a.md", &format!("see src{folder}x and https://h{folder}")), Vec::<String>::new());
    }
}
