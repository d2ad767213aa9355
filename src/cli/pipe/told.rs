//! What `pipe` tells the person at the terminal: what it waits for, what became of it, and what
//! to do where none of it was a message.

use super::Framing;
use crate::cli::terminal::{counted, grouped};
use crate::pipeline::code::{Reason, Rejection};
use crate::pipeline::emit::Tally;

/// What is waited for where messages are to be typed.
pub(super) fn invitation(framing: Framing) -> String {
    let what = match framing {
        Framing::Lines => "JSON messages, one a line",
        Framing::Delimited => "protobuf messages, each after its length",
        Framing::Whole => "one message",
    };
    format!("reading {what}, this terminal: end with Ctrl-D at the start of a line")
}

/// What went in and what became of it, in one line.
pub(super) fn summary(tally: &Tally) -> String {
    let rejected = tally.rejected_messages + tally.rejected_records;
    let events = tally.records - tally.rejected_records;
    let text = format!(
        "{}, {}: {}, {} rejected",
        counted(tally.messages, "message"),
        counted(tally.records, "record"),
        counted(events, "event"),
        grouped(rejected)
    );
    let reasons: Vec<_> = Reason::all()
        .map(|reason| (reason.name(), tally.rejected(reason)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{name} {}", grouped(count)))
        .collect();
    if reasons.is_empty() {
        text
    } else {
        format!("{text} ({})", reasons.join(", "))
    }
}

/// What an input without a message looks like, by its first line that is not blank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// An object that goes on in the next line.
    ObjectOverLines,
    /// An object of one line, as a message is.
    Object,
    /// A list, of messages most likely.
    List,
    /// Anything else.
    Text,
}

impl Look {
    /// That of a line; nothing where it is blank.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        match line.trim_ascii() {
            [] => None,
            [b'[', ..] => Some(Self::List),
            [b'{', .., b'}'] => Some(Self::Object),
            [b'{', ..] => Some(Self::ObjectOverLines),
            _ => Some(Self::Text),
        }
    }
}

/// What to do where there was text, and not one line of it a message. A line of a message that is
/// laid out over several may be an object of its own.
pub(super) fn remedy(tally: &Tally, look: Option<Look>) -> Option<&'static str> {
    let malformed = tally.rejected(Reason::Rejection(Rejection::MalformedJson));
    if malformed == 0 || tally.rejected_messages < tally.messages {
        return None;
    }
    Some(match look? {
        Look::ObjectOverLines => {
            "no line is a message, but the first begins an object: one message over several lines \
             is read with --raw, many once jq -c has put each on a line"
        }
        Look::Object => {
            "no line is a message, but the first is an object: --explain says what is wrong with it"
        }
        Look::List => {
            "no line is a message, but the first begins a list: take the messages out of it with \
             jq -c '.[]'"
        }
        Look::Text => {
            "no line is a message, and none looks like one: what netstat and other tools print is \
             made into messages by netsieve submit"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_looks_like_its_first_line() {
        for (line, look) in [
            (&b" \r"[..], None),
            (b"{", Some(Look::ObjectOverLines)),
            (b"  {\"data\": [\r", Some(Look::ObjectOverLines)),
            (b"[{},", Some(Look::List)),
            (b"{\"data\": nope}", Some(Look::Object)),
            (b"Proto  Local Address", Some(Look::Text)),
        ] {
            assert_eq!(Look::of(line), look, "{}", line.escape_ascii());
        }
    }
}
