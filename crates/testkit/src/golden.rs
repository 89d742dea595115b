//! What the reference implementation makes of the checkpoints in `tests/golden/`, and how far a model is from it.
//!
//! They are tiny random checkpoints in the official layouts, with logits, greedy continuations and perplexities of
//! transformers in float32 (`tests/golden/scripts/` made them).

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;

/// Checkpoints of floats.
pub const FLOATS: [&str; 19] = [
    "qwen1-plain",
    "qwen1-ntk",
    "qwen1-ntk-logn",
    "qwen2-tied",
    "qwen2-untied",
    "qwen2-headdim",
    "qwen2-swa",
    "qwen2-yarn",
    "qwen2-linear",
    "qwen2-dynamic",
    "qwen2-dca",
    "qwen2-dca-odd",
    "qwen2moe-a27",
    "qwen2moe-mix",
    "qwen2moe-dead",
    "qwen3-tied",
    "qwen3-f32",
    "qwen3moe-128",
    "qwen3moe-swa",
];

/// Quantised ones.
pub const QUANTISED: [&str; 29] = [
    "q-qwen2-awq",
    "q-qwen2-gptq4-act",
    "q-qwen2-gptq4-col",
    "q-qwen2-gptq4-g128",
    "q-qwen2-gptq8",
    "q-qwen2moe-gptq4",
    "q-qwen2moe-gptq8-v2",
    "q-qwen3-fp8",
    "q-qwen3-fp8-tensor",
    "q-qwen3moe-awq",
    "q-qwen3moe-fp8",
    "g-qwen2/g-qwen2-F16.gguf",
    "g-qwen2/g-qwen2-Q8_0.gguf",
    "g-qwen2/g-qwen2-Q5_1.gguf",
    "g-qwen2/g-qwen2-Q5_0.gguf",
    "g-qwen2/g-qwen2-Q4_1.gguf",
    "g-qwen2/g-qwen2-Q4_0.gguf",
    "g-qwen2/g-qwen2-IQ4_NL.gguf",
    "g-qwen3-k/g-qwen3-k-Q6_K.gguf",
    "g-qwen3-k/g-qwen3-k-Q5_K_M.gguf",
    "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf",
    "g-qwen3-k/g-qwen3-k-Q3_K_S.gguf",
    "g-qwen3-k/g-qwen3-k-Q2_K.gguf",
    "g-qwen3-k/g-qwen3-k-IQ4_XS.gguf",
    "g-qwen2moe/g-qwen2moe-Q8_0.gguf",
    "g-qwen2moe/g-qwen2moe-Q4_0.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q6_K.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q4_K_M.gguf",
    "g-qwen3moe-k/g-qwen3moe-k-Q2_K.gguf",
];

/// Largest logit difference on the exact path.
const EXACT: f32 = 2e-4;
/// What it may be where weights are quantised.
const EXACT_QUANTISED: f32 = 5e-4;
/// What perplexity may be off by, as a share.
const EXACT_PERPLEXITY: f64 = 1e-4;
/// A token whose last chosen expert beats the first rejected one by less may go to either.
const ROUTER_GAP: f64 = 1e-4;

/// Tokens of the longest prompt with its continuation.
pub const CONTEXT: usize = 704;
/// Tokens of a prefill step: the longest prompts take several.
pub const PREFILL_CHUNK: usize = 256;

/// What a model is asked: for the logits of every position of the prompt, for its perplexity, and for a continuation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Name of the prompt.
    pub name: String,
    /// The prompt.
    pub ids: Vec<u32>,
    /// Tokens to continue with greedily.
    pub n_greedy: usize,
}

/// What a model said.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// `[positions, vocab_size]`.
    pub logits: Vec<f32>,
    /// Absent for a single token.
    pub perplexity: Option<f64>,
    /// The continuation.
    pub greedy: Vec<u32>,
}

/// How far a model is from the reference.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distance {
    /// Largest logit difference.
    pub logits: f32,
    /// What exceeds its tolerance, in words.
    pub wrong: Vec<String>,
}

/// What the reference made of one checkpoint.
pub struct Expected {
    /// Everything but tensors.
    pub json: Value,
    tolerance: f32,
    tensors: Vec<u8>,
}

/// Paths of a checkpoint's expected results below the folder of goldens.
pub fn expected_files(checkpoint: &str) -> [String; 2] {
    let stem = match checkpoint.strip_suffix(".gguf") {
        Some(file) => format!("{file}.expected"),
        None => format!("{checkpoint}/expected"),
    };
    ["json", "safetensors"].map(|extension| format!("{stem}.{extension}"))
}

impl Expected {
    /// Reads what is expected of one of [`FLOATS`] or [`QUANTISED`] in a folder of goldens.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(goldens: &Path, checkpoint: &str) -> Self {
        let [json, tensors] = expected_files(checkpoint)
            .map(|file| std::fs::read(goldens.join(&file)).unwrap_or_else(|error| panic!("{file}: {error}")));
        Self {
            json: serde_json::from_slice(&json).expect("expected results are JSON"),
            tolerance: if FLOATS.contains(&checkpoint) { EXACT } else { EXACT_QUANTISED },
            tensors,
        }
    }

    /// Token ids at a place in the JSON.
    ///
    /// # Panics
    /// If there are none.
    pub fn ids(&self, pointer: &str) -> Vec<u32> {
        let ids = self.json.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}"));
        serde_json::from_value(ids.clone()).expect("a list of ids")
    }

    /// Prompts by name, in order of length.
    pub fn prompts(&self) -> Vec<(String, Vec<u32>)> {
        let names: BTreeMap<String, Value> =
            serde_json::from_value(self.json["prompts"].clone()).expect("prompts by name");
        let mut prompts: Vec<_> =
            names.keys().map(|n| (n.clone(), self.ids(&format!("/prompts/{n}")))).collect();
        prompts.sort_by_key(|(_, ids)| ids.len());
        prompts
    }

    /// Asks a model everything that is known of the checkpoint in prompts of at most `longest` tokens, and compares.
    ///
    /// # Errors
    /// Those of `ask`.
    pub fn compare<E>(
        &self,
        n_vocab: usize,
        longest: usize,
        mut ask: impl FnMut(&Question) -> Result<Answer, E>,
    ) -> Result<Distance, E> {
        let mut distance = Distance::default();
        let prompts = self.prompts().into_iter().filter(|(_, ids)| ids.len() <= longest);
        for (name, ids) in prompts {
            let greedy = self.json["greedy"].get(&name).map(|_| self.ids(&format!("/greedy/{name}/ids")));
            let greedy = greedy.unwrap_or_default();
            let answer = ask(&Question { name: name.clone(), ids, n_greedy: greedy.len() })?;
            let (worst, _) = self.compare_logits(&name, &answer.logits, n_vocab);
            distance.logits = distance.logits.max(worst);
            if worst > self.tolerance {
                distance.wrong.push(format!("{name}: logits differ by {worst:e}"));
            }
            if answer.greedy != greedy {
                distance.wrong.push(format!("{name}: continues with {:?}, not {greedy:?}", answer.greedy));
            }
        }
        if let Some(wanted) = self.json.pointer("/perplexity/value").and_then(Value::as_f64) {
            let ids = self.ids("/perplexity/ids");
            if ids.len() <= longest {
                let question = Question { name: "perplexity".into(), ids, n_greedy: 0 };
                let found = ask(&question)?.perplexity.unwrap_or(f64::NAN);
                if !self.is_perplexity(found, EXACT_PERPLEXITY) {
                    distance.wrong.push(format!("perplexity {found}, not {wanted}"));
                }
            }
        }
        Ok(distance)
    }

    /// Whether a perplexity is the expected one, give or take a share of it.
    pub fn is_perplexity(&self, found: f64, tolerance: f64) -> bool {
        let wanted = self.json["perplexity"]["value"].as_f64().expect("a perplexity");
        (found / wanted - 1.0).abs() < tolerance
    }

    /// Largest difference, and rms of the difference over the deviation of what was expected, on every row that the
    /// files hold for a prompt, of `logits` `[positions, n_vocab]`. What is no number is infinitely wrong.
    ///
    /// # Panics
    /// If nothing is expected of the prompt.
    pub fn compare_logits(&self, prompt: &str, logits: &[f32], n_vocab: usize) -> (f32, f64) {
        let rows = logits.len() / n_vocab;
        let mut pairs: Vec<(usize, Vec<f32>)> = Vec::new();
        if let Some(all) = self.tensor(&format!("logits.{prompt}.all")) {
            assert_eq!(all.len(), logits.len(), "logits of {prompt}");
            pairs.extend(all.chunks(n_vocab).map(<[f32]>::to_vec).enumerate());
        }
        if let Some(last) = self.tensor(&format!("logits.{prompt}.last")) {
            pairs.push((rows - 1, last));
        }
        if let Some(at) = self.tensor(&format!("logits.{prompt}.at")) {
            let positions = self.ids(&format!("/at_positions/{prompt}"));
            pairs.extend(
                positions.into_iter().map(|p| p as usize).zip(at.chunks(n_vocab).map(<[f32]>::to_vec)),
            );
        }
        assert!(!pairs.is_empty(), "no expected logits for {prompt}");
        if let Some(gaps) = self.json.pointer(&format!("/router_gap/{prompt}")) {
            let gaps: Vec<f64> = serde_json::from_value(gaps.clone()).expect("a gap a token");
            pairs.retain(|(row, _)| gaps[*row] >= ROUTER_GAP);
        }
        let (mut worst, mut squares, mut spread) = (0.0f32, 0.0, 0.0);
        for (row, expected) in pairs {
            let mean = expected.iter().map(|&x| f64::from(x)).sum::<f64>() / expected.len() as f64;
            for (a, e) in logits[row * n_vocab..].iter().zip(&expected) {
                let difference = if a.is_finite() { (a - e).abs() } else { f32::INFINITY };
                worst = worst.max(difference);
                squares += f64::from(difference).powi(2);
                spread += (f64::from(*e) - mean).powi(2);
            }
        }
        (worst, (squares / spread).sqrt())
    }

    fn tensor(&self, name: &str) -> Option<Vec<f32>> {
        let tensors = SafeTensors::deserialize(&self.tensors).expect("expected results are safetensors");
        let tensor = tensors.tensor(name).ok()?;
        Some(tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goldens() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden")
    }

    #[test]
    fn every_checkpoint_has_its_files() {
        for checkpoint in FLOATS.iter().chain(&QUANTISED) {
            let expected = Expected::read(&goldens(), checkpoint);
            assert!(!expected.prompts().is_empty(), "{checkpoint}");
            assert!(goldens().join(checkpoint).exists(), "{checkpoint}");
        }
    }

    /// Answers with what is expected, but for what `spoil` changes.
    fn distance(spoil: impl Fn(&mut Answer)) -> Distance {
        let expected = Expected::read(&goldens(), "qwen2-tied");
        let n_vocab = expected.tensor("logits.L1.all").map_or(0, |logits| logits.len());
        let answered = expected.compare(n_vocab, 33, |question| {
            let mut answer = Answer {
                logits: expected.tensor(&format!("logits.{}.all", question.name)).unwrap_or_default(),
                perplexity: expected.json["perplexity"]["value"].as_f64(),
                greedy: match question.n_greedy {
                    0 => Vec::new(),
                    _ => expected.ids(&format!("/greedy/{}/ids", question.name)),
                },
            };
            spoil(&mut answer);
            Ok::<_, std::convert::Infallible>(answer)
        });
        answered.unwrap_or_else(|never| match never {})
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!(distance(|_| {}), Distance::default());
        let off = distance(|answer| answer.logits.iter_mut().take(1).for_each(|x| *x += 3e-4));
        assert!(off.wrong[0].starts_with("L1: logits differ by"), "{off:?}");
        let broken = distance(|answer| answer.logits.iter_mut().take(1).for_each(|x| *x = f32::NAN));
        assert_eq!(broken.logits, f32::INFINITY);
        let other = distance(|answer| answer.greedy.iter_mut().take(1).for_each(|id| *id += 1));
        assert!(other.wrong[0].contains("continues with"), "{other:?}");
    }
}
