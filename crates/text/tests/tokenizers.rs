//! Tokenizers of every file format against what the reference implementations make of the same
//! files; `data/make_tokenizers.py` says which.

use qwill_text::{
    ChatInput, ChatTemplate, Family, GenerationConfig, GenerationPrompt, GgufTokenizer, Specials,
    SpecialsOut, TemplateUse, Thinking, Tokenizer, qwen1_prompt,
};
use serde_json::{Value, json};

fn bytes(path: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/tokenizers/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn value(path: &str) -> Value {
    serde_json::from_slice(&bytes(path)).unwrap()
}

fn from_json(name: &str) -> Tokenizer {
    Tokenizer::from_json(&bytes(&format!("{name}/tokenizer.json")), None).unwrap()
}

fn qwen1() -> Tokenizer {
    Tokenizer::from_tiktoken(&bytes("qwen1/qwen.tiktoken"), None).unwrap()
}

/// The parts of a GGUF file that a converter would make of `tokenizer.json`.
fn gguf_parts(name: &str, padded_to: usize) -> GgufTokenizer {
    let file = value(&format!("{name}/tokenizer.json"));
    let mut parts = GgufTokenizer {
        model: "gpt2".into(),
        pre: if name == "qwen35" { "qwen35" } else { "qwen2" }.into(),
        ..GgufTokenizer::default()
    };
    for at in 0..padded_to {
        parts.tokens.push(format!("[PAD{at}]"));
        parts.token_types.push(5);
    }
    for (token, id) in file["model"]["vocab"].as_object().unwrap() {
        let id = id.as_u64().unwrap() as usize;
        parts.tokens[id].clone_from(token);
        parts.token_types[id] = 1;
    }
    for added in file["added_tokens"].as_array().unwrap() {
        let id = added["id"].as_u64().unwrap() as usize;
        parts.tokens[id] = added["content"].as_str().unwrap().into();
        parts.token_types[id] = if added["special"] == true { 3 } else { 4 };
    }
    for merge in file["model"]["merges"].as_array().unwrap() {
        let merge = match merge {
            Value::String(line) => line.clone(),
            pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        };
        parts.merges.push(merge);
    }
    parts
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Encodes and decodes the texts of a fixture.
fn check(tokenizer: &Tokenizer, name: &str) {
    let golden = value(&format!("{name}/expected.json"));
    let cases = golden["cases"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let expected = ids(&case["ids"]);
        assert_eq!(tokenizer.encode(text, Specials::Parse).unwrap(), expected, "{name}: {text:?}");
        for (key, specials) in [("decoded", SpecialsOut::Keep), ("decoded_skip_special", SpecialsOut::Skip)] {
            if let Some(decoded) = case[key].as_str() {
                assert_eq!(tokenizer.decode(&expected, specials), decoded, "{name}: {text:?}");
            }
        }
    }
    let golden = value("texts.json");
    let key = match name {
        "qwen1" => "ids_qwen1",
        "qwen35" => "ids_qwen35",
        _ => "ids_qwen2",
    };
    for (text, expected) in golden["texts"].as_array().unwrap().iter().zip(golden[key].as_array().unwrap()) {
        let text = text.as_str().unwrap();
        assert_eq!(tokenizer.encode(text, Specials::Parse).unwrap(), ids(expected), "{name}: {text:?}");
    }
}

#[test]
fn tokenizer_json_agrees_with_the_reference() {
    for name in ["qwen2", "qwen3", "qwen35", "embed"] {
        check(&from_json(name), name);
    }
}

#[test]
fn vocab_and_merges_agree_with_the_reference() {
    let config = bytes("qwen2/tokenizer_config.json");
    let (vocab, merges) = (bytes("qwen2/vocab.json"), bytes("qwen2/merges.txt"));
    check(&Tokenizer::from_vocab_merges(&vocab, &merges, Some(&config)).unwrap(), "qwen2");
    let bare = Tokenizer::from_vocab_merges(&vocab, &merges, None).unwrap();
    assert_eq!(bare.encode("<|im_end|>", Specials::Parse).unwrap(), [422]);
    assert_eq!(bare.n_tokens(), 423);
}

#[test]
fn gguf_agrees_with_the_reference() {
    for name in ["qwen2", "qwen3", "qwen35"] {
        let tokenizer = Tokenizer::from_gguf(gguf_parts(name, 448)).unwrap();
        check(&tokenizer, name);
        assert_eq!(tokenizer.n_tokens(), from_json(name).n_tokens());
        assert_eq!(tokenizer.token_bytes(447), None);
    }
}

#[test]
fn tiktoken_agrees_with_the_reference() {
    check(&qwen1(), "qwen1");
}

#[test]
fn reserved_tokens_end_where_the_embeddings_do() {
    let file = bytes("qwen1/qwen.tiktoken");
    let sized = |n_rows| Tokenizer::from_tiktoken(&file, n_rows).unwrap();
    assert_eq!((sized(None).n_tokens(), sized(Some(10_000)).n_tokens()), (628, 628));
    let small = sized(Some(448));
    assert_eq!(
        (small.n_tokens(), small.id_of("<|extra_24|>"), small.id_of("<|extra_25|>")),
        (448, Some(447), None)
    );
    check(&small, "qwen1");
    // Without the tokens of its format it would be no Qwen1 at all: those stay, and the model is refused.
    let least = sized(Some(7));
    assert_eq!((least.n_tokens(), least.id_of("<|im_end|>")), (423, Some(422)));
}

#[test]
fn tiktoken_and_json_agree_on_many_languages() {
    let (one, two) = (qwen1(), from_json("qwen2"));
    for text in [
        "The quick brown fox — it's 3.5× faster than 10_000 \"snails\"…",
        "Übergrößenträger fährt über die Straße; là-bas, l'été où ça chauffe à 40 °C.",
        "Съешь ещё этих мягких французских булок. Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
        "今天天气很好，我们去图书馆。東京で寿司を食べた。오늘은 날씨가 좋네요.",
        "यह एक वाक्य है। นี่คือประโยค هذه جملة קצרה ይህ ነው ეს არის",
        "fn main() {\n\tprintln!(\"{}\", 1 << 20); // été\r\n}\n\n\n",
        "🦙 👩‍👩‍👧 🇩🇪 \u{200b}\u{feff}\u{a0}e\u{301}",
    ] {
        assert_eq!(
            one.encode(text, Specials::AsText).unwrap(),
            two.encode(text, Specials::AsText).unwrap(),
            "{text}"
        );
        assert_eq!(one.token_bytes(300), two.token_bytes(300));
    }
}

#[test]
fn special_tokens_are_parsed_only_when_asked_to() {
    let tokenizer = from_json("qwen3");
    let text = "<|im_start|>user\n<think>x</think><|im_end|>";
    let parsed = tokenizer.encode(text, Specials::Parse).unwrap();
    let plain = tokenizer.encode(text, Specials::AsText).unwrap();
    assert_eq!((parsed[0], *parsed.last().unwrap()), (421, 422));
    assert!(plain.iter().all(|&id| id < 420));
    for ids in [&parsed, &plain] {
        assert_eq!(tokenizer.decode(ids, SpecialsOut::Keep), text);
    }
    assert_eq!(tokenizer.decode(&parsed, SpecialsOut::Skip), "user\n<think>x</think>");
    assert_eq!(tokenizer.id_of("<think>"), Some(434));
    assert_eq!(
        (tokenizer.is_special(434), tokenizer.is_added(434), tokenizer.is_special(422)),
        (false, true, true)
    );
    assert_eq!(tokenizer.id_of("<|nothing|>"), None);
    assert_eq!(tokenizer.id_of("\n"), Some(198));
}

#[test]
fn only_embeddings_get_an_end_of_text() {
    let tokenizer = from_json("embed");
    assert_eq!(tokenizer.encode("a", Specials::Parse).unwrap(), [64]);
    assert_eq!(tokenizer.encode_for_embedding("a").unwrap(), [64, 420]);
    assert_eq!(from_json("qwen3").encode_for_embedding("a").unwrap(), [64]);
}

#[test]
fn ids_without_a_token_are_nothing() {
    let tokenizer = from_json("qwen3");
    assert_eq!(tokenizer.n_tokens(), 436);
    for id in [436, 447, 151_936, u32::MAX] {
        assert_eq!(tokenizer.token_bytes(id), None);
        assert!(!tokenizer.is_special(id));
        assert_eq!(tokenizer.decode(&[64, id, 65], SpecialsOut::Keep), "ab");
        assert_eq!(tokenizer.stream().push(id), "");
    }
}

#[test]
fn streamed_text_is_the_decoded_text() {
    let tokenizer = from_json("qwen3");
    let mut state = 1u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((u64::from(state) * u64::from(below)) >> 32) as u32
    };
    for _ in 0..3000 {
        let ids: Vec<u32> = (0..random(12)).map(|_| random(445)).collect();
        for specials in [SpecialsOut::Keep, SpecialsOut::Skip] {
            let mut stream = tokenizer.stream_with(specials);
            let mut text: String = ids.iter().map(|&id| stream.push(id)).collect();
            text += &stream.finish();
            assert_eq!(text, tokenizer.decode(&ids, specials), "{ids:?}");
        }
    }
    // Whole characters come as soon as their last byte does.
    let ids = tokenizer.encode("🙂é", Specials::AsText).unwrap();
    let mut stream = tokenizer.stream();
    let pieces: Vec<String> = ids.iter().map(|&id| stream.push(id)).filter(|s| !s.is_empty()).collect();
    assert_eq!(pieces, ["🙂", "é"]);
    assert_eq!(stream.finish(), "");
}

/// Quadratic time would make this test take many minutes, and a regular expression that gives up
/// would change the ids.
#[test]
fn long_runs_of_one_character_are_no_trouble() {
    let tokenizer = from_json("qwen3");
    for unit in ["a", " ", "\n", " \n", "e\u{301}", "<", "'", "字", "the "] {
        let text = unit.repeat(300_000);
        let ids = tokenizer.encode(&text, Specials::Parse).unwrap();
        let expected = text.replace("e\u{301}", "é");
        assert_eq!(tokenizer.decode(&ids, SpecialsOut::Keep), expected, "{unit:?}");
    }
    // A million spaces are more than the regular expressions can take at once; the words after them
    // must be found all the same.
    let golden = value("texts.json");
    let words: String = golden["texts"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let after = tokenizer.encode(&format!(" x{words}"), Specials::AsText).unwrap();
    for unit in ["a", " ", "!", "\n"] {
        let text = format!("{} x{words}", unit.repeat(1_100_000));
        assert!(tokenizer.encode(&text, Specials::AsText).unwrap().ends_with(&after), "{unit:?}");
    }
}

#[test]
fn added_tokens_have_the_ids_of_their_file() {
    let mut file = value("qwen3/tokenizer.json");
    let mut far = file["added_tokens"][0].clone();
    (far["id"], far["content"], far["special"]) = (json!(500), json!("<é>"), json!(false));
    file["added_tokens"].as_array_mut().unwrap().push(far);
    let config = json!({"added_tokens_decoder": {
        "420": {"content": "<other name>", "special": false},
        "470": {"content": "<only here>", "special": true},
    }});
    let (file, config) = (file.to_string(), config.to_string());
    let tokenizer = Tokenizer::from_json(file.as_bytes(), Some(config.as_bytes())).unwrap();
    let ids = tokenizer.encode("<é><only here><|endoftext|>", Specials::Parse).unwrap();
    assert_eq!(ids, [500, 470, 420]);
    assert_eq!(tokenizer.decode(&ids, SpecialsOut::Skip), "<é>");
    assert_eq!((tokenizer.n_tokens(), tokenizer.token_bytes(480)), (501, None));
    assert!(tokenizer.encode("<é>", Specials::AsText).unwrap().iter().all(|&id| id < 420));
}

#[test]
fn chat_templates_of_the_files_give_the_expected_ids() {
    for name in ["qwen2", "qwen3"] {
        let config = bytes(&format!("{name}/tokenizer_config.json"));
        let json = bytes(&format!("{name}/tokenizer.json"));
        let tokenizer = Tokenizer::from_json(&json, Some(&config)).unwrap();
        assert_eq!(tokenizer.config().eos_token(), Some("<|im_end|>"));
        assert_eq!(tokenizer.config().special_names()["pad_token"], "<|endoftext|>");
        let source = tokenizer.config().chat_template(TemplateUse::Tools).unwrap();
        let template = ChatTemplate::new(source).unwrap();
        let golden = value(&format!("{name}/expected.json"));
        for case in golden["chat"].as_array().unwrap() {
            let chat = ChatInput {
                messages: case["messages"].as_array().unwrap().clone(),
                tools: case["tools"].as_array().cloned(),
                add_generation_prompt: match case["add_generation_prompt"].as_bool() {
                    Some(true) => GenerationPrompt::Add,
                    _ => GenerationPrompt::Omit,
                },
                thinking: match case["enable_thinking"].as_bool() {
                    Some(false) => Thinking::Off,
                    Some(true) => Thinking::On,
                    None => Thinking::Default,
                },
                ..ChatInput::default()
            };
            let text = template.render(&chat).unwrap();
            assert_eq!(text, case["rendered"].as_str().unwrap());
            assert_eq!(tokenizer.encode(&text, Specials::Parse).unwrap(), ids(&case["ids"]));
        }
    }
}

#[test]
fn qwen1_prompts_are_put_together_from_ids() {
    let tokenizer = qwen1();
    let text = |ids: &[u32]| tokenizer.decode(ids, SpecialsOut::Keep);
    let mut chat = ChatInput {
        messages: vec![
            json!({"role": "user", "content": "\na"}),
            json!({"role": "assistant", "content": "<|im_end|>"}),
            json!({"role": "user", "content": "c"}),
        ],
        ..ChatInput::default()
    };
    let ids = qwen1_prompt(&tokenizer, &chat, 6144).unwrap();
    assert_eq!(
        text(&ids),
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n\na<|im_end|>\n<|im_start|>assistant\n<|im_end|><|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n"
    );
    // The user's "\n" does not merge with the one of the format, and typed tags are text.
    let newline = tokenizer.id_of("\n").unwrap();
    assert!(ids.windows(2).any(|pair| pair == [newline, newline]));
    assert_eq!(ids.iter().filter(|&&id| id == tokenizer.id_of("<|im_end|>").unwrap()).count(), 4);
    // A window too small for the first turn drops it whole.
    let short = qwen1_prompt(&tokenizer, &chat, 20).unwrap();
    assert!(
        text(&short)
            .ends_with("assistant.<|im_end|>\n<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\n")
    );
    chat.messages.insert(0, json!({"role": "system", "content": ""}));
    chat.messages.push(json!({"role": "assistant", "content": "Thought:"}));
    chat.add_generation_prompt = GenerationPrompt::Continue;
    let open = text(&qwen1_prompt(&tokenizer, &chat, 6144).unwrap());
    assert!(open.starts_with("<|im_start|>system\n<|im_end|>\n<|im_start|>user\n\na"));
    assert!(open.ends_with("<|im_start|>user\nc<|im_end|>\n<|im_start|>assistant\nThought:"));
}

#[test]
fn qwen1_is_asked_for_tools_in_prose() {
    let tokenizer = qwen1();
    let tool = json!({"type": "function", "function": {
        "name": "get_t", "description": "查询气温。",
        "parameters": {"type": "object", "properties": {"c": {"type": "string", "description": "城市"}}},
    }});
    let plugin = json!({"name_for_model": "now", "name_for_human": "Clock", "description_for_model": "The time.", "parameters": []});
    let mut chat = ChatInput {
        messages: vec![
            json!({"role": "user", "content": "before"}),
            json!({"role": "assistant", "content": "yes"}),
            json!({"role": "user", "content": [{"type": "text", "text": "warm?"}]}),
        ],
        tools: Some(vec![tool, plugin]),
        ..ChatInput::default()
    };
    let text = |chat: &ChatInput| {
        tokenizer.decode(&qwen1_prompt(&tokenizer, chat, 6144).unwrap(), SpecialsOut::Keep)
    };
    let head = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\nbefore<|im_end|>\n<|im_start|>assistant\nyes<|im_end|>\n";
    let question = "<|im_start|>user\nAnswer the following questions as best you can. You have access to the following tools:\n\nget_t: Call this tool to interact with the get_t API. What is the get_t API useful for? 查询气温。 Parameters: {\"type\": \"object\", \"properties\": {\"c\": {\"type\": \"string\", \"description\": \"城市\"}}} Format the arguments as a JSON object.\n\nnow: Call this tool to interact with the Clock API. What is the Clock API useful for? The time. Parameters: [] Format the arguments as a JSON object.\n\nUse the following format:\n\nQuestion: the input question you must answer\nThought: you should always think about what to do\nAction: the action to take, should be one of [get_t,now]\nAction Input: the input to the action\nObservation: the result of the action\n... (this Thought/Action/Action Input/Observation can be repeated zero or more times)\nThought: I now know the final answer\nFinal Answer: the final answer to the original input question\n\nBegin!\n\nQuestion: warm?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(text(&chat), format!("{head}{question}"));

    // The reply comes back as OpenAI's clients keep it, with its results.
    chat.messages.extend([
        json!({"role": "assistant", "content": null, "reasoning_content": "need both", "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "get_t", "arguments": {"c": "柏林"}}},
            {"id": "b", "type": "function", "function": {"name": "now", "arguments": "{\"zone\":1}"}}]}),
        json!({"role": "tool", "tool_call_id": "b", "content": "9:00"}),
        json!({"role": "tool", "tool_call_id": "a", "content": "5"}),
    ]);
    let calls = "Thought: need both\nAction: now\nAction Input: {\"zone\":1}\nObservation: 9:00\nAction: get_t\nAction Input: {\"c\": \"柏林\"}\nObservation: 5";
    assert_eq!(text(&chat), format!("{head}{question}{calls}\nThought:"));
    chat.messages.push(json!({"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "now", "arguments": null}}]}));
    chat.messages.push(json!({"role": "tool", "content": "9:01"}));
    let second = "Thought: I should use now.\nAction: now\nAction Input: {}\nObservation: 9:01";
    assert_eq!(text(&chat), format!("{head}{question}{calls}\n{second}\nThought:"));
    chat.messages.push(json!({"role": "assistant", "content": "Cold."}));
    let answer = "Thought: I now know the final answer\nFinal Answer: Cold.<|im_end|>\n";
    chat.add_generation_prompt = GenerationPrompt::Omit;
    assert_eq!(text(&chat) + "\n", format!("{head}{question}{calls}\n{second}\n{answer}"));
    // The next question gets the instructions, and the earlier one loses them.
    chat.messages.push(json!({"role": "user", "content": "thanks"}));
    chat.add_generation_prompt = GenerationPrompt::Add;
    let next = text(&chat);
    assert!(
        next.contains(&format!("user\nwarm?<|im_end|>\n<|im_start|>assistant\n{calls}\n{second}\n{answer}"))
    );
    assert!(next.ends_with("Question: thanks<|im_end|>\n<|im_start|>assistant\n"));

    for (messages, words) in [
        (json!([{"role": "tool", "content": "5"}]), "must follow"),
        (json!([{"content": "5"}]), "no role"),
        (json!([{"role": "user", "content": [{"type": "image"}]}]), "is text"),
        (json!([{"role": "assistant", "tool_calls": [{"function": {}}]}]), "no name"),
    ] {
        let chat = ChatInput { messages: messages.as_array().unwrap().clone(), ..ChatInput::default() };
        let error = qwen1_prompt(&tokenizer, &chat, 6144).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn families_are_told_apart_by_what_checkpoints_say() {
    let knowing = |tokens: &[&str]| {
        let mut parts = gguf_parts("qwen2", 448);
        // The three tokens that every release has, and then those on trial.
        let end = 423;
        parts.tokens.truncate(end);
        parts.token_types.truncate(end);
        parts.tokens.extend(tokens.iter().map(|&token| token.to_owned()));
        parts.token_types.resize(end + tokens.len(), 4);
        Tokenizer::from_gguf(parts).unwrap()
    };
    let (old, tools, thinks) =
        (knowing(&[]), knowing(&["<tool_call>"]), knowing(&["<tool_call>", "<think>"]));
    for (architecture, name, tokenizer, family) in [
        ("qwen", "Qwen-7B-Chat", &old, Family::Qwen1),
        ("qwen2", "model", &old, Family::Qwen2),
        ("qwen2", "Qwen1.5 7B Chat", &old, Family::Qwen1_5),
        ("qwen2_moe", "Qwen1.5-MoE-A2.7B-Chat", &old, Family::Qwen1_5),
        ("qwen2moe", "Qwen2-57B-A14B", &old, Family::Qwen2),
        ("qwen2", "model", &tools, Family::Qwen2_5),
        ("qwen2", "Qwen2.5_Math-7B", &tools, Family::Qwen2_5Math),
        ("qwen2", "QwQ-32B-Preview", &tools, Family::QwqPreview),
        ("qwen2", "model", &thinks, Family::Qwq),
        ("qwen3", "model", &thinks, Family::Qwen3),
        ("qwen3_moe", "Qwen3-30B-A3B-Thinking-2507", &thinks, Family::Qwen3Thinking),
        ("qwen3moe", "Qwen3 30B A3B Instruct 2507", &thinks, Family::Qwen3Instruct),
        ("qwen3_next", "model", &thinks, Family::Qwen3Instruct),
        ("qwen3next", "qwen3-next-thinking", &thinks, Family::Qwen3Thinking),
    ] {
        assert_eq!(Family::of(architecture, name, tokenizer).unwrap(), family, "{architecture} {name}");
    }
    let error = Family::of("qwen3_5", "model", &thinks).unwrap_err().to_string();
    assert!(error.contains("qwen3_5") && error.contains("chat_template.jinja"), "{error}");
}

#[test]
fn qwen1_replies_end_as_their_format_says() {
    let tokenizer = qwen1();
    let ends = |json: &[u8]| GenerationConfig::from_json(Some(json), None, Some(&tokenizer)).unwrap().eos_ids;
    assert_eq!(ends(br#"{"chat_format":"chatml","eos_token_id":420}"#), [420, 422, 421]);
    assert_eq!(ends(br#"{"chat_format":"raw","eos_token_id":420}"#), [420]);
    assert_eq!(ends(br#"{"chat_format":"raw"}"#), [420]);
    assert_eq!(ends(b"{}"), [422, 420]);
    assert_eq!(ends(br#"{"eos_token_id":7}"#), [7]);
}

#[test]
fn files_that_do_not_fit_are_explained() {
    let mut file = value("qwen3/tokenizer.json");
    file["model"]["vocab"].as_object_mut().unwrap().remove("!");
    let mut word_piece = value("qwen3/tokenizer.json");
    word_piece["model"]["type"] = json!("WordPiece");
    let mut pattern = value("qwen3/tokenizer.json");
    pattern["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!("\\w+");
    let mut stray = value("qwen3/tokenizer.json");
    stray["model"]["merges"].as_array_mut().unwrap().push(json!("q zz"));
    let mut long = value("qwen3/tokenizer.json");
    let tokens = long["model"]["vocab"].as_object().unwrap().keys();
    let longest = tokens.max_by_key(|token| token.len()).unwrap().clone();
    long["model"]["merges"].as_array_mut().unwrap().push(json!([longest, longest]));
    let mut shape = value("qwen3/tokenizer.json");
    shape["model"]["merges"].as_array_mut().unwrap().push(json!(7));
    let mut processor = value("qwen3/tokenizer.json");
    processor["post_processor"] = json!({"type": "Unheard"});
    let mut template = value("embed/tokenizer.json");
    template["post_processor"] = json!({"type": "Sequence", "processors": [{
        "type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
    }]});
    let mut huge = value("qwen3/tokenizer.json");
    huge["model"]["vocab"]["!!!!"] = json!(4_000_000_000u32);
    let mut normalizer = value("qwen3/tokenizer.json");
    normalizer["normalizer"] = json!({"type": "Lowercase"});
    for (json, words) in [
        (file, "single byte 0x21"),
        (word_piece, "\"WordPiece\""),
        (pattern, "\\w+"),
        (stray, "(\"q\" + \"zz\") needs \"qzz\""),
        (long, "which the vocabulary lacks"),
        (shape, "a merge must be two tokens"),
        (processor, "its post_processor is not a known one"),
        (template, "<end>"),
        (huge, "4000000000"),
        (normalizer, "Lowercase"),
        (json!({}), "missing field `model`"),
    ] {
        let error = Tokenizer::from_json(json.to_string().as_bytes(), None).err().unwrap().to_string();
        assert!(error.contains("tokenizer.json") && error.contains(words), "{error}");
    }
    let gguf = |change: fn(&mut GgufTokenizer)| {
        let mut parts = gguf_parts("qwen3", 436);
        change(&mut parts);
        Tokenizer::from_gguf(parts).err().unwrap().to_string()
    };
    assert!(gguf(|p| p.model = "llama".into()).contains("\"llama\""));
    assert!(gguf(|p| p.pre = "gpt-4o".into()).contains("\"gpt-4o\""));
    assert!(gguf(|p| p.merges.push("one".into())).contains("\"one\" is not two tokens"));
    assert!(gguf(|p| p.tokens.clear()).contains("0x00"));
    let error = Tokenizer::from_tiktoken(b"IQ== 0\nnonsense\n", None).err().unwrap().to_string();
    assert!(error.contains("line 2"), "{error}");
    assert!(Tokenizer::from_tiktoken(b"", None).is_err());
}
