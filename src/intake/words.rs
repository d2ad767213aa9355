//! What the adaptors of printed tables share: lines that are no rows, and states in other
//! languages.

/// Whether a line is words alone: a title, the heads of columns, a note. A row of any tool has a
/// digit, whatever the language; so no head need be known by its words.
pub(super) fn is_words(line: &str) -> bool {
    !line.bytes().any(|byte| byte.is_ascii_digit())
}

/// What lines of words are called where they are counted.
pub(super) const WORDS: &str = "titles, heads and notes";

/// Names of states in other languages than English: the letters of ASCII in them, and the name
/// that the core knows. Other letters do not count, since the console's code page is seldom that
/// of the file: ABHÖREN comes as `ABH\u{fffd}REN` or worse.
///
/// German Windows translates them; its French, Spanish and Italian sisters do not. The others
/// are of Linux's net-tools in Spanish, Portuguese and German.
const STATES: &[(&str, &str)] = &[
    ("ABHREN", "LISTENING"),
    ("HERGESTELLT", "ESTABLISHED"),
    ("WARTEND", "TIME_WAIT"),
    ("SCHLIESSEN_WARTEN", "CLOSE_WAIT"),
    ("SCHLIESSEND", "CLOSING"),
    ("SYN_GESENDET", "SYN_SENT"),
    ("SYN_EMPFANGEN", "SYN_RECEIVED"),
    ("FIN_WARTEN_1", "FIN_WAIT_1"),
    ("FIN_WARTEN_2", "FIN_WAIT_2"),
    ("ESCUCHAR", "LISTEN"),
    ("ESTABLECIDO", "ESTABLISHED"),
    ("OUA", "LISTEN"),
    ("ESTABELECIDA", "ESTABLISHED"),
    ("ESPERANDO_FECHAR", "CLOSE_WAIT"),
    ("VERBUNDEN", "ESTABLISHED"),
];

/// States as English tools print them.
const ENGLISH: &[&str] = &[
    "LISTEN",
    "LISTENING",
    "ESTABLISHED",
    "TIME_WAIT",
    "CLOSE_WAIT",
    "SYN_SENT",
    "SYN_RECV",
    "SYN_RCVD",
    "SYN_RECEIVED",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "FIN_WAIT_1",
    "FIN_WAIT_2",
    "LAST_ACK",
    "CLOSING",
    "CLOSED",
    "CLOSE",
    "DELETE_TCB",
    "BOUND",
    "UNKNOWN",
];

/// A TCP state in English: as it is where it is English or a number, else translated. One of
/// another language that is not known is a listener's where the row has no remote (`alone`), and
/// is left to the core otherwise.
pub(super) fn state_in_english(state: &str, alone: bool) -> &str {
    let numeric = state.bytes().all(|byte| byte.is_ascii_digit());
    if numeric || ENGLISH.contains(&state) {
        return state;
    }
    let is = |letters: &str| {
        let found = state.bytes().filter(u8::is_ascii);
        found
            .map(|byte| byte.to_ascii_uppercase())
            .eq(letters.bytes())
    };
    let known = STATES.iter().find(|(letters, _)| is(letters));
    match known {
        Some((_, english)) => english,
        None if alone => "LISTEN",
        None => state,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_other_languages_are_translated_in_any_code_page() {
        for state in ["ABHÖREN", "ABH\u{fffd}REN", "ABH™REN", "ABHÃ–REN"] {
            assert_eq!(state_in_english(state, true), "LISTENING", "{state}");
        }
        assert_eq!(state_in_english("OUÇA", true), "LISTEN");
        assert_eq!(state_in_english("SCHLIESSEN_WARTEN", false), "CLOSE_WAIT");
    }

    #[test]
    fn english_states_stay_and_unknown_ones_are_judged_by_the_remote() {
        for state in ENGLISH.iter().chain(&["", "7"]) {
            assert_eq!(state_in_english(state, true), *state);
        }
        assert_eq!(state_in_english("NASŁUCHIWANIE", true), "LISTEN");
        assert_eq!(state_in_english("USTANOWIONO", false), "USTANOWIONO");
    }

    #[test]
    fn words_have_no_digits() {
        assert!(is_words("  Proto  Lokale Adresse  Remoteadresse  Status"));
        assert!(is_words("(state)") && is_words(""));
        assert!(!is_words("udp4 0 0 *.* *.*"));
    }
}
