//! One vector or a few numbers for a whole text: embeddings, rewards, classification, reranking.

use qwill_models::step::Want;
use qwill_models::{Outputs, Scored};
use qwill_text::{ChatInput, ChatTemplate, Family, GenerationPrompt, Specials};
use serde::Serialize;
use serde_json::Value;

use crate::cache::AdapterSet;
use crate::engine::{MAX_OUTPUTS, scores_of, state_of};
use crate::{Error, Model};

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
    /// Refuses token ids that the model cannot read.
    pub(crate) fn check_ids(&self, ids: &[u32]) -> Result<(), Error> {
        let n_vocab = self.engine.plan.dims.vocab_size;
        if ids.is_empty() {
            return Err(Error::Request("there are no token ids".into()));
        }
        if let Some(id) = ids.iter().find(|&&id| id as usize >= n_vocab) {
            return Err(Error::Request(format!(
                "token id {id} is outside the model's vocabulary of {n_vocab}"
            )));
        }
        let context_length = self.engine.options.context_length;
        if ids.len() > context_length {
            let hint = String::new();
            return Err(Error::PromptTooLong { prompt_tokens: ids.len(), context_length, hint });
        }
        Ok(())
    }

    /// The embedding of a text given as tokens: the normalised state of the last one, cut to its first `dimensions` numbers
    /// (Matryoshka representation learning, arXiv 2205.13147), then scaled to length 1.
    pub async fn embed_ids(&mut self, ids: &[u32], dimensions: Option<usize>) -> Result<Vec<f32>, Error> {
        let adapters = self.engine.resolve_adapters(None)?;
        self.embedding(ids, dimensions, &adapters).await
    }

    /// The same with these adapters.
    pub(crate) async fn embedding(
        &mut self,
        ids: &[u32],
        dimensions: Option<usize>,
        adapters: &AdapterSet,
    ) -> Result<Vec<f32>, Error> {
        self.check_ids(ids)?;
        let hidden_size = self.engine.plan.dims.hidden_size;
        let dimensions = dimensions.unwrap_or(hidden_size);
        if dimensions == 0 || dimensions > hidden_size {
            return Err(Error::Request(format!(
                "an embedding of {dimensions} numbers was asked for; this model makes 1 to {hidden_size}"
            )));
        }
        let kept = self.start_pooled(ids, adapters);
        let (chunk, last) = (self.engine.options.chunk, ids.len() - 1 - kept);
        let want = |index| (index == last).then_some(Want::State);
        let answers = self.engine.read(&mut self.sequence, &ids[kept..], chunk, want).await?;
        let mut state = answers.into_iter().find_map(state_of).unwrap_or_default();
        state.truncate(dimensions);
        let length = state.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        state.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        Ok(state)
    }

    /// The embedding of a text. An `instruction` makes it a query: `Instruct: {instruction}\nQuery:{text}`; documents go
    /// without one.
    pub async fn embed(
        &mut self,
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

    /// The scores of a text given as tokens.
    pub async fn score_ids(&mut self, ids: &[u32]) -> Result<Scores, Error> {
        let adapters = self.engine.resolve_adapters(None)?;
        self.scores(ids, &adapters).await
    }

    /// The same with these adapters.
    pub(crate) async fn scores(&mut self, ids: &[u32], adapters: &AdapterSet) -> Result<Scores, Error> {
        self.check_ids(ids)?;
        let Outputs::Scores { of, pad_token, .. } = self.engine.plan.head.outputs else {
            return Err(Error::Request(
                "this model has no scores: it is no reward or classification model".into(),
            ));
        };
        self.reset();
        self.engine.start(&mut self.sequence, ids, adapters);
        let chunk = self.engine.options.chunk.min(MAX_OUTPUTS);
        let answers = self.engine.read(&mut self.sequence, ids, chunk, |_| Some(Want::Scores)).await?;
        let tokens: Vec<Vec<f32>> = answers.into_iter().filter_map(scores_of).collect();
        let last = ids.iter().rposition(|&id| Some(id) != pad_token).unwrap_or(ids.len() - 1);
        let step = self.tokenizer.as_ref().and_then(|t| t.id_of(STEP)).filter(|_| of == Scored::Steps);
        let steps = step.map(|step| {
            let scored = ids.iter().zip(&tokens).filter(|(id, _)| **id == step);
            scored.map(|(_, scores)| probability(scores)).collect()
        });
        Ok(Scores { last: tokens[last].clone(), tokens: (of != Scored::LastToken).then_some(tokens), steps })
    }

    /// The scores of a conversation in OpenAI's shape. The steps of a solution, for a process reward model, are a list of
    /// texts as the assistant's content, or one text with `<extra_0>` after each.
    pub async fn score(&mut self, messages: &[Value]) -> Result<Scores, Error> {
        let mut messages = messages.to_vec();
        for message in &mut messages {
            if let Some(steps) = message["content"].as_array()
                && steps.iter().all(Value::is_string)
            {
                let joined: String =
                    steps.iter().filter_map(Value::as_str).map(|s| format!("{s}{STEP}")).collect();
                message["content"] = joined.into();
            }
        }
        let input =
            ChatInput { messages, add_generation_prompt: GenerationPrompt::Omit, ..ChatInput::default() };
        let builtin;
        let template = match &self.templates.plain {
            Some(template) => template,
            None => {
                builtin = ChatTemplate::builtin(Family::Qwen2_5Math)?;
                &builtin
            }
        };
        let text = template.render(&input)?;
        let ids = self.tokenize(&text, Specials::Parse)?;
        self.score_ids(&ids).await
    }

    /// How well each document answers a query, between 0 and 1, in the order of the documents.
    ///
    /// With a Qwen3-Reranker that is the probability of "yes" against "no" as the next token, or what its classification head
    /// says. `instruction` is the task; absent: web search.
    pub async fn rerank(
        &mut self,
        query: &str,
        documents: &[String],
        instruction: Option<&str>,
    ) -> Result<Vec<f32>, Error> {
        let mut scores = Vec::with_capacity(documents.len());
        for document in documents {
            let ids = self.rerank_prompt(query, document, instruction.unwrap_or(DEFAULT_TASK))?;
            scores.push(self.judge(&ids).await?);
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
        let room = self.engine.options.context_length.checked_sub(ids.len() + suffix.len() + 1);
        let room = room.ok_or_else(|| Error::Request("the context is too short for reranking".into()))?;
        body.truncate(room);
        ids.extend(body);
        ids.extend(suffix);
        Ok(ids)
    }

    async fn judge(&mut self, ids: &[u32]) -> Result<f32, Error> {
        match self.engine.plan.head.outputs {
            Outputs::Scores { .. } => Ok(probability(&self.score_ids(ids).await?.last)),
            Outputs::States => Err(Error::Request(
                "this model embeds texts and cannot rerank them; compare embeddings, or load a reranker"
                    .into(),
            )),
            Outputs::Logits => {
                let answer = |word: &str| match self.tokenize(word, Specials::AsText)?[..] {
                    [id] => Ok(id as usize),
                    _ => Err(Error::Tokenizer(format!(
                        "reranking needs \"{word}\" to be one token, which it is not in this vocabulary"
                    ))),
                };
                let (yes, no) = (answer("yes")?, answer("no")?);
                self.check_ids(ids)?;
                let adapters = self.engine.resolve_adapters(None)?;
                let kept = self.start_pooled(ids, &adapters);
                let (chunk, last) = (self.engine.options.chunk, ids.len() - 1 - kept);
                let want = |index| (index == last).then_some(Want::Scores);
                let answers = self.engine.read(&mut self.sequence, &ids[kept..], chunk, want).await?;
                let logits = answers.into_iter().find_map(scores_of).unwrap_or_default();
                Ok(probability(&[logits[no], logits[yes]]))
            }
        }
    }

    /// Starts on a text and returns how much of it is cached; a model that looks both ways starts anew.
    fn start_pooled(&mut self, ids: &[u32], adapters: &AdapterSet) -> usize {
        if self.engine.plan.direction == qwill_models::Direction::Both {
            self.reset();
        }
        self.engine.start(&mut self.sequence, ids, adapters)
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
