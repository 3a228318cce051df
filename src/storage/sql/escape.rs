//! Text for engines that cannot hold U+0000 in it.

use std::borrow::Cow;

/// Begins an escape. A text that holds it is escaped too, so that every text comes back as it was.
const ESCAPE: char = '\u{1}';

/// Writes U+0000 as U+0001 `0`, and U+0001 as U+0001 `1`.
pub(in crate::storage) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', ESCAPE]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace(ESCAPE, "\u{1}1").replace('\0', "\u{1}0"))
}

/// The text that was escaped.
pub(in crate::storage) fn unescape(text: String) -> String {
    if text.contains(ESCAPE) { text.replace("\u{1}0", "\0").replace("\u{1}1", "\u{1}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_no_nul_goes_in() {
        for text in ["", "plain", "\0", "a\0b\0", "\u{1}", "\u{1}0", "\u{1}1", "\u{1}\0", "\0\u{1}0\u{1}\u{1}1\0"] {
            let escaped = escape(text).into_owned();
            assert!(!escaped.contains('\0'));
            assert_eq!(unescape(escaped), text);
        }
    }
}
