use super::*;

fn mended(text: &str) -> Option<String> {
    mend(text).map(|mender| mender.out().to_owned())
}

#[test]
fn right_json_keeps_its_spelling() {
    for text in [
        "{}",
        "[]",
        "{ }",
        "{\"a\": 1.0, \"b\":[ true,false , null ], \"c\": {\"d\": -1e5}}",
        "[\"\\u00e4\\n\\\\\\/\", \"柏 🙂\", [], {}]",
        "{\"big\": 123456789012345678901234567890}",
        "{\"\": \"\"}",
    ] {
        assert_eq!(mended(text).as_deref(), Some(text));
        assert!(serde_json::from_str::<serde_json::Value>(text).is_ok());
    }
}

#[test]
fn slips_are_mended() {
    for (written, meant) in [
        ("{\"a\": \"x\ny\tz\"}", r#"{"a": "x\ny\tz"}"#),
        ("{\"a\": \"\u{1}\"}", r#"{"a": "\u0001"}"#),
        ("{\"a\": True, \"b\": [False, None]}", r#"{"a": true, "b": [false, null]}"#),
        ("{\"a\": 1,}", "{\"a\": 1}"),
        ("[1, 2, ]", "[1, 2 ]"),
        ("{\"a\": [1,\n],\n}", "{\"a\": [1\n]\n}"),
        ("{'a': 'say \"hi\"', 'b': 'it\\'s'}", r#"{"a": "say \"hi\"", "b": "it's"}"#),
        ("{'a': '\\x41\\n'}", r#"{"a": "\u0041\n"}"#),
        (r#"{"re": "\d+\.\w", "it": "it\'s"}"#, r#"{"re": "\\d+\\.\\w", "it": "it's"}"#),
        (r#"{"p": "C:\users\xyz\u12"}"#, r#"{"p": "C:\\users\\xyz\\u12"}"#),
        ("{\"a\": }", "{\"a\": null}"),
        ("{\"a\":, \"b\": 1}", "{\"a\":null, \"b\": 1}"),
    ] {
        assert_eq!(mended(written).as_deref(), Some(meant), "{written}");
        assert!(serde_json::from_str::<serde_json::Value>(meant).is_ok(), "{meant}");
    }
}

#[test]
fn what_can_be_meant_in_several_ways_is_refused() {
    for text in [
        "",
        "{",
        "{\"a\": \"b\"c\"}",
        "{'a': 'it's'}",
        "{\"a\" 1}",
        "{\"a\": 1 \"b\": 2}",
        "{\"a\": 1,, \"b\": 2}",
        "{,}",
        "{\"a\": {\"b\": }}",
        "{\"a\": 01}",
        "{\"a\": truth}",
        "{\"a\": NaN}",
        "{a: 1}",
        "{\"a\": 1]",
        "{\"a\": 1}}",
        "\"a\"",
        "1",
        "{\"a\": \"",
    ] {
        assert_eq!(mended(text), None, "{text}");
    }
    assert_eq!(mended(&"[".repeat(5000)), None);
}

#[test]
fn members_are_those_of_the_outermost_object() {
    let mender = mend("{\"a\": {\"x\": 1}, 'b': [2], \"c\": 3}").unwrap();
    let found: Vec<_> =
        mender.members().iter().map(|m| (m.key.as_str(), &mender.out()[m.start..m.end.unwrap()])).collect();
    assert_eq!(found, [("a", "{\"x\": 1}"), ("b", "[2]"), ("c", "3")]);
}
