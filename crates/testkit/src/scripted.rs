//! Tiny models that say what they are told to: what people see of any reply can be tried from end to end.
//!
//! Each token's embedding has a one in a place of its own, the layer adds nothing, and the head maps each token to the one
//! that comes next. So no token may come twice, and a text is cut such that none does.

use std::collections::HashMap;

use qwill_text::GgufTokenizer;

use qwill_weights::{Array, DType, Value, gguf};

/// What the tags of replies are in the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagKind {
    /// Nothing: they are spelled.
    Spelled,
    /// Tokens, as in released models.
    UserDefined,
    /// Control tokens, as in some converted files.
    Control,
    /// Tokens that the model does not use: it spells them.
    Unused,
}

/// What the model's prompts end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptEnd {
    /// The begin of the reply.
    Reply,
    /// The begin of thoughts.
    Thoughts,
}

/// What a model says.
#[derive(Clone, Debug)]
pub struct Script<'s> {
    /// All of it.
    pub reply: &'s str,
    /// So many characters are a token, at least.
    pub piece: usize,
    /// What tags are.
    pub tags: TagKind,
    /// Where it begins.
    pub prompt_end: PromptEnd,
}

const TAGS: [&str; 4] = ["<think>", "</think>", "<tool_call>", "</tool_call>"];
const CONTROL: [&str; 3] = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
const END: u32 = 258;
/// The token that every prompt ends in.
const LINE_BREAK: u32 = 10;
const HEAD_DIM: usize = 64;
const FEED_FORWARD: usize = 64;
const TEMPLATE: &str = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}\
    {% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// A vocabulary that grows with what is to be said.
struct Vocabulary {
    file: GgufTokenizer,
    ids: HashMap<Vec<u8>, u32>,
    said: Vec<u32>,
}

impl Vocabulary {
    fn new(tags: TagKind) -> Self {
        let names: Vec<&str> =
            CONTROL.iter().chain(if tags == TagKind::Spelled { &[] } else { &TAGS[..] }).copied().collect();
        let mut file = GgufTokenizer::of_bytes(&names, 256 + names.len());
        if matches!(tags, TagKind::UserDefined | TagKind::Unused) {
            file.token_types[256 + CONTROL.len()..].fill(4);
        }
        let bytes = (0..=255).map(|byte| (vec![byte], u32::from(byte)));
        let named = (256..).zip(&names).skip(CONTROL.len()).map(|(id, name)| (name.as_bytes().to_vec(), id));
        Self { ids: bytes.chain(named).collect(), file, said: Vec::new() }
    }

    /// The token of these bytes, if it was not said yet.
    fn fresh(&mut self, bytes: &[u8]) -> Option<u32> {
        let id = match self.ids.get(bytes) {
            Some(&id) => id,
            None => {
                let id = self.file.tokens.len() as u32;
                let spelled = bytes.iter().map(|&byte| self.file.tokens[usize::from(byte)].clone()).collect();
                self.file.tokens.push(spelled);
                self.file.token_types.push(1);
                self.ids.insert(bytes.to_vec(), id);
                id
            }
        };
        (id != LINE_BREAK && !self.said.contains(&id)).then_some(id)
    }

    /// Says a reply: tags by their tokens, the first time each, and the text between.
    fn say(&mut self, reply: &str, script: &Script<'_>) {
        let token =
            |tag: &&str| script.tags.is_token_said().then(|| self.ids.get(tag.as_bytes()).copied()).flatten();
        let fresh = TAGS.iter().filter_map(|tag| Some((reply.find(tag)?, *tag, token(tag)?)));
        let first = fresh.filter(|(.., id)| !self.said.contains(id)).min();
        let Some((at, tag, id)) = first else { return self.spell(reply.as_bytes(), script.piece) };
        self.spell(&reply.as_bytes()[..at], script.piece);
        self.said.push(id);
        self.say(&reply[at + tag.len()..], script);
    }

    /// Says bytes in pieces of so many, or more where one was said before.
    fn spell(&mut self, bytes: &[u8], piece: usize) {
        let mut ends = vec![0];
        let mut to = 0;
        while let Some(&from) = ends.last().filter(|&&from| from < bytes.len()) {
            to = (if to > from { to + 1 } else { from + piece }).min(bytes.len());
            if let Some(id) = self.fresh(&bytes[from..to]) {
                self.said.push(id);
                ends.push(to);
            } else if to == bytes.len() {
                // The last piece was said before; together with the one before it is another.
                assert!(ends.len() > 1, "{:?} cannot be said again", String::from_utf8_lossy(bytes));
                ends.pop();
                self.said.pop();
                to = bytes.len() - 1;
            }
        }
    }
}

impl TagKind {
    fn is_token_said(self) -> bool {
        matches!(self, Self::UserDefined | Self::Control)
    }
}

/// A tensor's name and shape, and its values where they are not all zero.
type TensorOf = (&'static str, Vec<usize>, Option<Vec<f32>>);

/// A GGUF file of a model whose greedy reply this is.
///
/// # Panics
/// If there is no way to say it.
pub fn scripted_gguf(script: &Script<'_>) -> Vec<u8> {
    let mut vocabulary = Vocabulary::new(script.tags);
    vocabulary.say(script.reply, script);
    let Vocabulary { file, said, .. } = vocabulary;
    let (n_tokens, hidden) = (file.tokens.len(), file.tokens.len().next_multiple_of(HEAD_DIM));
    let mut embeddings = vec![0f32; n_tokens * hidden];
    (0..n_tokens).for_each(|token| embeddings[token * hidden + token] = 1.0);
    let mut head = vec![0f32; n_tokens * hidden];
    let mut last = LINE_BREAK;
    for &token in said.iter().chain(&[END]) {
        head[token as usize * hidden + last as usize] = 1.0;
        last = token;
    }
    let opened = if script.prompt_end == PromptEnd::Thoughts { "{{ '<think>\n' }}" } else { "" };
    let list = |strings: &[String]| Value::Array(strings.iter().collect::<Array>());
    let mut writer = gguf::Writer::new();
    for (key, value) in [
        ("general.architecture", "qwen2".into()),
        ("general.name", "scripted".into()),
        ("qwen2.block_count", Value::U32(1)),
        ("qwen2.context_length", Value::U32(4096)),
        ("qwen2.embedding_length", Value::U32(hidden as u32)),
        ("qwen2.feed_forward_length", Value::U32(FEED_FORWARD as u32)),
        ("qwen2.attention.head_count", Value::U32((hidden / HEAD_DIM) as u32)),
        ("qwen2.attention.head_count_kv", Value::U32(1)),
        ("qwen2.attention.layer_norm_rms_epsilon", Value::F32(1e-6)),
        ("qwen2.rope.freq_base", Value::F32(10000.0)),
        ("tokenizer.ggml.model", file.model.as_str().into()),
        ("tokenizer.ggml.pre", file.pre.as_str().into()),
        ("tokenizer.ggml.tokens", list(&file.tokens)),
        ("tokenizer.ggml.token_type", Value::Array(Array::from(&file.token_types[..]))),
        ("tokenizer.ggml.merges", list(&file.merges)),
        ("tokenizer.ggml.eos_token_id", Value::U32(END)),
        ("tokenizer.chat_template", format!("{TEMPLATE}{opened}").into()),
    ] {
        writer.metadata(key, value);
    }
    let zeros = |shape: &[usize]| vec![0f32; shape.iter().product()];
    let tensors: Vec<TensorOf> = vec![
        ("token_embd.weight", vec![n_tokens, hidden], Some(embeddings)),
        ("output.weight", vec![n_tokens, hidden], Some(head)),
        ("output_norm.weight", vec![hidden], Some(vec![1.0; hidden])),
        ("blk.0.attn_norm.weight", vec![hidden], Some(vec![1.0; hidden])),
        ("blk.0.ffn_norm.weight", vec![hidden], Some(vec![1.0; hidden])),
        ("blk.0.attn_q.weight", vec![hidden, hidden], None),
        ("blk.0.attn_q.bias", vec![hidden], None),
        ("blk.0.attn_k.weight", vec![HEAD_DIM, hidden], None),
        ("blk.0.attn_k.bias", vec![HEAD_DIM], None),
        ("blk.0.attn_v.weight", vec![HEAD_DIM, hidden], None),
        ("blk.0.attn_v.bias", vec![HEAD_DIM], None),
        ("blk.0.attn_output.weight", vec![hidden, hidden], None),
        ("blk.0.ffn_gate.weight", vec![FEED_FORWARD, hidden], None),
        ("blk.0.ffn_up.weight", vec![FEED_FORWARD, hidden], None),
        ("blk.0.ffn_down.weight", vec![hidden, FEED_FORWARD], None),
    ];
    for (name, shape, _) in &tensors {
        writer.tensor(name, shape, DType::F32).expect("names and shapes are right");
    }
    let mut body = writer.start(Vec::new()).expect("memory takes everything");
    for (name, shape, values) in tensors {
        let values = values.unwrap_or_else(|| zeros(&shape));
        body.write(name, bytemuck::cast_slice(&values)).expect("memory takes everything");
    }
    body.finish().expect("all tensors are written")
}
