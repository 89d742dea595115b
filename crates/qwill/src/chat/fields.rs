//! Requests in OpenAI's shape, field by field. What is not known, or not served yet, is refused by name: a field that is
//! silently ignored costs its user an evening.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::checks::check_top;
use super::{ChatRequest, Message};
use crate::{Error, SamplingOptions};

/// Fields that say nothing about the reply, or nothing that a loaded model could follow.
const IGNORED: [&str; 6] = ["model", "user", "metadata", "store", "stream", "stream_options"];

/// Fields of a request that were not taken yet.
struct Fields(Map<String, Value>);

impl Fields {
    /// Takes a field out; null says nothing.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Error> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(name, value).map(Some),
        }
    }

    /// Takes a field that says nothing as long as it has this value, the only one that is served.
    fn take_only(&mut self, name: &str, served: &Value) -> Result<(), Error> {
        match self.take::<Value>(name)? {
            Some(value) if value != *served => not_yet(name, &value),
            _ => Ok(()),
        }
    }

    /// Takes a list of texts, or one text.
    fn take_texts(&mut self, name: &str) -> Result<Vec<String>, Error> {
        match self.take(name)? {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(list) => read(name, list),
        }
    }

    fn take_messages(&mut self) -> Result<Vec<Message>, Error> {
        Message::list(self.take("messages")?.unwrap_or_default())
    }

    fn take_sampling(&mut self) -> Result<SamplingOptions, Error> {
        Ok(SamplingOptions {
            temperature: self.take("temperature")?,
            top_k: self.take("top_k")?,
            top_p: self.take("top_p")?,
            min_p: self.take("min_p")?,
            repetition_penalty: self.take("repetition_penalty")?,
            presence_penalty: self.take("presence_penalty")?,
            frequency_penalty: self.take("frequency_penalty")?,
            seed: self.take("seed")?,
        })
    }

    /// Whether to tell log probabilities, and of how many tokens. Completions have one number for both.
    fn take_logprobs(&mut self) -> Result<(Option<bool>, Option<usize>), Error> {
        let is_completion = self.0.get("prompt").is_some_and(Value::is_string);
        if is_completion && self.0.get("logprobs").is_some_and(Value::is_number) {
            let n_top = self.take("logprobs")?;
            check_top("logprobs", n_top)?;
            return Ok((Some(true), n_top));
        }
        Ok((self.take("logprobs")?, self.take("top_logprobs")?))
    }

    /// Tools, as far as the request lets the model see them.
    fn take_tools(&mut self) -> Result<Option<Vec<Value>>, Error> {
        let tools = self.take("tools")?;
        match self.take::<Value>("tool_choice")? {
            Some(choice) if choice == "none" => Ok(None),
            Some(choice) if choice != "auto" => not_yet("tool_choice", &choice),
            _ => Ok(tools),
        }
    }

    /// Whether to think, where qwill's own clients say it or where other servers' do.
    fn take_thinking(&mut self) -> Result<Option<bool>, Error> {
        let own = self.take("enable_thinking")?;
        let mut others = Self(self.take("chat_template_kwargs")?.unwrap_or_default());
        let other = others.take("enable_thinking")?;
        match others.0.keys().next() {
            Some(key) => {
                Err(Error::Request(format!("\"chat_template_kwargs\": \"{key}\" is not supported yet")))
            }
            None => Ok(own.or(other)),
        }
    }
}

impl TryFrom<Map<String, Value>> for ChatRequest {
    type Error = Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Error> {
        let mut fields = Fields(fields);
        fields.0.retain(|name, _| !IGNORED.contains(&name.as_str()));
        fields.take_only("response_format", &json!({"type": "text"}))?;
        let older = fields.take("max_tokens")?;
        let (logprobs, top_logprobs) = fields.take_logprobs()?;
        let request = Self {
            messages: fields.take_messages()?,
            tools: fields.take_tools()?,
            prompt: fields.take("prompt")?,
            suffix: fields.take("suffix")?,
            sampling: fields.take_sampling()?,
            logit_bias: fields.take("logit_bias")?,
            logprobs,
            top_logprobs,
            n: fields.take("n")?,
            echo: fields.take("echo")?,
            max_tokens: fields.take("max_completion_tokens")?.or(older),
            stop: fields.take_texts("stop")?,
            enable_thinking: fields.take_thinking()?,
            thinking_budget: fields.take("thinking_budget")?,
            split_special_tokens: fields.take("split_special_tokens")?,
            chat_template: fields.take("chat_template")?,
            adapters: fields.take("adapters")?,
        };
        match fields.0.into_iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => Err(Error::Request(format!("the field \"{name}\" is not known"))),
            None => Ok(request),
        }
    }
}

fn read<T: DeserializeOwned>(name: &str, value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|error| Error::Request(format!("{name}: {error}")))
}

fn not_yet<T>(name: &str, value: &Value) -> Result<T, Error> {
    Err(Error::Request(format!("\"{name}\": {value} is not supported yet")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: Value) -> Result<ChatRequest, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn openais_shapes_are_read() {
        let request = parsed(json!({
            "model": "any", "messages": [{"role": "user", "content": "Hi"}], "stream": true, "n": 1, "stop": "x",
            "logprobs": false, "logit_bias": {"13": -100}, "response_format": {"type": "text"}, "max_tokens": 5, "max_completion_tokens": 7,
            "temperature": 0, "seed": null, "tools": [{}], "tool_choice": "none", "anything": null,
            "chat_template_kwargs": {"enable_thinking": false},
        }));
        let expected = ChatRequest {
            stop: vec!["x".into()],
            n: Some(1),
            logprobs: Some(false),
            logit_bias: Some([(13, -100.0)].into()),
            max_tokens: Some(7),
            enable_thinking: Some(false),
            sampling: SamplingOptions { temperature: Some(0.0), ..SamplingOptions::default() },
            ..ChatRequest::user("Hi")
        };
        assert_eq!(request.unwrap(), expected);
        assert_eq!(parsed(json!({"stop": ["a", "b"]})).unwrap().stop, ["a", "b"]);
        let completion = parsed(json!({"prompt": "a", "logprobs": 0})).unwrap();
        assert_eq!((completion.logprobs, completion.top_logprobs), (Some(true), Some(0)));
        assert_eq!(
            parsed(json!({"tools": [{}], "tool_choice": "auto"})).unwrap().tools,
            Some(vec![json!({})])
        );
    }

    /// Whoever adds a field to the struct must read it here, or this fails.
    #[test]
    fn what_is_written_is_read() {
        let request = ChatRequest {
            tools: Some(vec![json!({"type": "function"})]),
            suffix: Some("s".into()),
            prompt: Some("p".into()),
            thinking_budget: Some(3),
            split_special_tokens: Some(false),
            chat_template: Some("rag".into()),
            logit_bias: Some([(3, 0.5), (7, -100.0)].into()),
            logprobs: Some(true),
            top_logprobs: Some(4),
            n: Some(2),
            echo: Some(false),
            adapters: Some(vec![crate::AdapterUse::new("a")]),
            sampling: SamplingOptions { seed: Some(u64::MAX), ..SamplingOptions::greedy() },
            ..ChatRequest::new([Message::system("a"), Message::user("b")])
        };
        assert_eq!(parsed(serde_json::to_value(&request).unwrap()).unwrap(), request);
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for (request, words) in [
            (json!({"temp": 1}), "the field \"temp\" is not known"),
            (json!({"temperature": "warm"}), "temperature: invalid type: string \"warm\""),
            (json!({"max_tokens": -1}), "max_tokens: invalid value"),
            (json!({"stop": [1]}), "stop: invalid type"),
            (json!({"messages": "Hi"}), "messages: invalid type"),
            (
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "x"}]}),
                "messages[1].role must be one of",
            ),
            (json!({"n": "two"}), "n: invalid type"),
            (json!({"logit_bias": {"a": 1}}), "logit_bias: invalid"),
            (json!({"messages": [], "logprobs": 2}), "logprobs: invalid type: integer `2`"),
            (json!({"prompt": "a", "logprobs": 21}), "logprobs is 21, but must be at most 20"),
            (json!({"prompt": "a", "logprobs": -1}), "logprobs: invalid value: integer `-1`"),
            (json!({"prompt": "a", "logprobs": 1, "top_logprobs": 1}), "\"top_logprobs\" is not known"),
            (json!({"response_format": {"type": "json_object"}}), "is not supported yet"),
            (json!({"tool_choice": "required"}), "\"tool_choice\": \"required\" is not supported yet"),
            (json!({"chat_template_kwargs": {"x": 1}}), "\"x\" is not supported yet"),
            (json!({"adapters": [{"name": "a", "strength": 1}]}), "adapters: unknown field `strength`"),
        ] {
            let error = parsed(request.clone()).unwrap_err();
            assert!(error.contains(words), "{request}: \"{words}\" is not in: {error}");
        }
    }
}
