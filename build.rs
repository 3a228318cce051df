//! Puts the browser UI and the commit into the binary.
//!
//! Where the UI comes from, the first that is there: the folder `ZIPKIN_UI_DIST`; `ui/dist` when it is newer than the
//! sources; a build with Node 20.19 or later and npm; else a small page that is part of the server. `ZIPKIN_UI_BUILD=skip`
//! takes that page at once, `ZIPKIN_UI_BUILD=require` makes a missing UI an error. A debug build embeds nothing and reads
//! `ui/dist` when it runs, so that `cargo check` never waits for npm.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::disallowed_methods, reason = "a build script ends by panic")]
#![allow(clippy::print_stdout, reason = "how a build script talks to cargo")]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

fn main() {
    println!("cargo:rerun-if-env-changed=ZIPKIN_UI_DIST");
    println!("cargo:rerun-if-env-changed=ZIPKIN_UI_BUILD");
    println!("cargo:rerun-if-env-changed=ZIPKIND_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    println!("cargo:rustc-env=ZIPKIND_COMMIT={}", commit(release));
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap());
    let out = PathBuf::from(env::var("OUT_DIR").unwrap());
    let dist = ui_folder(&root, &out, release);
    let required = env::var("ZIPKIN_UI_BUILD").is_ok_and(|mode| mode == "require");
    assert!(!required || dist.is_some(), "ZIPKIN_UI_BUILD=require, but there is no UI to embed");
    let table = file_table(dist.as_deref());
    fs::write(out.join("ui_files.rs"), table).unwrap();
}

/// The abbreviated commit of a release; a debug build would have to be made again at each commit.
fn commit(release: bool) -> String {
    if let Ok(commit) = env::var("ZIPKIND_COMMIT") {
        return commit;
    }
    let git = release.then(|| Command::new("git").args(["rev-parse", "--short=7", "HEAD"]).output().ok()).flatten();
    let found = git
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    found.unwrap_or_else(|| "unknown".to_owned())
}

fn ui_folder(root: &Path, out: &Path, release: bool) -> Option<PathBuf> {
    let mode = env::var("ZIPKIN_UI_BUILD").unwrap_or_default();
    if mode == "skip" || env::var("CARGO_FEATURE_UI").is_err() {
        return None;
    }
    if let Some(given) = env::var_os("ZIPKIN_UI_DIST").filter(|given| !given.is_empty()) {
        let given = PathBuf::from(given);
        assert!(given.join("index.html").is_file(), "ZIPKIN_UI_DIST={} has no index.html", given.display());
        println!("cargo:rerun-if-changed={}", given.display());
        return Some(given);
    }
    if !release {
        return None;
    }
    let ui = root.join("ui");
    let sources = ["src", "public", "index.html", "vite.config.ts", "package-lock.json"].map(|name| ui.join(name));
    for source in sources.iter().filter(|source| source.exists()) {
        println!("cargo:rerun-if-changed={}", source.display());
    }
    let dist = ui.join("dist");
    let newest = sources.iter().filter_map(|source| newest_change(source)).max();
    if newest_change(&dist.join("index.html")).is_some_and(|built| Some(built) >= newest) {
        return Some(dist);
    }
    match build(&ui, &out.join("ui")) {
        Ok(built) => Some(built),
        Err(reason) => {
            println!("cargo:warning=the UI is not part of this build ({reason}); a small page takes its place");
            None
        }
    }
}

/// Time of the latest change in a file or folder.
fn newest_change(path: &Path) -> Option<SystemTime> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_dir() {
        return meta.modified().ok();
    }
    fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest_change(&entry.path())).max()
}

fn build(ui: &Path, dist: &Path) -> Result<PathBuf, String> {
    if !ui.join("package-lock.json").is_file() {
        return Err("ui/ is not there".to_owned());
    }
    check_node()?;
    let dist_text = dist.to_str().ok_or("the build folder's name is no UTF-8")?;
    run(ui, "npm", &["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    run(ui, "npx", &["--no-install", "vite", "build", "--outDir", dist_text, "--emptyOutDir"])?;
    run(ui, "node", &["--input-type=module", "-e", COMPRESS, dist_text])?;
    Ok(dist.to_owned())
}

/// Writes `.gz` beside files of 2048 bytes and more that browsers get compressed. The binary holds these instead of the files
/// themselves, a third of the size; brotli is made when it is asked for, which browsers that say `gzip, br` never do.
const COMPRESS: &str = "
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
const dist = process.argv.at(-1);
for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath ?? entry.path, entry.name);
  if (!entry.isFile() || !/\\.(js|mjs|css|json)$/.test(path)) continue;
  const body = readFileSync(path);
  if (body.length < 2048) continue;
  writeFileSync(path + '.gz', gzipSync(body, { level: 9 }));
}
";

fn check_node() -> Result<(), String> {
    let output = Command::new("node").arg("--version").output().map_err(|_| "node is not installed".to_owned())?;
    let text = String::from_utf8_lossy(&output.stdout).trim().trim_start_matches('v').to_owned();
    let mut numbers = text.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if version >= (20, 19) { Ok(()) } else { Err(format!("node {text} is older than 20.19")) }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    // The cause stands first; what follows is help and the name of a log file.
    let words = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = words.lines().filter(|line| !line.trim().is_empty() && !line.contains("warn")).take(3).collect();
    Err(format!("{program} {} failed: {}", arguments.first().unwrap_or(&""), said.join("; ")))
}

/// `EMBEDDED`: path below the UI's base, content.
fn file_table(dist: Option<&Path>) -> String {
    let mut files = Vec::new();
    if let Some(dist) = dist {
        list(dist, dist, &mut files);
        files.sort();
        let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
        files.retain(|(name, _)| !names.contains(&format!("{name}.gz")));
    }
    let mut table = "static EMBEDDED: &[(&str, &[u8])] = &[\n".to_owned();
    for (name, path) in files {
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),").unwrap();
    }
    table.push_str("];\n");
    table
}

fn list(dist: &Path, folder: &Path, files: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(dist, &path, files);
        } else if path.extension().is_some_and(|extension| extension != "map") {
            let name = path.strip_prefix(dist).unwrap().to_string_lossy().replace('\\', "/");
            files.push((name, fs::canonicalize(&path).unwrap()));
        }
    }
}
