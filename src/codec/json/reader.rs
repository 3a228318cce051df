//! A pull parser over one text in memory: the caller asks for what it wants next.

use super::scan;
use crate::codec::fault::Fault;

/// Reads one JSON text. Nothing is allocated except for strings that hold escapes or bytes that are not UTF-8.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    /// The whole text, when it is UTF-8: checked once, so that strings need no check of their own.
    text: Option<&'a str>,
    pub(super) at: usize,
    /// Strings that could not be borrowed, behind each other.
    scratch: String,
}

/// A string of the text; [`Reader::str`] gives its characters.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Text<'a> {
    /// As it stands in the text.
    Body(&'a str),
    /// Part of the scratch space, valid until [`Reader::clear_scratch`].
    Scratch { start: usize, end: usize },
}

/// Kinds of values that somebody needs to tell apart beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Boolean,
    Other,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, text: std::str::from_utf8(bytes).ok(), at: 0, scratch: String::new() }
    }

    /// Where the reader stands.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Forgets the strings that were read so far.
    #[inline]
    pub(crate) fn clear_scratch(&mut self) {
        self.scratch.clear();
    }

    /// The characters of a string that this reader returned since the last [`Self::clear_scratch`].
    #[inline]
    pub(crate) fn str<'s>(&'s self, text: Text<'a>) -> &'s str {
        match text {
            Text::Body(text) => text,
            Text::Scratch { start, end } => self.scratch.get(start..end).unwrap_or_default(),
        }
    }

    /// The next byte that is not white space, 0 at the end; the reader stands on it.
    #[inline]
    pub(super) fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    /// Takes these bytes if they come next, after white space. No bytes never come.
    #[inline]
    pub(crate) fn take(&mut self, text: &[u8]) -> bool {
        self.peek();
        let here = !text.is_empty() && self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(text));
        if here {
            self.at += text.len();
        }
        here
    }

    /// What was read since the reader stood at `start`.
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    /// Takes the `{` of an object.
    #[inline]
    pub(crate) fn begin_object(&mut self, what: &'static str) -> Result<(), Fault> {
        self.begin(b'{', what)
    }

    /// Takes the `[` of a list.
    #[inline]
    pub(crate) fn begin_list(&mut self, what: &'static str) -> Result<(), Fault> {
        self.begin(b'[', what)
    }

    #[inline]
    fn begin(&mut self, opening: u8, what: &'static str) -> Result<(), Fault> {
        if self.peek() != opening {
            return Err(Fault::expected(self.at, what));
        }
        self.at += 1;
        Ok(())
    }

    /// The name of the next member of an object, `None` after its `}`. `first` starts as true.
    #[inline]
    pub(crate) fn next_member(&mut self, first: &mut bool) -> Result<Option<Text<'a>>, Fault> {
        if self.go_to_member(first)? { self.member_name().map(Some) } else { Ok(None) }
    }

    /// As [`Self::next_member`] for objects of known members: `known` may recognise one from the text behind the
    /// opening quote, and says how long it is with the closing quote and the colon; `other` gets every other name.
    #[inline]
    pub(crate) fn next_known<M>(
        &mut self,
        first: &mut bool,
        known: impl Fn(&[u8]) -> Option<(M, usize)>,
        other: impl Fn(&str) -> M,
    ) -> Result<Option<M>, Fault> {
        if !self.go_to_member(first)? {
            return Ok(None);
        }
        if let Some((member, length)) = self.bytes.get(self.at + 1..).and_then(known) {
            self.at += 1 + length;
            return Ok(Some(member));
        }
        let name = self.member_name()?;
        Ok(Some(other(self.str(name))))
    }

    /// Goes to the opening quote of the next member; false after the `}` of the object.
    #[inline]
    fn go_to_member(&mut self, first: &mut bool) -> Result<bool, Fault> {
        let mut byte = self.peek();
        let is_first = std::mem::take(first);
        if byte == b'}' {
            self.at += 1;
            return Ok(false);
        }
        if !is_first {
            if byte != b',' {
                return Err(Fault::expected(self.at, "`,` or `}`"));
            }
            self.at += 1;
            byte = self.peek();
        }
        if byte != b'"' {
            return Err(Fault::expected(self.at, "the name of a member in double quotes"));
        }
        Ok(true)
    }

    #[inline]
    fn member_name(&mut self) -> Result<Text<'a>, Fault> {
        let name = self.quoted()?;
        if self.peek() != b':' {
            return Err(Fault::expected(self.at, "`:`"));
        }
        self.at += 1;
        Ok(name)
    }

    /// True when another element of a list follows, false after its `]`. `first` starts as true.
    #[inline]
    pub(crate) fn next_element(&mut self, first: &mut bool) -> Result<bool, Fault> {
        match (self.peek(), std::mem::take(first)) {
            (b']', _) => {
                self.at += 1;
                Ok(false)
            }
            (_, true) => Ok(true),
            (b',', false) => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(Fault::expected(self.at, "`,` or `]`")),
        }
    }

    /// A string, or the text of a number.
    #[inline]
    pub(crate) fn string(&mut self, what: &'static str) -> Result<Text<'a>, Fault> {
        match self.peek() {
            b'"' => self.quoted(),
            b'-' | b'0'..=b'9' => self.number_text(),
            _ => Err(Fault::expected(self.at, what)),
        }
    }

    /// What stands between quotes that are this far apart, if they are. It may hold escapes and even quotes, so it is
    /// for texts that can be recognised, such as identifiers; [`Self::pass`] takes it then.
    #[inline]
    pub(crate) fn between_quotes(&mut self, length: usize) -> Option<&'a [u8]> {
        let opening = self.peek() == b'"';
        let closing = self.bytes.get(self.at + 1 + length) == Some(&b'"');
        if opening && closing { self.bytes.get(self.at + 1..self.at + 1 + length) } else { None }
    }

    /// Takes a string of this length, quotes not counted.
    #[inline]
    pub(crate) fn pass(&mut self, length: usize) {
        self.at += length + 2;
    }

    /// `true` or `false`, in any case as zipkin's reader takes them.
    pub(crate) fn boolean(&mut self) -> Result<bool, Fault> {
        self.peek();
        if self.literal("true") {
            Ok(true)
        } else if self.literal("false") {
            Ok(false)
        } else {
            Err(Fault::expected(self.at, "true or false"))
        }
    }

    /// Takes a `null` if one follows.
    #[inline]
    pub(crate) fn null(&mut self) -> bool {
        matches!(self.peek(), b'n' | b'N') && self.literal("null")
    }

    /// Takes this literal if it stands here.
    pub(super) fn literal(&mut self, literal: &str) -> bool {
        let end = self.at + literal.len();
        let here = self.bytes.get(self.at..end).is_some_and(|text| text.eq_ignore_ascii_case(literal.as_bytes()));
        let ends_here = self.bytes.get(end).is_none_or(|byte| ends_literal(*byte));
        if here && ends_here {
            self.at = end;
        }
        here && ends_here
    }

    /// What the next value looks like.
    pub(crate) fn next_kind(&mut self) -> Kind {
        match self.peek() {
            b'"' => Kind::String,
            b't' | b'T' | b'f' | b'F' => Kind::Boolean,
            _ => Kind::Other,
        }
    }

    /// A string in double quotes; the reader stands on the opening one.
    #[inline]
    pub(super) fn quoted(&mut self) -> Result<Text<'a>, Fault> {
        let start = self.at + 1;
        let end = scan::string_end(self.bytes, start);
        if self.bytes.get(end) != Some(&b'"') {
            return self.unescape(start, end);
        }
        self.at = end + 1;
        Ok(self.borrow_or_keep(start, end))
    }

    /// The characters between two bytes that are ASCII.
    #[inline]
    pub(super) fn borrow_or_keep(&mut self, start: usize, end: usize) -> Text<'a> {
        if let Some(text) = self.text {
            return Text::Body(text.get(start..end).unwrap_or_default());
        }
        let from = self.scratch.len();
        self.keep_raw(start, end);
        Text::Scratch { start: from, end: self.scratch.len() }
    }

    /// Appends a piece of the text to the scratch space; each sequence that is no UTF-8 becomes U+FFFD.
    fn keep_raw(&mut self, start: usize, end: usize) {
        if let Some(text) = self.text {
            self.scratch.push_str(text.get(start..end).unwrap_or_default());
        } else {
            self.scratch.push_str(&String::from_utf8_lossy(self.bytes.get(start..end).unwrap_or_default()));
        }
    }

    /// Reads on from the first escape of a string.
    #[cold]
    fn unescape(&mut self, start: usize, first_escape: usize) -> Result<Text<'a>, Fault> {
        let from = self.scratch.len();
        let (mut plain, mut end) = (start, first_escape);
        loop {
            self.keep_raw(plain, end);
            match self.bytes.get(end) {
                Some(b'"') => break,
                Some(_) => plain = self.escape(end + 1)?,
                None => return Err(Fault::expected(self.bytes.len(), "the closing quote of a string")),
            }
            end = scan::string_end(self.bytes, plain);
        }
        self.at = end + 1;
        Ok(Text::Scratch { start: from, end: self.scratch.len() })
    }

    /// Appends what the escape after the `\` before `at` stands for. Returns where the string goes on.
    fn escape(&mut self, at: usize) -> Result<usize, Fault> {
        let plain = match self.bytes.get(at) {
            Some(b'u') => return self.unicode_escape(at + 1),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(byte @ (b'"' | b'\\' | b'/' | b'\'' | b'\n')) => *byte as char,
            _ => return Err(Fault::expected(at, r#"one of " \ / b f n r t u after a backslash"#)),
        };
        self.scratch.push(plain);
        Ok(at + 1)
    }

    /// The four digits at `at`, and those of a second escape when both are the halves of one character. A half
    /// without its other half becomes `?`, which is what zipkin writes for it.
    fn unicode_escape(&mut self, at: usize) -> Result<usize, Fault> {
        let unit = self.hex_digits(at)?;
        let mut end = at + 4;
        let mut code = unit;
        if (0xd800..0xdc00).contains(&unit) && self.bytes.get(end..end + 2) == Some(b"\\u") {
            let low = self.hex_digits(end + 2)?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                end += 6;
            }
        }
        self.scratch.push(char::from_u32(code).unwrap_or('?'));
        Ok(end)
    }

    fn hex_digits(&self, at: usize) -> Result<u32, Fault> {
        let digits = self.bytes.get(at..at + 4).unwrap_or_default();
        let digit = |byte: &u8| (*byte as char).to_digit(16);
        let value = digits.iter().try_fold(0, |value, byte| Some(value * 16 + digit(byte)?));
        match value {
            Some(value) if digits.len() == 4 => Ok(value),
            _ => Err(Fault::expected(at, r"four hex digits after \u")),
        }
    }
}

/// Bytes that may follow a number or a literal.
#[inline]
pub(super) fn ends_literal(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t' | b':' | b'{' | b'[' | 0x0c)
}
