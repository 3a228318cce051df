//! The files of the UI: built into a release binary, read from `ui/dist` by a debug build, and a page of our own where
//! there are none.

use std::path::{Path, PathBuf};

use axum::body::Bytes;

use super::super::file::File;

// `EMBEDDED: &[(&str, &[u8])]`: path relative to the UI's base and content, written by build.rs. Large files are there as
// `.gz` only.
include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// The page of a binary that was built without the UI.
const BUILT_IN_INDEX: &str = include_str!("built_in.html");
/// Files have their content's hash in their name, so they never change.
const FILE_CACHE_CONTROL: &str = "max-age=31536000";

/// Where files come from.
#[derive(Clone, Debug)]
pub(super) enum Assets {
    /// In the binary.
    Embedded,
    /// Read at each request, so that a rebuilt UI shows without a new binary.
    Folder(PathBuf),
    /// None: the built-in page only.
    BuiltIn,
}

impl Assets {
    /// What this binary has.
    pub(super) fn find() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/dist");
        if cfg!(debug_assertions) && folder.join("index.html").is_file() {
            return Self::Folder(folder);
        }
        if embedded("index.html").is_some() { Self::Embedded } else { Self::BuiltIn }
    }

    /// The index page as it was built.
    pub(super) fn index(&self) -> String {
        let found = self.read("index.html").map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        found.unwrap_or_else(|| BUILT_IN_INDEX.to_owned())
    }

    /// A file by its path below the base.
    pub(super) fn file(&self, path: &str) -> Option<File> {
        if path == "index.html" {
            return None;
        }
        let content_type = content_type(path)?;
        if let Some(packed) = self.read(&format!("{path}.gz")) {
            return Some(File::gzipped(content_type, Some(FILE_CACHE_CONTROL), packed));
        }
        Some(File::new(content_type, Some(FILE_CACHE_CONTROL), self.read(path)?))
    }

    fn read(&self, path: &str) -> Option<Bytes> {
        match self {
            Self::Embedded => embedded(path),
            Self::Folder(folder) => {
                let plain = path.split('/').all(|segment| !segment.is_empty() && !segment.starts_with('.'));
                let allowed = plain && !path.contains(['\\', '\0', ':']);
                allowed.then(|| std::fs::read(folder.join(path)).ok()).flatten().map(Bytes::from)
            }
            Self::BuiltIn => None,
        }
    }
}

fn embedded(path: &str) -> Option<Bytes> {
    let (_, content) = EMBEDDED.iter().find(|(name, _)| *name == path)?;
    Some(Bytes::from_static(content))
}

/// Media types by extension, as the peer says them. A file of another kind is not served.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension {
        "js" | "mjs" => "application/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "json" => "application/json; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Assets) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        std::fs::write(folder.path().join("assets/a.js"), "1").unwrap();
        std::fs::write(folder.path().join("assets/a.exe"), "2").unwrap();
        std::fs::write(folder.path().join("secret.js"), "3").unwrap();
        let assets = Assets::Folder(folder.path().join("assets"));
        (folder, assets)
    }

    #[test]
    fn files_are_found_by_path_and_kind() {
        let (_guard, assets) = folder();
        let file = assets.file("a.js").unwrap();
        assert_eq!(file.content_type, "application/javascript; charset=utf-8");
        assert_eq!(file.plain(), "1");
        assert!(assets.file("a.exe").is_none());
        assert!(assets.file("b.js").is_none());
    }

    #[test]
    fn no_path_leaves_the_folder() {
        let (_guard, assets) = folder();
        for path in ["../secret.js", "./a.js", "", "/a.js", "x/../../secret.js", "..\\secret.js"] {
            assert!(assets.file(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_binary_without_ui_has_a_page_of_its_own() {
        let page = Assets::BuiltIn.index();
        assert!(page.contains("<base href=\"/zipkin/\" >") && !page.contains("<script"));
    }
}
