//! The index page: base path and settings put into the page that was built.

use super::config_json::{UiConfig, meta_json};

/// Base path under which this server itself serves the UI.
const OWN_BASE: &str = "/zipkin";

/// The page as it is sent.
///
/// As the peer: with another base path the base element says it, and every attribute that begins with `="/zipkin/` becomes
/// relative to it. Ours: the settings in `<meta name="zipkin-ui">`.
pub(super) fn index_page(built: &str, config: &UiConfig, extensions: &[&str]) -> String {
    let base = base_path(&config.base_path);
    let mut page = built.to_owned();
    if base != OWN_BASE {
        page = page.replace("=\"/zipkin/", "=\"./");
    }
    let element = format!("<base href=\"{}/\" >", escape_attribute(base));
    let meta = format!("<meta name=\"zipkin-ui\" content=\"{}\">", escape_attribute(&meta_json(config, extensions)));
    match tag(&page, "<base ") {
        Some(range) => page.replace_range(range, &format!("{element}{meta}")),
        None => {
            let head = page.find("<head>").map_or(0, |start| start + "<head>".len());
            page.insert_str(head, &format!("{element}{meta}"));
        }
    }
    page
}

/// Without the slash at the end; the root is empty.
fn base_path(configured: &str) -> &str {
    configured.trim_end_matches('/')
}

/// Where the first tag that begins with `start` lies.
fn tag(page: &str, start: &str) -> Option<std::ops::Range<usize>> {
    let from = page.find(start)?;
    let end = from + page[from..].find('>')? + 1;
    Some(from..end)
}

fn escape_attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT: &str =
        "<html><head><base href=\"/zipkin/\" ><script src=\"/zipkin/assets/a.js\"></script></head></html>";

    fn page(base_path: &str) -> String {
        index_page(BUILT, &UiConfig { base_path: base_path.to_owned(), ..UiConfig::default() }, &["summaries"])
    }

    #[test]
    fn the_own_base_path_leaves_attributes_alone() {
        let page = page("/zipkin");
        assert!(page.contains("<base href=\"/zipkin/\" >"));
        assert!(page.contains("src=\"/zipkin/assets/a.js\""));
    }

    #[test]
    fn another_base_path_is_said_and_attributes_follow_it() {
        let page = page("/admin/zipkin");
        assert!(page.contains("<base href=\"/admin/zipkin/\" >"));
        assert!(page.contains("src=\"./assets/a.js\""));
    }

    #[test]
    fn the_root_may_be_written_as_a_slash_or_as_nothing() {
        for base in ["/", ""] {
            assert!(page(base).contains("<base href=\"/\" >"));
        }
    }

    #[test]
    fn settings_stand_in_a_meta_element_and_cannot_break_out_of_it() {
        let mut config = UiConfig::default();
        config.link_patterns.push(super::super::LinkPattern {
            tag: "\"><script>".to_owned(),
            service: None,
            url: "https://a.example/{value}".to_owned(),
            label: "it's".to_owned(),
        });
        let page = index_page(BUILT, &config, &["summaries"]);
        assert!(page.contains("<meta name=\"zipkin-ui\" content=\"{&quot;linkPatterns&quot;:"));
        assert!(page.contains("&quot;extensions&quot;:[&quot;summaries&quot;]"));
        assert!(!page.contains("\"><script>"));
    }

    #[test]
    fn a_page_without_base_element_gets_one() {
        let page = index_page("<html><head></head></html>", &UiConfig::default(), &[]);
        assert!(page.starts_with("<html><head><base href=\"/zipkin/\" ><meta"));
    }
}
