//! The lines that rows of a CSV begin in.

/// Counts lines along with a reader of the same bytes. The reader's own positions are before what
/// it skips: the end of the row before, empty lines and comments.
pub(crate) struct CsvLines<'b> {
    bytes: &'b [u8],
    comment: Option<u8>,
    counted: usize,
    line: u64,
}

impl<'b> CsvLines<'b> {
    /// At the first line of the reader's bytes; `comment` is what the reader takes for one's
    /// beginning.
    pub(crate) const fn new(bytes: &'b [u8], comment: Option<u8>) -> Self {
        Self {
            bytes,
            comment,
            counted: 0,
            line: 1,
        }
    }

    /// The line, from 1, of the row that is read from a position on; positions only go forward.
    pub(crate) fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let from = position.map(csv::Position::byte);
        let mut at = from.map_or(self.counted, |from| {
            usize::try_from(from).unwrap_or(usize::MAX)
        });
        while let Some(rest) = self.bytes.get(at..) {
            at += match rest {
                [b'\n' | b'\r', ..] => 1,
                [first, ..] if self.comment == Some(*first) => {
                    memchr::memchr(b'\n', rest).unwrap_or(rest.len())
                }
                _ => break,
            };
        }
        let between = self.bytes.get(self.counted..at).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', between).count() as u64;
        self.counted = at.max(self.counted);
        self.line
    }
}
