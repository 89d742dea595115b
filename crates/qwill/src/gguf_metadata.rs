//! What the metadata of a GGUF file says about texts: tokenizer, templates, sampling.

use std::collections::BTreeMap;

use qwill_text::{GenerationConfig, GgufTokenizer, Tokenizer};
use qwill_weights::Metadata;
use serde_json::json;

use crate::Error;
use crate::templates::{DEFAULT, Templates};

/// Where our GGUF files keep the names of special tokens as templates print them, since GGUF's own keys mean other things.
pub(crate) const NAMES_KEY: &str = "qwill.special_tokens";

/// The tokenizer, if there is one.
pub(crate) fn tokenizer(metadata: &Metadata) -> Result<Option<Tokenizer>, Error> {
    let strings = |key: &str| -> Result<Vec<String>, Error> {
        Ok(metadata.get_strings(key)?.unwrap_or_default().into_iter().map(str::to_owned).collect())
    };
    let Some(model) = metadata.get_str("tokenizer.ggml.model")? else { return Ok(None) };
    let tokens = strings("tokenizer.ggml.tokens")?;
    Ok(Some(Tokenizer::from_gguf(GgufTokenizer {
        model: model.to_owned(),
        pre: metadata.get_str("tokenizer.ggml.pre")?.unwrap_or_default().to_owned(),
        special_names: special_names(metadata, &tokens)?,
        tokens,
        token_types: metadata.get_i32s("tokenizer.ggml.token_type")?.unwrap_or_default(),
        merges: strings("tokenizer.ggml.merges")?,
    })?))
}

/// What templates print as `bos_token` and the like: the names of the tokens that the file counts as such.
fn special_names(metadata: &Metadata, tokens: &[String]) -> Result<BTreeMap<String, String>, Error> {
    if let Some(own) = metadata.get_str(NAMES_KEY)?
        && let Ok(names) = serde_json::from_str(own)
    {
        return Ok(names);
    }
    let keys = [
        ("bos_token", "bos"),
        ("eos_token", "eos"),
        ("pad_token", "padding"),
        ("unk_token", "unknown"),
        ("cls_token", "cls"),
        ("mask_token", "mask"),
    ];
    let mut names = BTreeMap::new();
    for (name, key) in keys {
        let id = metadata.get_u64(&format!("tokenizer.ggml.{key}_token_id"))?;
        let token = id.and_then(|id| tokens.get(usize::try_from(id).ok()?));
        names.extend(token.map(|token| (name.to_owned(), token.clone())));
    }
    Ok(names)
}

/// `tokenizer.chat_template`, and those that have their name behind it.
pub(crate) fn templates(metadata: &Metadata) -> Result<Templates, Error> {
    const KEY: &str = "tokenizer.chat_template";
    let mut sources = Vec::new();
    for (key, _) in metadata.iter() {
        let name = match key.strip_prefix(KEY) {
            Some("") => DEFAULT,
            Some(rest) => match rest.strip_prefix('.') {
                Some(name) => name,
                None => continue,
            },
            None => continue,
        };
        sources.extend(metadata.get_str(key)?.map(|source| (name.to_owned(), source.to_owned())));
    }
    Templates::new(sources)
}

/// Sampling defaults of a GGUF file: `general.sampling.*` where present, else transformers'; the ids that end a turn.
pub(crate) fn generation(
    metadata: &Metadata,
    tokenizer: Option<&Tokenizer>,
) -> Result<GenerationConfig, Error> {
    let mut json = serde_json::Map::new();
    for (key, gguf) in [("temperature", "temp"), ("top_p", "top_p"), ("min_p", "min_p")] {
        if let Some(value) = metadata.get_f64(&format!("general.sampling.{gguf}"))? {
            json.insert(key.into(), json!(value as f32));
            json.insert("do_sample".into(), json!(true));
        }
    }
    if let Some(top_k) = metadata.get_u64("general.sampling.top_k")? {
        json.insert("top_k".into(), json!(top_k));
    }
    let mut ends = Vec::new();
    for key in ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"] {
        ends.extend(metadata.get_u64(key)?);
    }
    // Converters name one end; chat models stop at both.
    if let Some(tokenizer) = tokenizer {
        ends.extend(["<|im_end|>", "<|endoftext|>"].iter().filter_map(|t| tokenizer.id_of(t)).map(u64::from));
    }
    json.insert("eos_token_id".into(), json!(ends));
    let bytes = serde_json::to_vec(&json).unwrap_or_default();
    Ok(GenerationConfig::from_json(Some(&bytes), None, None)?)
}
