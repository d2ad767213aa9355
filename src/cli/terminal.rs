//! Text for a person: colour where it is wanted, columns that keep their width.

use std::fmt::Write as _;
use std::io::IsTerminal;

use crate::observe::logs::takes_colour;
use crate::pipeline::explain::Explanation;

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// Colour where the stream takes it.
    pub(super) fn of(stream: &impl IsTerminal) -> Self {
        Self(takes_colour(stream))
    }

    /// A heading.
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    /// What is there but not looked for.
    pub(super) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    /// What was rejected or failed.
    pub(super) fn red(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What wants a second look.
    pub(super) fn yellow(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What came out well.
    pub(super) fn green(self, text: &str) -> String {
        self.with("32", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Columns of the terminal that a stream is, or those that `COLUMNS` tells; of what is neither,
/// none.
pub(super) fn columns<S: std::os::fd::AsFd>(stream: &S) -> Option<usize> {
    let told = std::env::var("COLUMNS").ok();
    let told = told.and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size_of(stream);
    told.or_else(|| seen().map(|(width, _)| usize::from(width.0)))
}

/// Columns of the terminal that standard output is, between the 80 that any has and the 120 that
/// are still read easily; 80 where it is none.
pub(super) fn width() -> usize {
    let size = terminal_size::terminal_size_of(std::io::stdout());
    size.map_or(80, |(width, _)| usize::from(width.0).clamp(80, 120))
}

/// Columns of what an answer of an explanation is about.
const ABOUT: usize = 11;

/// An explanation: its title, and below it each answer behind what it is about, in lines that fit
/// that many columns where there are any.
pub(super) fn explanation(explanation: &Explanation, paint: Paint, width: Option<usize>) -> String {
    let indent = ABOUT + 3;
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(1));
    let title = match (explanation.rejected, explanation.record) {
        (true, _) => paint.red(&explanation.title),
        (false, None) => paint.bold(&explanation.title),
        (false, Some(_)) => paint.green(&explanation.title),
    };
    let mut text = title + "\n";
    for (about, answer) in &explanation.answers {
        let about = paint.dim(&column(about, ABOUT));
        let lines = wrapped(answer, room).join(&format!("\n{:indent$}", ""));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {about} {lines}");
    }
    text + "\n"
}

/// The text in exactly that many characters: filled up with blanks, or its middle left out.
pub(super) fn column(text: &str, width: usize) -> String {
    format!("{:width$}", shorten(text, width))
}

/// The text in at most that many characters; where it is longer, its middle is left out, since
/// addresses and paths differ at their ends.
pub(super) fn shorten(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width || width == 0 {
        return text.to_owned();
    }
    let head = width / 2;
    let tail = width - head - 1;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// The text in lines of at most that many characters, broken between words; a longer word is
/// broken anywhere.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        loop {
            let line = lines.last_mut().map_or(0, |line| line.chars().count());
            let room = width.saturating_sub(if line == 0 { 0 } else { line + 1 });
            let fits = rest.len() <= room;
            if !fits && line > 0 {
                lines.push(String::new());
                continue;
            }
            let part: String = rest.drain(..rest.len().min(room.max(1))).collect();
            if let Some(last) = lines.last_mut() {
                if line > 0 {
                    last.push(' ');
                }
                last.push_str(&part);
            }
            if rest.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// A number with commas between its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// So many of a thing, in its singular where it is one.
pub(super) fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_singular() {
        assert_eq!(counted(0, "record"), "0 records");
        assert_eq!(counted(1, "record"), "1 record");
        assert_eq!(counted(1_000, "dead letter"), "1,000 dead letters");
    }

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn text_is_broken_between_words_where_it_can_be() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a longerword b", 4), ["a", "long", "erwo", "rd b"]);
        assert_eq!(wrapped("", 4), [""]);
    }

    #[test]
    fn an_explanation_fits_the_terminal_where_there_is_one() {
        let explanation = Explanation {
            record: Some(0),
            rejected: false,
            title: "record 0".to_owned(),
            answers: vec![("kind", "listener: its state is LISTEN".to_owned())],
        };
        let paint = Paint::of(&std::fs::File::open("Cargo.toml").unwrap());
        assert_eq!(
            super::explanation(&explanation, paint, None),
            "record 0\n  kind        listener: its state is LISTEN\n\n"
        );
        assert_eq!(
            super::explanation(&explanation, paint, Some(30)),
            "record 0\n  kind        listener: its\n              state is LISTEN\n\n"
        );
    }

    #[test]
    fn a_column_has_its_width_whatever_the_text() {
        for text in [
            "",
            "short",
            "exactly10!",
            "much longer than that",
            "ünïcödé ünïcödé",
        ] {
            assert_eq!(column(text, 10).chars().count(), 10, "{text}");
        }
        assert_eq!(shorten("2001:db8::1234:5678", 9), "2001…5678");
    }
}
