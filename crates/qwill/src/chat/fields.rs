//! Requests in OpenAI's shape, field by field. What is not known, or not served yet, is refused by name: a field that is
//! silently ignored costs its user an evening.

use serde_json::{Map, Value};

use super::checks::check_top;
use super::field::Field;
use super::{ChatRequest, Effort, Message};
use crate::{Error, SamplingOptions};

/// Fields that say nothing about the reply, or nothing that a loaded model could follow.
const IGNORED: [&str; 6] = ["model", "user", "metadata", "store", "stream", "stream_options"];

/// Fields of a request that were not taken yet.
struct Fields(Map<String, Value>);

impl Fields {
    /// Takes a field out; null says nothing.
    fn take<T: Field>(&mut self, name: &str) -> Result<Option<T>, Error> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => T::read(name, value).map(Some),
        }
    }

    /// Takes a list of texts, or one text.
    fn take_texts(&mut self, name: &str) -> Result<Vec<String>, Error> {
        match self.take(name)? {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text]),
            Some(list) => Field::read(name, list),
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

    /// Whether to think and how much, where qwill's own clients say it, where other servers' do, or in OpenAI's one word for
    /// both.
    fn take_thinking(&mut self) -> Result<(Option<bool>, Option<usize>), Error> {
        let (own, own_budget) = (self.take("enable_thinking")?, self.take("thinking_budget")?);
        let mut others = Self(self.take("chat_template_kwargs")?.unwrap_or_default());
        let other = others.take("enable_thinking")?;
        if let Some(key) = others.0.keys().next() {
            return Err(Error::Request(format!("\"chat_template_kwargs\": \"{key}\" is not supported yet")));
        }
        let effort = self.take::<Effort>("reasoning_effort")?;
        let thinks = own.or(other).or(effort.map(Effort::thinks));
        Ok((thinks, own_budget.or(effort.and_then(Effort::budget))))
    }
}

impl TryFrom<Map<String, Value>> for ChatRequest {
    type Error = Error;

    fn try_from(fields: Map<String, Value>) -> Result<Self, Error> {
        let mut fields = Fields(fields);
        fields.0.retain(|name, _| !IGNORED.contains(&name.as_str()));
        let older = fields.take("max_tokens")?;
        let (logprobs, top_logprobs) = fields.take_logprobs()?;
        let (enable_thinking, thinking_budget) = fields.take_thinking()?;
        let request = Self {
            messages: fields.take_messages()?,
            tools: fields.take("tools")?,
            tool_choice: fields.take("tool_choice")?,
            parallel_tool_calls: fields.take("parallel_tool_calls")?,
            response_format: fields.take("response_format")?,
            regex: fields.take("regex")?,
            grammar: fields.take("grammar")?,
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
            enable_thinking,
            thinking_budget,
            split_special_tokens: fields.take("split_special_tokens")?,
            chat_template: fields.take("chat_template")?,
            adapters: fields.take("adapters")?,
            speculation: fields.take("speculation")?,
        };
        match fields.0.into_iter().find(|(_, value)| !value.is_null()) {
            Some((name, _)) => Err(Error::Request(format!("the field \"{name}\" is not known"))),
            None => Ok(request),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{GrammarText, ResponseFormat, ToolChoice};
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
            tools: Some(vec![json!({})]),
            tool_choice: Some(ToolChoice::None),
            response_format: Some(ResponseFormat::Text),
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
            tool_choice: Some(ToolChoice::Named("f".into())),
            parallel_tool_calls: Some(false),
            response_format: Some(ResponseFormat::schema(json!({"type": "object"}))),
            regex: Some("a+".into()),
            grammar: Some(GrammarText::guess("root ::= \"a\"")),
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
            speculation: Some(crate::Speculation::Ngram),
            sampling: SamplingOptions { seed: Some(u64::MAX), ..SamplingOptions::greedy() },
            ..ChatRequest::new([Message::system("a"), Message::user("b")])
        };
        assert_eq!(parsed(serde_json::to_value(&request).unwrap()).unwrap(), request);
    }

    #[test]
    fn effort_is_whether_and_how_much_to_think() {
        let thinking =
            |json| parsed(json).map(|request| (request.enable_thinking, request.thinking_budget)).unwrap();
        let effort = |word: &str| thinking(json!({"reasoning_effort": word}));
        assert_eq!(effort("none"), (Some(false), None));
        assert_eq!(effort("minimal"), (Some(true), Some(256)));
        assert_eq!(effort("low"), (Some(true), Some(1024)));
        assert_eq!(effort("medium"), (Some(true), Some(4096)));
        assert_eq!(effort("high"), (Some(true), Some(16_384)));
        assert_eq!((effort("xhigh"), effort("max")), ((Some(true), None), (Some(true), None)));
        assert_eq!(thinking(json!({"reasoning_effort": null})), (None, None));
        // what says more wins
        let both = json!({"reasoning_effort": "low", "enable_thinking": false, "thinking_budget": 9});
        assert_eq!(thinking(both), (Some(false), Some(9)));
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        for (request, words) in [
            (json!({"temp": 1}), "the field \"temp\" is not known"),
            (json!({"temperature": "warm"}), "temperature must be a number, not \"warm\""),
            (json!({"max_tokens": -1}), "max_tokens must be a whole number from 0 on, not -1"),
            (json!({"stop": [1]}), "stop must be a text or a list of texts, not [1]"),
            (json!({"messages": "Hi"}), "messages must be a list, not \"Hi\""),
            (
                json!({"messages": [{"role": "user", "content": "a"}, {"role": "x"}]}),
                "messages[1].role must be one of",
            ),
            (
                json!({"messages": ["Hi"]}),
                "messages[0] must be an object with a role and a content, not \"Hi\"",
            ),
            (json!({"max_tokens": 1.5}), "max_tokens must be a whole number from 0 on, not 1.5"),
            (json!({"enable_thinking": "no"}), "enable_thinking must be true or false, not \"no\""),
            (json!({"tools": {}}), "tools must be a list, not {}"),
            (json!({"prompt": 7}), "prompt must be a text, not 7"),
            (json!({"reasoning_effort": "huge"}), "reasoning_effort must be one of none, minimal, low"),
            (json!({"n": "two"}), "n must be a whole number from 0 on, not \"two\""),
            (
                json!({"logit_bias": {"a": 1}}),
                "logit_bias must be an object of token ids, each with a number, not {\"a\":1}",
            ),
            (json!({"messages": [], "logprobs": 2}), "logprobs must be true or false, not 2"),
            (json!({"prompt": "a", "logprobs": 21}), "logprobs is 21, but must be at most 20"),
            (json!({"prompt": "a", "logprobs": -1}), "logprobs must be a whole number from 0 on, not -1"),
            (json!({"prompt": "a", "logprobs": 1, "top_logprobs": 1}), "\"top_logprobs\" is not known"),
            (json!({"response_format": {"type": "xml"}}), "response_format must be {\"type\": \"text\"}"),
            (json!({"tool_choice": "must"}), "tool_choice must be one of \"auto\""),
            (json!({"grammar": {"syntax": "bnf"}}), "grammar must be a grammar's text"),
            (json!({"chat_template_kwargs": {"x": 1}}), "\"x\" is not supported yet"),
            (
                json!({"adapters": [{"name": "a", "strength": 1}]}),
                "adapters must be a list of objects with a name and, if wanted, a scale",
            ),
        ] {
            let error = parsed(request.clone()).unwrap_err();
            assert!(error.contains(words), "{request}: \"{words}\" is not in: {error}");
            for serdes in ["invalid", "expected", "line", "column", "`"] {
                assert!(!error.contains(serdes), "{request}: {error}");
            }
        }
    }
}
