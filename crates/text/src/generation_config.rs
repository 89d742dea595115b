//! What a checkpoint says about how it wants to be sampled.

use serde_json::{Map, Value};

use crate::{Error, Tokenizer};

const GENERATION: &str = "generation_config.json";
const CONFIG: &str = "config.json";

/// Sampling defaults and the ids that end a reply.
///
/// Keys that a file lacks have the values that transformers gives them, so a checkpoint without
/// the file is sampled as its makers' own code would.
#[derive(Clone, Debug, PartialEq)]
pub struct GenerationConfig {
    /// Whether to sample; otherwise the most likely token is taken.
    pub do_sample: bool,
    /// Logits are divided by this.
    pub temperature: f32,
    /// Only this many of the most likely tokens remain; 0 keeps all.
    pub top_k: u32,
    /// Only the most likely tokens that together have this probability remain.
    pub top_p: f32,
    /// Only tokens at least this likely, relative to the most likely one, remain.
    pub min_p: f32,
    /// Divides (or multiplies, if negative) the logits of tokens seen in prompt or reply.
    pub repetition_penalty: f32,
    /// Subtracted from the logits of tokens seen in the reply.
    pub presence_penalty: f32,
    /// Subtracted from the logit of a token as often as the reply has it.
    pub frequency_penalty: f32,
    /// All ids that end a reply, from every file that names one.
    pub eos_ids: Vec<u32>,
    /// The id used for filling up.
    pub pad_id: Option<u32>,
    /// The longest reply that the checkpoint suggests.
    pub max_new_tokens: Option<u32>,
    /// `chat_format` of Qwen1: `chatml` or `raw`.
    pub chat_format: Option<String>,
    /// `max_window_size` of Qwen1: how many prompt tokens may be kept from earlier turns.
    pub max_window_size: Option<u32>,
}

impl Default for GenerationConfig {
    fn default() -> Self {
        Self {
            do_sample: false,
            temperature: 1.0,
            top_k: 50,
            top_p: 1.0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            presence_penalty: 0.0,
            frequency_penalty: 0.0,
            eos_ids: Vec::new(),
            pad_id: None,
            max_new_tokens: None,
            chat_format: None,
            max_window_size: None,
        }
    }
}

impl GenerationConfig {
    /// Reads `generation_config.json` and `config.json`, and asks the tokenizer for the name of its
    /// end-of-text token; whatever is missing is skipped.
    pub fn from_json(
        generation_config_json: Option<&[u8]>,
        config_json: Option<&[u8]>,
        tokenizer: Option<&Tokenizer>,
    ) -> Result<Self, Error> {
        let generation = read(GENERATION, generation_config_json)?;
        let model = read(CONFIG, config_json)?;
        let from = Source { file: GENERATION, map: &generation };
        let mut config = Self::default();
        if let Some(value) = from.get("do_sample") {
            config.do_sample =
                value.as_bool().ok_or_else(|| from.wrong("do_sample", "is not true or false"))?;
        }
        from.number("temperature", 0.0, &mut config.temperature)?;
        from.number("top_p", 0.0, &mut config.top_p)?;
        from.number("min_p", 0.0, &mut config.min_p)?;
        from.number("repetition_penalty", f32::MIN_POSITIVE, &mut config.repetition_penalty)?;
        from.number("presence_penalty", f32::MIN, &mut config.presence_penalty)?;
        from.number("frequency_penalty", f32::MIN, &mut config.frequency_penalty)?;
        if let Some(top_k) = from.count("top_k")? {
            config.top_k = top_k;
        }
        config.pad_id = from.count("pad_token_id")?;
        config.max_new_tokens = from.count("max_new_tokens")?;
        config.max_window_size = from.count("max_window_size")?;
        config.chat_format = match from.get("chat_format") {
            None => None,
            Some(Value::String(format)) if ["chatml", "raw"].contains(&format.as_str()) => {
                Some(format.clone())
            }
            Some(other) => {
                return Err(
                    from.wrong("chat_format", &format!("is {other}, but must be \"chatml\" or \"raw\""))
                );
            }
        };

        let none = Map::new();
        let text_model = model.get("text_config").and_then(Value::as_object).unwrap_or(&none);
        let mut eos_ids = from.ids("eos_token_id")?;
        eos_ids.extend(Source { file: CONFIG, map: &model }.ids("eos_token_id")?);
        eos_ids.extend(Source { file: CONFIG, map: text_model }.ids("eos_token_id")?);
        if let Some(tokenizer) = tokenizer {
            eos_ids.extend(tokenizer.config().eos_token().and_then(|name| tokenizer.id_of(name)));
            let ends: &[&str] = match config.chat_format.as_deref() {
                // Qwen1 chat models write these as stop words, not as end-of-text ids.
                Some("chatml") => &["<|im_end|>", "<|im_start|>", "<|endoftext|>"],
                Some("raw") => &["<|endoftext|>"],
                // Nothing says where a reply ends: every release ends it at one of these.
                _ if eos_ids.is_empty() => &["<|im_end|>", "<|endoftext|>"],
                _ => &[],
            };
            eos_ids.extend(ends.iter().filter_map(|name| tokenizer.id_of(name)));
        }
        for id in eos_ids {
            if !config.eos_ids.contains(&id) {
                config.eos_ids.push(id);
            }
        }
        Ok(config)
    }
}

fn read(file: &'static str, json: Option<&[u8]>) -> Result<Map<String, Value>, Error> {
    json.map_or_else(
        || Ok(Map::new()),
        |json| serde_json::from_slice(json).map_err(|source| Error::Json { file, source }),
    )
}

/// A file's keys, and its name for messages.
struct Source<'m> {
    file: &'static str,
    map: &'m Map<String, Value>,
}

impl Source<'_> {
    /// A key's value; `null` counts as missing, as in Python.
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn wrong(&self, key: &'static str, reason: &str) -> Error {
        Error::Config { file: self.file, key, reason: reason.to_owned() }
    }

    fn number(&self, key: &'static str, at_least: f32, into: &mut f32) -> Result<(), Error> {
        let Some(value) = self.get(key) else {
            return Ok(());
        };
        match value.as_f64().map(|v| v as f32) {
            Some(number) if number.is_finite() && number >= at_least => {
                *into = number;
                Ok(())
            }
            _ => Err(self.wrong(key, &format!("is {value}, which is not a usable number"))),
        }
    }

    fn count(&self, key: &'static str) -> Result<Option<u32>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let count = value.as_u64().and_then(|n| u32::try_from(n).ok());
        count.map(Some).ok_or_else(|| self.wrong(key, &format!("is {value}, which is not a usable number")))
    }

    /// One id or a list of ids.
    fn ids(&self, key: &'static str) -> Result<Vec<u32>, Error> {
        let Some(value) = self.get(key) else {
            return Ok(Vec::new());
        };
        let single = std::slice::from_ref(value);
        let values = value.as_array().map_or(single, Vec::as_slice);
        let ids = values.iter().map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()));
        ids.collect::<Option<_>>()
            .ok_or_else(|| self.wrong(key, &format!("is {value}, which is not an id or a list of ids")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_keys_have_the_defaults_of_transformers() {
        let config = GenerationConfig::from_json(None, None, None).unwrap();
        assert_eq!(config, GenerationConfig::default());
        assert_eq!((config.top_k, config.temperature, config.do_sample), (50, 1.0, false));
        let nulls = GenerationConfig::from_json(Some(br#"{"top_k":null,"temperature":null}"#), None, None);
        assert_eq!(nulls.unwrap(), GenerationConfig::default());
    }

    #[test]
    fn ids_of_all_files_are_united() {
        let generation = br#"{"eos_token_id":[151645,151643],"pad_token_id":151643,"do_sample":true,"temperature":0.7,"top_p":0.8,"top_k":20,"repetition_penalty":1.05}"#;
        let model = br#"{"eos_token_id":151643,"text_config":{"eos_token_id":9}}"#;
        let config = GenerationConfig::from_json(Some(generation), Some(model), None).unwrap();
        assert_eq!(config.eos_ids, [151_645, 151_643, 9]);
        assert_eq!((config.top_k, config.pad_id), (20, Some(151_643)));
        assert_eq!((config.temperature, config.top_p, config.repetition_penalty), (0.7, 0.8, 1.05));
        assert!(config.do_sample);
    }

    #[test]
    fn nonsense_is_named() {
        for (json, key) in [
            (&br#"{"temperature":-1}"#[..], "temperature"),
            (br#"{"repetition_penalty":0}"#, "repetition_penalty"),
            (br#"{"top_k":"many"}"#, "top_k"),
            (br#"{"eos_token_id":["x"]}"#, "eos_token_id"),
            (br#"{"do_sample":1}"#, "do_sample"),
            (br#"{"chat_format":"alpaca"}"#, "chat_format"),
        ] {
            let error = GenerationConfig::from_json(Some(json), None, None).unwrap_err();
            assert!(error.to_string().contains(key), "{error}");
        }
        let error = GenerationConfig::from_json(Some(b"[]"), None, None).unwrap_err();
        assert!(error.to_string().starts_with("generation_config.json"), "{error}");
    }
}
