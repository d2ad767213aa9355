//! The JSON grammar (RFC 8259): a scanner that goes over a text once, borrows from it, and
//! accepts nothing that the grammar does not.
//!
//! It knows nothing of the contract. It differs from a parser into a tree in what it leaves to
//! the reader: numbers stay text, whatever their size, and a string's escapes are resolved only
//! where the string is wanted.

use bumpalo::Bump;
use bumpalo::collections::String as BumpString;

/// Why a text is not JSON. It is found where the scanner then stands.
///
/// It is a word wide, and no value holds less than a word, so that results move by words: a
/// byte in them would have them written in pieces and read back whole, which stalls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Malformed {
    NoValue,
    NoObject,
    NoKey,
    NoColon,
    NoCommaOrEnd,
    NoDigit,
    NoQuote,
    Control,
    Escape,
    Surrogate,
    Depth,
    Trailing,
}

impl Malformed {
    /// What is wrong, in words.
    pub(super) const fn what(self) -> &'static str {
        match self {
            Self::NoValue => "expected a value",
            Self::NoObject => "expected an object",
            Self::NoKey => "expected a key",
            Self::NoColon => "expected a colon",
            Self::NoCommaOrEnd => "expected a comma or an end",
            Self::NoDigit => "expected a digit",
            Self::NoQuote => "a string does not end",
            Self::Control => "a control character in a string",
            Self::Escape => "an escape that does not exist",
            Self::Surrogate => "half of a surrogate pair in a key",
            Self::Depth => "nested too deep",
            Self::Trailing => "something follows the value",
        }
    }
}

/// A value. Arrays and objects were read over and stay text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    #[default]
    Null,
    True,
    False,
    Number(&'a str),
    /// A string without escapes.
    Text(&'a str),
    /// A string as written between its quotes, with escapes.
    Escaped(&'a str),
    Array,
    Object,
}

impl Value<'_> {
    /// The type's name with its article.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::True | Self::False => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) | Self::Escaped(_) => "text",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// A string with its escapes resolved; nothing where one is half of a surrogate pair, which is
/// no character.
#[cold]
pub(super) fn unescape<'a>(escaped: &'a str, arena: &'a Bump) -> Option<&'a str> {
    let mut out = BumpString::with_capacity_in(escaped.len(), arena);
    let mut rest = escaped;
    while let Some((plain, escape)) = rest.split_once('\\') {
        out.push_str(plain);
        let mut characters = escape.chars();
        let character = match characters.next() {
            Some('b') => '\u{8}',
            Some('f') => '\u{C}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let (character, length) = unicode_escape(escape)?;
                characters = escape.get(length..).unwrap_or_default().chars();
                character
            }
            Some(itself) => itself,
            None => break,
        };
        out.push(character);
        rest = characters.as_str();
    }
    out.push_str(rest);
    Some(out.into_bump_str())
}

/// The character of `uXXXX` or `uXXXX\uXXXX`, and the length of that.
fn unicode_escape(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u32::from_str_radix(escape.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    if let 0xD800..0xDC00 = first
        && escape.get(5..7) == Some("\\u")
        && let Some(second @ 0xDC00..0xE000) = unit(7)
    {
        let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        return Some((char::from_u32(code)?, 11));
    }
    Some((char::from_u32(first)?, 5))
}

/// Reads a text from front to back.
#[derive(Debug)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How many bytes were read.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// What was read since a place.
    pub(super) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Steps over white space; the next byte.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = self.byte()?;
            if byte > b' ' || !is_white(byte) {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Nothing but white space follows.
    pub(super) fn end(&mut self) -> Result<(), Malformed> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Malformed::Trailing),
        }
    }

    /// Reads an object, which `peek` has seen, and hands each key to `member`, which reads the
    /// value.
    #[inline]
    pub(super) fn object(
        &mut self,
        arena: &'a Bump,
        mut member: impl FnMut(&mut Self, &'a str) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.at += 1;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key(arena)?;
            member(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => break,
                _ => return Err(Malformed::NoCommaOrEnd),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads an array, which `peek` has seen, and has `element` read each element.
    pub(super) fn array(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.at += 1;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            element(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => break,
                _ => return Err(Malformed::NoCommaOrEnd),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Reads a value in which arrays and objects are nested at most so deep.
    #[inline]
    pub(super) fn value(&mut self, max_depth: usize) -> Result<Value<'a>, Malformed> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => {
                let start = self.at;
                self.skip_number()?;
                Ok(Value::Number(self.since(start)))
            }
            Some(b'{') => self.skip(max_depth).map(|()| Value::Object),
            Some(b'[') => self.skip(max_depth).map(|()| Value::Array),
            Some(b'n') => self.literal(b"null").map(|()| Value::Null),
            Some(b't') => self.literal(b"true").map(|()| Value::True),
            Some(b'f') => self.literal(b"false").map(|()| Value::False),
            _ => Err(Malformed::NoValue),
        }
    }

    /// Steps over a value in which arrays and objects are nested at most so deep, without
    /// recursion: nothing that a sender nests can exhaust the stack.
    pub(super) fn skip(&mut self, max_depth: usize) -> Result<(), Malformed> {
        let mut open = Nesting::default();
        loop {
            let first = self.peek();
            let opened = match first {
                Some(b'{') => Some((Container::Object, b'}')),
                Some(b'[') => Some((Container::Array, b']')),
                _ => None,
            };
            if let Some((container, end)) = opened {
                if open.depth == max_depth {
                    return Err(Malformed::Depth);
                }
                self.at += 1;
                if self.peek() != Some(end) {
                    open.push(container);
                    if container == Container::Object {
                        self.skip_key()?;
                    }
                    continue;
                }
                self.at += 1;
            } else {
                self.skip_scalar(first)?;
            }
            if self.close(&mut open)? {
                return Ok(());
            }
        }
    }

    /// After a value: steps over the ends of the containers that end with it, up to where the
    /// next value begins. Whether all have ended.
    #[inline]
    fn close(&mut self, open: &mut Nesting) -> Result<bool, Malformed> {
        while let Some(container) = open.innermost() {
            match (self.peek(), container) {
                (Some(b','), Container::Array) => {
                    self.at += 1;
                    return Ok(false);
                }
                (Some(b','), Container::Object) => {
                    self.at += 1;
                    self.skip_key()?;
                    return Ok(false);
                }
                (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => {
                    self.at += 1;
                    open.pop();
                }
                _ => return Err(Malformed::NoCommaOrEnd),
            }
        }
        Ok(true)
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// A key and its colon.
    #[inline]
    fn key(&mut self, arena: &'a Bump) -> Result<&'a str, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::NoKey);
        }
        let key = match self.string()? {
            Value::Text(key) => key,
            Value::Escaped(key) => unescape(key, arena).ok_or(Malformed::Surrogate)?,
            _ => return Err(Malformed::NoKey),
        };
        self.colon()?;
        Ok(key)
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), Malformed> {
        if self.peek() != Some(b'"') {
            return Err(Malformed::NoKey);
        }
        self.skip_string()?;
        self.colon()
    }

    #[inline]
    fn colon(&mut self) -> Result<(), Malformed> {
        if self.peek() != Some(b':') {
            return Err(Malformed::NoColon);
        }
        self.at += 1;
        Ok(())
    }

    /// Steps over a value that is neither an array nor an object.
    #[inline]
    fn skip_scalar(&mut self, first: Option<u8>) -> Result<(), Malformed> {
        match first {
            Some(b'"') => self.skip_string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.skip_number(),
            Some(b'n') => self.literal(b"null"),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            _ => Err(Malformed::NoValue),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<Value<'a>, Malformed> {
        let start = self.at + 1;
        let escaped = self.skip_string()?;
        let text = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(if escaped {
            Value::Escaped(text)
        } else {
            Value::Text(text)
        })
    }

    /// Steps over a string; whether it has escapes.
    #[inline]
    fn skip_string(&mut self) -> Result<bool, Malformed> {
        self.at += 1;
        self.plain();
        let escaped = self.byte() != Some(b'"');
        if escaped {
            self.escaped()?;
        }
        self.at += 1;
        Ok(escaped)
    }

    /// The rest of a string up to its quote, from where it is not plain.
    #[cold]
    fn escaped(&mut self) -> Result<(), Malformed> {
        loop {
            match self.byte() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(Malformed::Control),
                None => return Err(Malformed::NoQuote),
            }
            self.plain();
        }
    }

    #[inline]
    fn plain(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += plain_length(rest);
    }

    fn escape(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = match rest {
            [
                _,
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                ..,
            ] => 2,
            [_, b'u', digits @ ..]
                if digits
                    .get(..4)
                    .is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit)) =>
            {
                6
            }
            _ => return Err(Malformed::Escape),
        };
        self.at += length;
        Ok(())
    }

    fn skip_number(&mut self) -> Result<(), Malformed> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<(), Malformed> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.byte() {
            self.at += 1;
        }
        if self.at == start {
            return Err(Malformed::NoDigit);
        }
        Ok(())
    }

    fn literal(&mut self, word: &[u8]) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(Malformed::NoValue);
        }
        self.at += word.len();
        Ok(())
    }
}

/// Whether a byte is white space to JSON.
#[inline]
pub(super) const fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// How many bytes come before the first quote, backslash or control character. Eight bytes are
/// looked at together.
#[inline]
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // A byte's high bit is set where the byte is less than `limit`; a borrow can spoil only
    // the bytes above the lowest hit, and the lowest is what counts.
    let less = |word: u64, limit: u64| word.wrapping_sub(limit * ONES) & !word & HIGH;
    let mut rest = bytes;
    let mut length = 0;
    while let Some((word, after)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let quote = less(word ^ (u64::from(b'"') * ONES), 1);
        let backslash = less(word ^ (u64::from(b'\\') * ONES), 1);
        let stops = quote | backslash | less(word, 0x20);
        if stops != 0 {
            return length + stops.trailing_zeros() as usize / 8;
        }
        rest = after;
        length += 8;
    }
    let plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    length + rest.iter().take_while(plain).count()
}

/// A kind of value that holds others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

/// The containers that are open, one bit each: 64 of them without an allocation, and no more
/// than an eighth of the text's size however deep a text goes.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    innermost: u64,
    outer: Vec<u64>,
}

impl Nesting {
    fn innermost(&self) -> Option<Container> {
        let container = if self.innermost & 1 == 1 {
            Container::Object
        } else {
            Container::Array
        };
        (self.depth > 0).then_some(container)
    }

    fn push(&mut self, container: Container) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.innermost);
        }
        self.depth += 1;
        self.innermost = self.innermost << 1 | u64::from(container == Container::Object);
    }

    fn pop(&mut self) {
        self.depth -= 1;
        self.innermost >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.innermost = self.outer.pop().unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests;
