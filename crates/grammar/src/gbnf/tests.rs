use super::to_lark;
use crate::{Error, Grammar, Grammars, Vocabulary};

fn grammars() -> Grammars {
    let mut tokens: Vec<Vec<u8>> = (0..=255).map(|byte| vec![byte]).collect();
    tokens.push(Vocabulary::special("<|im_end|>"));
    let encode = |text: &[u8]| text.iter().map(|&byte| byte.into()).collect();
    Grammars::new(Vocabulary { tokens, ends: vec![256], encode: Box::new(encode) }).unwrap()
}

/// Whether a grammar accepts a text, all of it.
fn accepts(gbnf: &str, text: &str) -> bool {
    let mut matcher = grammars().compile(&Grammar::Gbnf(gbnf.into())).unwrap();
    text.bytes().all(|byte| matcher.take(byte.into()).is_ok()) && matcher.may_end().unwrap()
}

#[test]
fn texts_are_accepted_as_llama_cpp_does() {
    let list =
        "# a list\nroot ::= item-1 (\n  \",\" item-1\n)*\nitem-1 ::= \"- \" [^\\n,]+ | [0-9a-f]{2,4} # hex\n";
    for (text, wanted) in
        [("- a b", true), ("- a,ff,- x", true), ("0123", true), ("0", false), ("01234", false)]
    {
        assert_eq!(accepts(list, text), wanted, "{text:?}");
    }
    let sums = r#"root ::= expr
expr ::= term ([-+*/] term)*
term ::= num | "(" ws expr ws ")"
num ::= [0-9]+
ws ::= [ \t]*
"#;
    for (text, wanted) in
        [("1+(2*( 3-4 ))", true), ("(1", false), ("((7))", true), ("1+", false), ("", false)]
    {
        assert_eq!(accepts(sums, text), wanted, "{text:?}");
    }
    let quotes = r#"root ::= "\"" ([^"\\] | "\\" ["\\/bfnrt])* "\"" "?"?"#;
    for (text, wanted) in [(r#""a\n\"柏""#, true), (r#""a"?"#, true), (r#""a\x""#, false), (r#""a"#, false)]
    {
        assert_eq!(accepts(quotes, text), wanted, "{text:?}");
    }
    assert!(accepts("root ::= [a-] [\\]x] .", "-]\n"));
    assert!(accepts("root ::= a-b a_b A\na-b ::= \"1\"\na_b ::= \"2\"\nA ::= root?\n", "1212"));
    assert!(accepts("root ::= \"\\x41\\u00e9\" |\n  \"b\"", "Aé"));
    assert!(accepts("root ::= \"a\"?", ""));
}

#[test]
fn what_makes_no_sense_is_said_with_its_line() {
    for (gbnf, words) in [
        ("start ::= \"a\"", "no rule \"root\""),
        ("root ::= \"a\"\n\nroot ::= \"b\"", "line 3: the rule \"root\" is there twice"),
        ("root ::= thing", "names \"thing\", which is not there"),
        ("root ::= \"a", "line 1: a text has no closing quote"),
        ("root ::= [a", "has no \"]\""),
        ("root ::= []", "is empty"),
        ("root ::= (\"a\"", "\")\" is missing at the end"),
        ("root = \"a\"", "\":\" is missing before \"=\""),
        ("root ::= \"a\"{3,2}", "smaller most"),
        ("root ::= \"a\"{99999}", "more than 10000"),
        ("root ::= [z-a]", "ends its range at \"a\""),
        ("root ::= \"\\q\"", "\"\\q\" means nothing"),
        ("root ::= %", "a rule's name is missing before \"%\""),
        ("", "no rule"),
    ] {
        let error = to_lark(gbnf).unwrap_err();
        assert!(error.contains(words), "{gbnf:?}: {error}");
        let compiled = grammars().compile(&Grammar::Gbnf(gbnf.into()));
        assert!(matches!(compiled, Err(Error::Grammar { kind: "grammar", .. })), "{gbnf:?}");
    }
    assert!(to_lark(&format!("root ::= {}", "(".repeat(100_000))).unwrap_err().contains("deep"));
}
