//! One vocabulary in both official layouts, against the reference implementations of either, and
//! what must hold for every text and every sequence of ids.
//!
//! `tests/golden/tokenizers/make_tokenizer.py` wrote the files.

use qwill_text::{ChatInput, ChatTemplate, Family, Specials, SpecialsOut, Tokenizer, unguarded};
use serde_json::{Value, json};

/// Ids from here on are special.
const N_ORDINARY: u32 = 1500;

fn bytes(name: &str) -> Vec<u8> {
    let path = format!("{}/../../tests/golden/tokenizers/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn expected(list: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_slice(&bytes("expected.json")).unwrap();
    golden[list].as_array().unwrap().clone()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// The same tokenizer from either file.
fn both() -> [(&'static str, Tokenizer); 2] {
    [
        ("tokenizer.json", Tokenizer::from_json(&bytes("tokenizer.json"), None).unwrap()),
        ("qwen.tiktoken", Tokenizer::from_tiktoken(&bytes("qwen.tiktoken"), Some(1503)).unwrap()),
    ]
}

#[test]
fn both_layouts_give_the_ids_of_the_reference() {
    let cases = expected("cases");
    assert!(cases.len() > 100);
    for (file, tokenizer) in both() {
        assert_eq!(tokenizer.n_tokens(), 1503, "{file}");
        for case in &cases {
            let text = case["text"].as_str().unwrap();
            for (key, specials) in [("as_text", Specials::AsText), ("parsed", Specials::Parse)] {
                let made = tokenizer.encode(text, specials).unwrap();
                assert_eq!(made, ids(&case[key]), "{file}, {key}: {text:?}");
            }
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_decode_as_in_python() {
    let cases = expected("broken");
    assert!(cases.iter().filter(|case| case["text"].as_str().unwrap().contains('\u{fffd}')).count() > 50);
    for (file, tokenizer) in both() {
        for case in &cases {
            let ids = ids(&case["ids"]);
            let text = case["text"].as_str().unwrap();
            assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), text, "{file}: {ids:?}");
            let mut stream = tokenizer.stream();
            let streamed: String = ids.iter().map(|&id| stream.push(id)).collect();
            assert_eq!(streamed + &stream.finish(), text, "{file}: {ids:?}");
        }
    }
}

/// Texts put together at random from what is special, what is nearly special, and what is neither.
fn random_texts() -> impl Iterator<Item = String> {
    const PIECES: &[&str] = &[
        "<|endoftext|>",
        "<|im_start|>",
        "<|im_end|>",
        "<|",
        "|>",
        "im_end",
        "<",
        "|",
        ">",
        "<|im_",
        "start|>",
        "<think>",
        "</tool_call>",
        "user\n",
        " ",
        "\n\n",
        "字",
        "e\u{301}",
        "🙂",
        "a",
        "'s",
        "7",
    ];
    let mut state = 5u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(state) * below as u64) >> 32) as usize
    };
    (0..2000).map(move |_| (0..random(10)).map(|_| PIECES[random(PIECES.len())]).collect())
}

#[test]
fn text_never_becomes_a_special_token_unless_asked_to() {
    for (file, tokenizer) in both() {
        for text in random_texts() {
            let plain = tokenizer.encode(&text, Specials::AsText).unwrap();
            assert!(plain.iter().all(|&id| id < N_ORDINARY), "{file}: {text:?}");
            let parsed = tokenizer.encode(&text, Specials::Parse).unwrap();
            let names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
            let written: usize = names.iter().map(|name| text.matches(name).count()).sum();
            assert_eq!(parsed.iter().filter(|&&id| id >= N_ORDINARY).count(), written, "{file}: {text:?}");
            let normal = text.replace("e\u{301}", "é");
            for ids in [plain, parsed] {
                assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), normal, "{file}");
            }
        }
    }
}

#[test]
fn typed_names_of_special_tokens_stay_text_in_a_chat() {
    let template = ChatTemplate::builtin(Family::Qwen3).unwrap();
    for (file, tokenizer) in both() {
        for text in random_texts() {
            let messages =
                ["user", "assistant", "tool", "user"].map(|role| json!({"role": role, "content": text}));
            let mut chat = ChatInput { messages: messages.into(), ..ChatInput::default() };
            let plain = template.render(&chat).unwrap();
            chat.guard_specials(&tokenizer);
            let guarded = template.render(&chat).unwrap();
            assert_eq!(unguarded(&guarded), plain);
            let ids = tokenizer.encode(&guarded, Specials::ParseUnguarded).unwrap();
            // Four turns and the beginning of the answer.
            assert_eq!(ids.iter().filter(|&&id| id >= N_ORDINARY).count(), 2 * 4 + 1, "{file}: {text:?}");
            assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), plain.replace("e\u{301}", "é"));
            let names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
            if names.iter().all(|name| !text.contains(name)) {
                assert_eq!(ids, tokenizer.encode(&plain, Specials::Parse).unwrap(), "{file}: {text:?}");
            }
        }
    }
}

/// Vocabularies of the sizes of the releases; which tokens they hold is of no matter here.
#[test]
fn control_tokens_have_the_ids_of_their_generation() {
    let spelled: Vec<String> = {
        let file: Value = serde_json::from_slice(&bytes("tokenizer.json")).unwrap();
        let vocab = file["model"]["vocab"].as_object().unwrap();
        let mut tokens: Vec<_> =
            vocab.iter().map(|(token, id)| (id.as_u64().unwrap(), token.clone())).collect();
        tokens.sort();
        tokens.into_iter().take(256).map(|(_, token)| token).collect()
    };
    for (size, first) in [(151_643, 151_643), (248_044, 248_044)] {
        let mut vocab = serde_json::Map::new();
        for id in 0..size {
            let token = spelled.get(id).cloned().unwrap_or_else(|| format!("token{id}"));
            vocab.insert(token, Value::from(id));
        }
        let vocab = serde_json::to_vec(&vocab).unwrap();
        let tokenizer = Tokenizer::from_vocab_merges(&vocab, b"#version: 0.2\n", None).unwrap();
        let text = "<|endoftext|><|im_start|><|im_end|>";
        assert_eq!(tokenizer.encode(text, Specials::Parse).unwrap(), [first, first + 1, first + 2]);
    }
    // Qwen1: the single bytes, then tokens of three bytes that nothing merges into.
    let ranks = String::from_utf8(bytes("qwen.tiktoken")).unwrap();
    let mut file: Vec<String> = ranks.lines().take(256).map(str::to_owned).collect();
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for rank in 256..151_643usize {
        let token: String = [18, 12, 6, 0].iter().map(|shift| DIGITS[(rank >> shift) & 63] as char).collect();
        file.push(format!("{token} {rank}"));
    }
    let tokenizer = Tokenizer::from_tiktoken(file.join("\n").as_bytes(), Some(151_936)).unwrap();
    assert_eq!(tokenizer.n_tokens(), 151_851);
    for (name, id) in [
        ("<|endoftext|>", 151_643),
        ("<|im_start|>", 151_644),
        ("<|im_end|>", 151_645),
        ("<|extra_0|>", 151_646),
        ("<|extra_204|>", 151_850),
    ] {
        assert_eq!((tokenizer.id_of(name), tokenizer.is_special(id)), (Some(id), true), "{name}");
    }
    assert_eq!(tokenizer.id_of("<|extra_205|>"), None);
}
