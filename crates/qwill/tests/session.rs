//! Conversations: forked, rewound, saved and restored.

use std::path::Path;

use pollster::block_on;
use qwill::{
    AdapterUse, ChatReply, ChatRequest, Control, KvType, LoadOptions, Model, ModelFiles, SamplingOptions,
    Session,
};

fn files(name: &str) -> ModelFiles {
    ModelFiles::from_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name))
        .unwrap()
}

fn load(name: &str, kv: KvType) -> Model {
    let options = LoadOptions { kv_type: Some(kv), context_length: Some(512), ..LoadOptions::default() };
    block_on(Model::load(files(name), &options, &mut |_| Control::Continue)).unwrap()
}

fn begin(model: &Model) -> Session {
    model.session(ChatRequest {
        sampling: SamplingOptions { seed: Some(5), ..SamplingOptions::default() },
        max_tokens: Some(24),
        enable_thinking: Some(false),
        ..ChatRequest::default()
    })
}

fn say(session: &mut Session, text: &str) -> ChatReply {
    block_on(session.say(text, |_| Control::Continue)).unwrap()
}

/// The same conversation from its first word on, in a cache with nothing in it.
fn replay(model: &Model, texts: &[&str]) -> Vec<Vec<u32>> {
    block_on(model.reset()).unwrap();
    let mut session = begin(model);
    texts.iter().map(|text| say(&mut session, text).ids).collect()
}

#[test]
fn forks_and_rewound_conversations_are_as_if_replayed() {
    for name in ["qwen3-tied", "qwen2-swa", "qwen2moe-mix"] {
        let model = load(name, KvType::F32);
        let replayed =
            [replay(&model, &["One.", "Two.", "Three."]), replay(&model, &["One.", "Two.", "Other."])];
        block_on(model.reset()).unwrap();
        let mut session = begin(&model);
        let first = say(&mut session, "One.");
        assert_eq!(first.usage.cached_tokens, 0);
        say(&mut session, "Two.");
        let mut fork = session.fork();
        let three = say(&mut session, "Three.");
        let other = say(&mut fork, "Other.");
        assert_eq!([&three.ids, &other.ids], [&replayed[0][2], &replayed[1][2]], "{name}");
        // all of the two turns before, up to what the template says differently
        assert!(other.usage.cached_tokens > first.usage.prompt_tokens + first.ids.len() / 2, "{name}");

        assert_eq!(session.rewind(4), 4);
        assert_eq!(session.messages().len(), 4);
        assert_eq!(say(&mut session, "Other.").ids, replayed[1][2], "{name}");
        assert!(session.undo());
        assert_eq!(say(&mut session, "Three.").ids, replayed[0][2], "{name}");
        assert_eq!(session.rewind(100), 6);
        while session.undo() {}
        assert!(session.messages().is_empty());
        assert_eq!(say(&mut session, "One.").ids, replayed[0][0], "{name}");
    }
}

#[test]
fn a_restored_conversation_goes_on_as_if_never_interrupted() {
    for (name, kv) in [("qwen3-tied", KvType::F16), ("qwen2-dca", KvType::F32), ("qwen3moe-128", KvType::Q8)]
    {
        let model = load(name, kv);
        let mut session = begin(&model);
        say(&mut session, "One.");
        say(&mut session, "Two.");
        let file = block_on(session.save()).unwrap();
        let through = say(&mut session, "Three.");

        // in the same model with nothing in its cache, and in another one
        block_on(model.reset()).unwrap();
        for model in [model, load(name, kv)] {
            let mut restored = block_on(model.restore(&file)).unwrap();
            assert_eq!(restored.messages().len(), 4);
            assert_eq!(restored.request().max_tokens, Some(24));
            let reply = say(&mut restored, "Three.");
            assert_eq!(reply.ids, through.ids, "{name}");
            assert_eq!(reply.usage.cached_tokens, through.usage.cached_tokens, "{name}");
            // the angles of this one change with the length of the prompt
            assert!(reply.usage.cached_tokens > 0 || name == "qwen2-dca", "{name}");
        }
    }
}

/// A secret that was taken back must not lie in a file.
#[test]
fn what_was_taken_back_is_not_saved() {
    let model = load("qwen3-tied", KvType::F16);
    let mut session = begin(&model);
    say(&mut session, "One.");
    let before = block_on(session.save()).unwrap();
    say(&mut session, "Two.");
    assert!(session.undo());
    assert!(block_on(session.save()).unwrap() == before);
    session.rewind(0);
    assert!(block_on(session.save()).unwrap() == block_on(begin(&model).save()).unwrap());
}

#[test]
fn a_conversation_with_nothing_said_is_saved_too() {
    let model = load("qwen3-tied", KvType::F16);
    let file = block_on(begin(&model).save()).unwrap();
    let mut restored = block_on(model.restore(&file)).unwrap();
    assert!(restored.messages().is_empty());
    assert_eq!(say(&mut restored, "One.").ids, replay(&model, &["One."])[0]);
}

#[test]
fn sessions_of_others_are_refused() {
    let model = load("qwen3-tied", KvType::F16);
    let mut session = begin(&model);
    say(&mut session, "One, and a few words more, so that it takes several pages of the cache.");
    let file = block_on(session.save()).unwrap();
    let refused = |model: &Model, file: &[u8]| block_on(model.restore(file)).unwrap_err().to_string();
    let other = refused(&load("qwen3-f32", KvType::F16), &file);
    assert!(other.contains("this model is"), "{other}");
    let format = refused(&load("qwen3-tied", KvType::Q8), &file);
    assert!(format.contains("cache is f16") && format.contains("q8"), "{format}");
    for broken in [&file[..file.len() - 1], &file[..7], b"", b"not a session at all, by any means"] {
        let error = refused(&model, broken);
        assert!(error.contains("cannot be restored"), "{error}");
    }
    // fewer tokens than its pages are for: nothing of it may be taken for read
    let key = br#"n_cached\":"#;
    let mut damaged = file.clone();
    let at = damaged.windows(key.len()).position(|bytes| bytes == key).unwrap() + key.len();
    let n_digits = damaged[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    assert!(n_digits > 1, "more than a page was read");
    damaged[at..at + n_digits].fill(b'0');
    damaged[at + n_digits - 2] = b'1';
    damaged[at..at + n_digits - 2].fill(b' ');
    block_on(model.reset()).unwrap();
    let wrong_size = refused(&model, &damaged);
    assert!(wrong_size.contains("cannot be restored"), "{wrong_size}");
    let mut again = begin(&model);
    assert_eq!(say(&mut again, "One.").usage.cached_tokens, 0);

    // with an adapter that is not loaded any more
    block_on(model.load_adapter(files("lora-qwen3"), "tuned")).unwrap();
    let mut session = begin(&model);
    session.request_mut().adapters = Some(vec![AdapterUse::new("tuned")]);
    say(&mut session, "One.");
    let file = block_on(session.save()).unwrap();
    assert!(block_on(model.restore(&file)).is_ok());
    block_on(model.unload_adapter("tuned")).unwrap();
    let missing = refused(&model, &file);
    assert!(missing.contains("there is no adapter \"tuned\""), "{missing}");
}
