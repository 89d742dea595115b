//! Arguments of every command.

mod batch;
mod decide;
mod library;
mod serve;
mod setup;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use qwill::{Existing, SamplingOptions, Speculation, WeightFormat};

pub(crate) use self::batch::BatchArgs;
pub(crate) use self::decide::DecideArgs;
pub(crate) use self::library::{CompletionsArgs, ListArgs, ManArgs, PullArgs, RmArgs};
pub(crate) use self::serve::{ServeArgs, ServedArg};
pub(crate) use self::setup::{LoraArg, ModelArgs, SetupArgs};
use crate::examples;

/// Qwen language models on your own GPU.
#[derive(Debug, Parser)]
#[command(name = "qwill", version, after_help = examples::QWILL)]
pub(crate) struct Cli {
    /// Say more when something fails, and log what the GPU layer does
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print one reply
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// Talk to a model
    #[command(after_help = examples::CHAT)]
    Chat(ChatArgs),
    /// Answer programs over HTTP, in the interfaces of OpenAI, Anthropic and Ollama
    #[command(after_help = examples::SERVE)]
    Serve(ServeArgs),
    /// Answer the requests of a file, in OpenAI's batch format; what was interrupted goes on
    #[command(after_help = examples::BATCH)]
    Batch(BatchArgs),
    /// Answer questions about a text with probabilities: yes or no, one of several choices, a place on a scale
    #[command(after_help = examples::DECIDE)]
    Decide(DecideArgs),
    /// Evaluate prompts exactly: log-likelihoods, logits, greedy continuations
    #[command(after_help = examples::EVAL)]
    Eval(EvalArgs),
    /// Measure prefill and decode speed, of one text and of many at once
    #[command(after_help = examples::BENCH)]
    Bench(BenchArgs),
    /// Show a model's configuration, tensors and memory plan
    #[command(after_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// Convert a model to a GGUF file in another number format
    #[command(after_help = examples::QUANTIZE)]
    Quantize(QuantizeArgs),
    /// Download a model from the hub, or what is missing of it
    #[command(after_help = examples::PULL)]
    Pull(PullArgs),
    /// List the models that were downloaded
    #[command(visible_alias = "ls", after_help = examples::LIST)]
    List(ListArgs),
    /// Delete a model that was downloaded
    #[command(after_help = examples::RM)]
    Rm(RmArgs),
    /// Write a GGUF file of a published shape with random weights, to measure with
    Random(RandomArgs),
    /// Show the token ids of a text
    Tokenize(TokenizeArgs),
    /// List the GPUs of this machine
    Devices(DevicesArgs),
    /// Print what lets a shell complete commands and options
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write manual pages of all commands
    #[command(after_help = examples::MAN)]
    Man(ManArgs),
}

/// What is added to the logit of a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BiasArg {
    pub(crate) id: u32,
    pub(crate) bias: f32,
}

impl FromStr for BiasArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').and_then(|(id, bias)| Some((id.parse().ok()?, bias.parse().ok()?)));
        let (id, bias) = parts.ok_or("the id of a token, = and a number are needed, as in 13=-100")?;
        Ok(Self { id, bias })
    }
}

#[derive(Debug, Args)]
pub(crate) struct SamplingArgs {
    /// Divides the logits; 0 always takes the most likely token [default: the model's]
    #[arg(long)]
    temperature: Option<f32>,
    /// Keep this many of the most likely tokens; 0 keeps all
    #[arg(long)]
    top_k: Option<u32>,
    /// Keep the most likely tokens that together have this probability
    #[arg(long)]
    top_p: Option<f32>,
    /// Keep tokens at least this likely, relative to the most likely one
    #[arg(long)]
    min_p: Option<f32>,
    /// Make tokens that occurred less likely (1: off)
    #[arg(long)]
    repetition_penalty: Option<f32>,
    /// Subtract from the logits of tokens in the reply
    #[arg(long, allow_negative_numbers = true)]
    presence_penalty: Option<f32>,
    /// Subtract once for each time a token is in the reply
    #[arg(long, allow_negative_numbers = true)]
    frequency_penalty: Option<f32>,
    /// The same seed gives the same reply
    #[arg(long)]
    seed: Option<u64>,
}

impl SamplingArgs {
    pub(crate) fn options(&self) -> SamplingOptions {
        SamplingOptions {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repetition_penalty: self.repetition_penalty,
            presence_penalty: self.presence_penalty,
            frequency_penalty: self.frequency_penalty,
            seed: self.seed,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ReplyArgs {
    #[command(flatten)]
    pub(crate) sampling: SamplingArgs,
    /// Add BIAS, -100 (forbids) to 100 (forces), to the logit of the token with this id (may be given several times)
    #[arg(long, value_name = "ID=BIAS")]
    pub(crate) logit_bias: Vec<BiasArg>,
    /// Most tokens of a reply
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// End the reply before this text (may be given several times)
    #[arg(long, value_name = "TEXT")]
    pub(crate) stop: Vec<String>,
    /// System message
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// Answer without thinking first, for models that can do both
    #[arg(long)]
    pub(crate) no_think: bool,
    /// End thoughts that are longer than this, and answer [default: no limit]
    #[arg(long, value_name = "N", conflicts_with = "no_think", value_parser = thinking_budget)]
    pub(crate) thinking_budget: Option<usize>,
    /// JSON file with tools in OpenAI's shape
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
    /// Whether to call tools: auto, none, required, or the name of one
    #[arg(long, value_name = "CHOICE", requires = "tools")]
    pub(crate) tool_choice: Option<String>,
    /// Which of the model's chat templates to use, where it has several
    #[arg(long, value_name = "NAME")]
    pub(crate) chat_template: Option<String>,
    /// Make tokens of the names of special tokens in texts, as transformers does, instead of reading them as text
    #[arg(long)]
    pub(crate) no_split_special_tokens: bool,
    /// Guess tokens where the reply repeats what stood before, and check several at once: faster, with the same result
    #[arg(long, value_name = "HOW")]
    pub(crate) speculate: Option<SpeculationArg>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Where guesses come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SpeculationArg {
    /// From the text itself: what followed the same tokens before
    Ngram,
}

impl From<SpeculationArg> for Speculation {
    fn from(SpeculationArg::Ngram: SpeculationArg) -> Self {
        Self::Ngram
    }
}

/// What the text of a reply must be, behind its thoughts.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct FormatArgs {
    /// Reply with JSON that this schema describes: a file, or the schema itself, "{}" for any
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) json_schema: Option<String>,
    /// Reply with a text that this regular expression matches as a whole
    #[arg(long, value_name = "REGEX")]
    pub(crate) regex: Option<String>,
    /// Reply with a text of this grammar, in Lark's syntax from the rule "start" on, or in llama.cpp's (GBNF) from "root" on
    #[arg(long, value_name = "FILE")]
    pub(crate) grammar: Option<PathBuf>,
}

fn thinking_budget(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("a number of tokens is needed, at least 1; --no-think answers without thoughts".to_owned()),
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What to say; "-" reads it from standard input
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) reply: ReplyArgs,
    /// Give the prompt to the model as it stands, without a chat template
    #[arg(long, conflicts_with_all = [
        "system", "tools", "no_think", "thinking_budget", "chat_template", "no_split_special_tokens",
    ])]
    pub(crate) raw: bool,
    /// Fill in what belongs between the prompt and this text (code models)
    #[arg(long, value_name = "TEXT", requires = "raw")]
    pub(crate) suffix: Option<String>,
    /// Begin the reply with the prompt
    #[arg(long, requires = "raw", conflicts_with = "suffix")]
    pub(crate) echo: bool,
    /// Give this many replies, whose seeds count up
    #[arg(short, long, value_name = "N", default_value_t = 1)]
    pub(crate) n: usize,
    /// Tell how likely each token was, and how likely this many others in its place, up to 20
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "0", requires = "json")]
    pub(crate) logprobs: Option<usize>,
    /// Print one JSON object when all is complete: the reply, or with --n the choices
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) reply: ReplyArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Cases: {"cases":[{"name","ids","greedy","top_logprobs","logits":"last"|"all"|"none"}]}
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Where results go, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Where logits, embeddings or scores go, as safetensors
    #[arg(long, value_name = "FILE")]
    pub(crate) logits: Option<PathBuf>,
    /// Write embeddings as embedding.NAME [hidden_size] instead of logits
    #[arg(long, requires = "logits", conflicts_with = "score")]
    pub(crate) embed: bool,
    /// Write scores of a reward or classification model as score.NAME [labels], and score_tokens.NAME [tokens, labels]
    #[arg(long, requires = "logits")]
    pub(crate) score: bool,
    /// Tokens of a prefill step
    #[arg(long, value_name = "N")]
    pub(crate) chunk: Option<usize>,
    /// Use the same number formats as `run` instead of exact ones
    #[arg(long)]
    pub(crate) fast: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// A GGUF file, a Hugging Face directory, a hub id (OWNER/NAME[:TAG][@REVISION]) or address, or "demo"
    #[arg(short, long, default_value = "demo", conflicts_with = "random")]
    pub(crate) model: String,
    /// Random weights of a published shape instead, such as qwen3-8b:q4_0
    #[arg(long, value_name = "SHAPE:FORMAT")]
    pub(crate) random: Option<String>,
    /// Give the random model this many layers: large ones then fit small machines
    #[arg(long, value_name = "N", requires = "random")]
    pub(crate) layers: Option<usize>,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
    /// Tokens of the prompt
    #[arg(short, long, default_value_t = 512)]
    pub(crate) prompt_tokens: usize,
    /// Tokens to decode
    #[arg(short = 'n', long, default_value_t = 128)]
    pub(crate) decode_tokens: usize,
    /// Tokens already in the cache, separated by commas
    #[arg(short, long, value_delimiter = ',', default_value = "0")]
    pub(crate) depth: Vec<usize>,
    /// Measure this many texts at once too, separated by commas: the tokens that all of them decode a second, and how long
    /// they wait for their first ones
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    pub(crate) parallel: Vec<usize>,
    /// Repetitions
    #[arg(short, long, default_value_t = 5)]
    pub(crate) runs: usize,
    /// Time each kernel too, by the device's own clock (timestamp queries): microseconds, bytes, GB/s and GFLOP/s of a decode
    /// step behind the prompt, and of the prompt's first step
    #[arg(long)]
    pub(crate) profile: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A GGUF file, a Hugging Face directory, a hub id (OWNER/NAME[:TAG][@REVISION]) or address, or "demo"
    #[arg(short, long, default_value = "demo", conflicts_with = "shape")]
    pub(crate) model: String,
    /// A published shape instead, such as qwen3-8b, in bf16 or as in qwen3-8b:q4_0; needs no files
    #[arg(long, value_name = "SHAPE[:FORMAT]")]
    pub(crate) shape: Option<String>,
    #[command(flatten)]
    pub(crate) setup: SetupArgs,
    /// Print one JSON object, with every tensor
    #[arg(long)]
    pub(crate) json: bool,
}

/// A file that is written.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The GGUF file to write
    #[arg(value_name = "OUT.gguf")]
    pub(crate) output: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
}

impl TargetArgs {
    pub(crate) fn existing(&self) -> Existing {
        if self.force { Existing::Replace } else { Existing::Keep }
    }
}

#[derive(Debug, Args)]
pub(crate) struct QuantizeArgs {
    /// A GGUF file, a Hugging Face directory, a hub id (OWNER/NAME[:TAG][@REVISION]) or address, or "demo"
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// f32, f16, bf16, q8_0, q6_k, q5_k, q5_1, q5_0, q4_k, q4_1, q4_0, iq4_nl, iq4_xs, mxfp4, q3_k or q2_k; as in
    /// llama.cpp, the output matrix becomes q6_k below q8_0, and norms and routers stay floats
    #[arg(long = "type", value_name = "FORMAT")]
    pub(crate) format: WeightFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RandomArgs {
    /// A published shape and a format, such as qwen3-8b:q4_0
    #[arg(value_name = "SHAPE:FORMAT")]
    pub(crate) shape: String,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Number of layers [default: the shape's]
    #[arg(long, value_name = "N")]
    pub(crate) layers: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct TokenizeArgs {
    /// The text; "-" reads it from standard input
    pub(crate) text: String,
    /// A GGUF file, a Hugging Face directory, a hub id (OWNER/NAME[:TAG][@REVISION]) or address, or "demo"
    #[arg(short, long, default_value = "demo")]
    pub(crate) model: String,
    /// Treat names of special tokens in the text as ordinary characters
    #[arg(long)]
    pub(crate) no_specials: bool,
    /// Print {"ids":[…],"tokens":[…]}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DevicesArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn biases_name_a_token_and_a_number() {
        assert_eq!("13=-100".parse(), Ok(super::BiasArg { id: 13, bias: -100.0 }));
        for text in ["13", "a=1", "1=a", "-1=1", "=", "1=1=1"] {
            assert!(text.parse::<super::BiasArg>().unwrap_err().contains("13=-100"), "{text}");
        }
    }
}
