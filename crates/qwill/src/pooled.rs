//! One vector or a few numbers for a whole text: embeddings, rewards, classification, reranking.

use qwill_models::{Outputs, Scored};
use qwill_scheduler::{Rows, Wanted};
use qwill_text::{ChatInput, ChatTemplate, Family, GenerationPrompt, Specials, TemplateUse, Tokenizer};
use serde::Serialize;
use serde_json::{Value, json};

use crate::requests::{Reading, rows_of};
use crate::{Error, Message, Model};

/// What reranking asks for when nobody says otherwise (Qwen3-Reranker's model card).
const DEFAULT_TASK: &str = "Given a web search query, retrieve relevant passages that answer the query";

/// Ends a step of a solution for a process reward model.
const STEP: &str = "<extra_0>";

/// What a reward or classification model says of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Raw scores of the text, one for each label.
    pub last: Vec<f32>,
    /// Raw scores of every token, `[n_tokens][n_labels]`, from models that score every token.
    pub tokens: Option<Vec<Vec<f32>>>,
    /// The probability that a step is right, for each step of a solution, from process reward models.
    pub steps: Option<Vec<f32>>,
}

impl Model {
    /// The embedding of a text given as tokens: the normalised state of the last one, cut to its first `dimensions` numbers
    /// (Matryoshka representation learning, arXiv 2205.13147), then scaled to length 1.
    ///
    /// [`embed`](Self::embed) has an example.
    pub async fn embed_ids(&self, ids: &[u32], dimensions: Option<usize>) -> Result<Vec<f32>, Error> {
        self.embedding(ids, dimensions, self.resolve_adapters(None)?).await
    }

    /// The same with these adapters.
    pub(crate) async fn embedding(
        &self,
        ids: &[u32],
        dimensions: Option<usize>,
        adapters: Vec<(u64, f32)>,
    ) -> Result<Vec<f32>, Error> {
        let hidden_size = self.facts().plan.dims.hidden_size;
        let dimensions = dimensions.unwrap_or(hidden_size);
        if dimensions == 0 || dimensions > hidden_size {
            return Err(Error::Request(format!(
                "an embedding of {dimensions} numbers was asked for; this model makes 1 to {hidden_size}"
            )));
        }
        let (rows, want) = (Rows::Last, Wanted::State);
        let rows = self.read(Reading { ids: ids.to_vec(), adapters, chunk: None, rows, want }).await?;
        let mut state = rows.into_iter().next().unwrap_or_default();
        state.truncate(dimensions);
        let length = state.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        state.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        Ok(state)
    }

    /// The embedding of a text. An `instruction` makes it a query: `Instruct: {instruction}\nQuery:{text}`; documents go
    /// without one.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let document = model.embed("The sky scatters blue light.", None, None).await?;
    /// let task = "Given a question, retrieve passages that answer it";
    /// let query = model.embed("Why is the sky blue?", Some(task), None).await?;
    /// let cosine: f32 = document.iter().zip(&query).map(|(a, b)| a * b).sum();
    /// # Ok(()) }
    /// ```
    pub async fn embed(
        &self,
        text: &str,
        instruction: Option<&str>,
        dimensions: Option<usize>,
    ) -> Result<Vec<f32>, Error> {
        let text = match instruction {
            Some(task) => format!("Instruct: {task}\nQuery:{text}"),
            None => text.to_owned(),
        };
        let ids = self.tokenizer()?.encode_for_embedding(&text)?;
        self.embed_ids(&ids, dimensions).await
    }

    /// The scores of a text given as tokens. [`score`](Self::score) has an example.
    pub async fn score_ids(&self, ids: &[u32]) -> Result<Scores, Error> {
        self.scores(ids, self.resolve_adapters(None)?).await
    }

    /// The same with these adapters.
    pub(crate) async fn scores(&self, ids: &[u32], adapters: Vec<(u64, f32)>) -> Result<Scores, Error> {
        self.check_ids(ids)?;
        let Outputs::Scores { of, pad_token, .. } = self.facts().plan.head.outputs else {
            return Err(Error::Request(
                "this model has no scores: it is no reward or classification model".into(),
            ));
        };
        let (rows, want) = (Rows::Every, Wanted::Scores);
        let tokens = self.read(Reading { ids: ids.to_vec(), adapters, chunk: None, rows, want }).await?;
        let last = ids.iter().rposition(|&id| Some(id) != pad_token).unwrap_or(ids.len() - 1);
        let step =
            self.facts().tokenizer.as_ref().and_then(|t| t.id_of(STEP)).filter(|_| of == Scored::Steps);
        let steps = step.map(|step| {
            let scored = ids.iter().zip(&tokens).filter(|(id, _)| **id == step);
            scored.map(|(_, scores)| probability(scores)).collect()
        });
        Ok(Scores { last: tokens[last].clone(), tokens: (of != Scored::LastToken).then_some(tokens), steps })
    }

    /// The scores of a conversation in OpenAI's shape. The steps of a solution, for a process reward model, are a list of
    /// texts as the assistant's content, or one text with `<extra_0>` after each.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let messages: Vec<serde_json::Value> = serde_json::from_str(
    ///     r#"[{"role": "user", "content": "2 + 3?"}, {"role": "assistant", "content": "5"}]"#,
    /// ).expect("it is JSON");
    /// println!("{:?}", model.score(&messages).await?.last);
    /// # Ok(()) }
    /// ```
    pub async fn score(&self, messages: &[Value]) -> Result<Scores, Error> {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if let Some(steps) = message["content"].as_array()
                && !steps.is_empty()
                && steps.iter().all(Value::is_string)
            {
                let joined: String =
                    steps.iter().filter_map(Value::as_str).map(|s| format!("{s}{STEP}")).collect();
                message["content"] = joined.into();
            }
        }
        let tokenizer = self.tokenizer()?;
        let mut input = ChatInput {
            messages: Message::list(messages)?.iter().map(Message::to_json).collect(),
            add_generation_prompt: GenerationPrompt::Omit,
            extra: tokenizer.config().special_names().clone(),
            ..ChatInput::default()
        };
        let builtin;
        let template = match self.facts().templates.usual(TemplateUse::Plain) {
            Some(template) => template,
            None => {
                builtin = ChatTemplate::builtin(Family::Qwen2_5Math)?;
                &builtin
            }
        };
        input.prepare_for(template);
        guard_steps(&mut input, tokenizer);
        let text = template.render(&input)?;
        let ids = self.tokenize(&text, Specials::ParseUnguarded)?;
        self.score_ids(&ids).await
    }

    /// How well each document answers a query, between 0 and 1, in the order of the documents.
    ///
    /// With a Qwen3-Reranker that is the probability of "yes" against "no" as the next token, or what its classification head
    /// says. `instruction` is the task; absent: web search.
    ///
    /// ```no_run
    /// # async fn example(model: &qwill::Model) -> Result<(), qwill::Error> {
    /// let documents = ["Two plus three is five.", "The sky is blue."].map(String::from);
    /// let scores = model.rerank("What colour is the sky?", &documents, None).await?;
    /// assert!(scores[1] > scores[0]);
    /// # Ok(()) }
    /// ```
    pub async fn rerank(
        &self,
        query: &str,
        documents: &[String],
        instruction: Option<&str>,
    ) -> Result<Vec<f32>, Error> {
        let judge = self.judge()?;
        let adapters = self.resolve_adapters(None)?;
        let task = instruction.unwrap_or(DEFAULT_TASK);
        // all of them are on their way before the first is waited for
        let mut on_their_way = Vec::with_capacity(documents.len());
        for document in documents {
            let ids = self.rerank_prompt(query, document, task)?;
            let (adapters, rows, want) = (adapters.clone(), Rows::Last, Wanted::Scores);
            on_their_way.push(self.start_reading(Reading { ids, adapters, chunk: None, rows, want })?);
        }
        let mut scores = Vec::with_capacity(documents.len());
        for signals in on_their_way {
            let rows = rows_of(signals).await?;
            scores.push(judge.probability(rows.first().map_or(&[], |row| row)));
        }
        Ok(scores)
    }

    /// Prefix, body and suffix are encoded each by itself, and only the body is cut to the context, as the reference does.
    fn rerank_prompt(&self, query: &str, document: &str, task: &str) -> Result<Vec<u32>, Error> {
        const PREFIX: &str = "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and \
             the Instruct provided. Note that the answer can only be \"yes\" or \"no\".<|im_end|>\n<|im_start|>user\n";
        const SUFFIX: &str = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n";
        let mut ids = self.tokenize(PREFIX, Specials::Parse)?;
        let body = format!("<Instruct>: {task}\n<Query>: {query}\n<Document>: {document}");
        let mut body = self.tokenize(&body, Specials::AsText)?;
        let suffix = self.tokenize(SUFFIX, Specials::Parse)?;
        let room = self.facts().engine.context_length.checked_sub(ids.len() + suffix.len() + 1);
        let room = room.ok_or_else(|| Error::Request("the context is too short for reranking".into()))?;
        body.truncate(room);
        ids.extend(body);
        ids.extend(suffix);
        Ok(ids)
    }

    /// How this model's outputs for the last token are read.
    fn judge(&self) -> Result<Judge, Error> {
        let answer = |word: &str| match self.tokenize(word, Specials::AsText)?[..] {
            [id] => Ok(id as usize),
            _ => Err(Error::Tokenizer(format!(
                "reranking needs \"{word}\" to be one token, which it is not in this vocabulary"
            ))),
        };
        match self.facts().plan.head.outputs {
            Outputs::Scores { .. } => Ok(Judge::Labels),
            Outputs::Logits => Ok(Judge::Words { yes: answer("yes")?, no: answer("no")? }),
            Outputs::States => Err(Error::Request(
                "this model embeds texts and cannot rerank them; compare embeddings, or load a reranker"
                    .into(),
            )),
        }
    }
}

/// Marks names of special tokens as text, except those that end the steps of a solution.
fn guard_steps(input: &mut ChatInput, tokenizer: &Tokenizer) {
    let solution = |message: &&mut Value| message["role"] == "assistant";
    for message in input.messages.iter_mut().filter(solution) {
        if let Some(text) = message["content"].as_str() {
            let steps = text.split(STEP).map(|step| json!({"type": "text", "text": step}));
            message["content"] = steps.collect();
        }
    }
    input.guard_specials(tokenizer);
    for message in input.messages.iter_mut().filter(solution) {
        if let Some(steps) = message["content"].as_array() {
            let steps: Vec<&str> = steps.iter().filter_map(|step| step["text"].as_str()).collect();
            message["content"] = steps.join(STEP).into();
        }
    }
}

/// What says how well a document answers a query.
enum Judge {
    /// Its classification head.
    Labels,
    /// The next token.
    Words { yes: usize, no: usize },
}

impl Judge {
    fn probability(&self, outputs: &[f32]) -> f32 {
        match *self {
            Self::Labels => probability(outputs),
            Self::Words { yes, no } => probability(&[outputs[no], outputs[yes]]),
        }
    }
}

/// Probability of the second of two labels, or what the logistic function makes of a single score.
fn probability(scores: &[f32]) -> f32 {
    match scores {
        [no, yes] => 1.0 / (1.0 + (no - yes).exp()),
        [score, ..] => 1.0 / (1.0 + (-score).exp()),
        [] => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities() {
        assert_eq!(probability(&[0.0]), 0.5);
        assert_eq!(probability(&[3.0, 3.0]), 0.5);
        assert!((probability(&[1.0, 2.0]) - 0.731_058_6).abs() < 1e-6);
        assert_eq!(probability(&[-200.0, 200.0]), 1.0);
    }
}
