use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn read(text: &str) -> Result<(), Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.skip(usize::MAX)?;
    scanner.end()
}

/// Whether serde_json, an independent reader, takes the text. It is asked to ignore the
/// value, which leaves the grammar alone.
fn oracle(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[test]
fn the_grammar_and_nothing_else() {
    for (text, valid) in [
        ("{}", true),
        (" \t\r\n[ ] \n", true),
        (r#"{"a":[1,{"b":null}],"c":"d"}"#, true),
        (r#"{ "a" : [ 1 , 2 ] , "b" : { } }"#, true),
        ("0", true),
        ("-0", true),
        ("-0.0e-0", true),
        ("1E+400", true),
        (r#""\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00""#, true),
        ("\"\u{7f}é\u{2028}\"", true),
        ("", false),
        (" ", false),
        ("{", false),
        ("[", false),
        ("[1", false),
        ("[1,", false),
        ("[1,]", false),
        ("[,1]", false),
        ("[1 2]", false),
        ("[1}", false),
        (r#"{"a":1]"#, false),
        (r#"{"a"}"#, false),
        (r#"{"a":}"#, false),
        (r#"{"a":1,}"#, false),
        ("{a:1}", false),
        ("{1:1}", false),
        ("{'a':1}", false),
        ("01", false),
        ("-", false),
        ("+1", false),
        ("1.", false),
        (".1", false),
        ("1e", false),
        ("1e+", false),
        ("0x1", false),
        ("NaN", false),
        ("nul", false),
        ("nulll", false),
        ("True", false),
        ("\"", false),
        ("\"\\\"", false),
        (r#""\x""#, false),
        (r#""\u12G4""#, false),
        (r#""\u+123""#, false),
        (r#""\u12""#, false),
        ("\"a\nb\"", false),
        ("\"a\0b\"", false),
        ("\"12345678\u{1f}\"", false),
        ("{}{}", false),
        ("{} x", false),
        ("{}\0", false),
        ("\u{b}{}", false),
        ("\u{a0}{}", false),
        ("// no\n{}", false),
    ] {
        assert_eq!(read(text).is_ok(), valid, "{text}");
        assert_eq!(oracle(text), valid, "the oracle on {text}");
    }
}

#[test]
fn a_fault_says_where_it_is() {
    let mut scanner = Scanner::new("{\"a\": tru}");
    assert_eq!(scanner.skip(9), Err(Malformed::NoValue));
    assert_eq!(scanner.at(), 6);
}

#[test]
fn any_depth_without_recursion_and_a_bound_where_one_is_set() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let nested = |depth: usize| [open.repeat(depth), "0".into(), close.repeat(depth)];
        for depth in [1, 31, 32, 33, 63, 64, 65, 66, 128, 129, 100_000] {
            let text = nested(depth).concat();
            assert_eq!(read(&text), Ok(()), "{depth} {open}");
            let cut = text.get(..text.len() - 1).unwrap();
            assert!(read(cut).is_err(), "{depth} {open} cut");
            let [mut opened, zero, closed] = nested(depth);
            opened.insert(0, '[');
            let wrong = [opened, zero, closed, "}".into()].concat();
            assert!(read(&wrong).is_err(), "{depth} {open} closed wrongly");
        }
    }
    let skip = |text: &str, depth| Scanner::new(text).skip(depth);
    assert_eq!(skip("[[{}]]", 3), Ok(()));
    assert!(skip("[[{}]]", 2).is_err());
    assert!(skip("[[[1]]]", 2).is_err());
    assert_eq!(skip("[[1],[2],[[3],[]]]", 3), Ok(()));
}

fn resolved(text: &str, arena: &Bump) -> Option<String> {
    match Scanner::new(text).value(0) {
        Ok(Value::Text(text)) => Some(text.into()),
        Ok(Value::Escaped(text)) => unescape(text, arena).map(Into::into),
        other => panic!("{other:?}"),
    }
}

#[test]
fn half_a_surrogate_pair_is_no_text() {
    let arena = Bump::new();
    for text in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""a\udc00\ud800""#,
        r#""\ud800\ud800""#,
        r#""\ud800\u0041""#,
        r#""\ud800\n""#,
        r#""\ud800x""#,
    ] {
        assert_eq!(resolved(text, &arena), None, "{text}");
    }
    let pair = resolved(r#""\\\uD83D\ude00\u0000/""#, &arena);
    assert_eq!(pair.as_deref(), Some("\\😀\0/"));
}

/// Texts that are JSON, and ones that nearly are.
fn texts() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][-+]?[0-9]{1,3})?",
        "\"([ -!#-\\[\\]-~é\u{1F600}]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-fA-F]{4}){0,20}\"",
    ];
    let white = "[ \t\r\n]{0,2}";
    let valid = scalar.prop_recursive(4, 32, 4, move |inner| {
        let item = (white, inner, white).prop_map(|(a, b, c)| format!("{a}{b}{c}"));
        let key = "[ \n]?\"[a-z\\\\]{0,0}[a-z]{0,9}\"[ \n]?";
        let member = (key, item.clone()).prop_map(|(key, value)| format!("{key}:{value}"));
        prop_oneof![
            prop::collection::vec(item, 0..4).prop_map(|all| format!("[{}]", all.join(","))),
            prop::collection::vec(member, 0..4).prop_map(|all| format!("{{{}}}", all.join(","))),
        ]
    });
    let edit = (any::<prop::sample::Index>(), 0..2_usize, "[ -~\t\n\0]{0,2}");
    (valid, prop::collection::vec(edit, 0..3)).prop_map(|(text, edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (place, removed, inserted) in edits {
            let at = place.index(characters.len() + 1);
            let end = (at + removed).min(characters.len());
            characters.splice(at..end, inserted.chars());
        }
        characters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_another_reader_takes_and_nothing_else(text in texts()) {
        prop_assert_eq!(read(&text).is_ok(), oracle(&text), "{}", text);
    }

    #[test]
    fn strings_are_what_another_reader_makes_of_them(
        text in "\"([ -!#-\\[\\]-~é]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-f]{4}|\\\\ud[89a-f][0-9a-f]{2}){0,20}\"",
    ) {
        let arena = Bump::new();
        let oracle = serde_json::from_str::<String>(&text).ok();
        prop_assert_eq!(resolved(&text, &arena), oracle, "{}", text);
    }

    #[test]
    fn plain_text_ends_at_its_first_stop(bytes in prop::collection::vec(0x1E..0x80_u8, 0..40)) {
        let stop = bytes.iter().position(|byte| *byte < 0x20 || b"\"\\".contains(byte));
        prop_assert_eq!(plain_length(&bytes), stop.unwrap_or(bytes.len()));
    }

    #[test]
    fn any_byte_can_stop(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let stop = bytes.iter().position(|byte| *byte < 0x20 || b"\"\\".contains(byte));
        prop_assert_eq!(plain_length(&bytes), stop.unwrap_or(bytes.len()));
    }
}
