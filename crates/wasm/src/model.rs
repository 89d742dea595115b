//! The model, as `EngineModel` of `npm/src/engine.ts` describes it.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use js_sys::{Float32Array, Function, Reflect};
use qwill::decide::{DecisionRequest, SystemOneRequest};
use qwill::text::Specials;
use qwill::weights::ByteSource;
use qwill::{
    AdapterUse, BenchRequest, ChatRequest, Control, EvalCase, Findings, KvType, LoadOptions, ModelFiles,
    RandomModel, SelfTest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wasm_bindgen::prelude::*;

use crate::abort::{Abort, AbortSignal};
use crate::convert::{error, from_js, qwill_error, to_js};
use crate::file::{JsFile, JsSource};
use crate::grammars::{Grammars, JsGrammarModule};
use crate::replies::{Shape, wait_for};
use crate::session::Session;

/// A model on the GPU.
#[wasm_bindgen]
pub struct Model(qwill::Model, Grammars);

/// `EngineLoadOptions`
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct JsLoadOptions {
    name: String,
    context_length: Option<usize>,
    max_sequences: Option<usize>,
    cache_tokens: Option<usize>,
    prefill_chunk: Option<usize>,
    quantize: Option<String>,
    kv_type: Option<String>,
    rope_scaling: Option<String>,
    exact: bool,
    caps: String,
    device_label: Option<String>,
    web_subgroups: Option<JsSubgroups>,
    /// Whether kernels are tried; absent: they are.
    self_test: Option<JsSelfTest>,
    /// What [`Model::findings`] said at an earlier load.
    findings: Option<String>,
    pub(crate) random: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum JsSelfTest {
    Off,
}

/// What is kept of a self-test; another version of this library finds out for itself.
#[derive(Serialize, Deserialize)]
struct KeptFindings {
    version: String,
    findings: Findings,
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn read_findings(text: Option<&str>) -> Findings {
    let kept = text.and_then(|text| serde_json::from_str::<KeptFindings>(text).ok());
    kept.filter(|kept| kept.version == VERSION).map_or_else(Findings::default, |kept| kept.findings)
}

#[derive(Deserialize)]
struct JsSubgroups {
    min: u32,
    max: u32,
}

/// `BenchRequest`
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct JsBenchRequest {
    prompt_tokens: usize,
    decode_tokens: usize,
    depths: Vec<usize>,
    parallel: Vec<usize>,
    runs: usize,
}

/// `EngineEmbedRequest`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsEmbedRequest {
    text: String,
    instruction: Option<String>,
    dimensions: Option<usize>,
}

/// `EngineRerankRequest`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JsRerankRequest {
    query: String,
    document: String,
    instruction: Option<String>,
}

/// `EngineScoreRequest`
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum JsScoreRequest {
    Messages(Vec<Value>),
    Ids(Vec<u32>),
}

/// `Tokens`
#[derive(Serialize)]
struct JsTokens {
    ids: Vec<u32>,
    tokens: Vec<String>,
}

impl Default for JsBenchRequest {
    fn default() -> Self {
        let BenchRequest { prompt_tokens, decode_tokens, depths, parallel, runs } = BenchRequest::default();
        Self { prompt_tokens, decode_tokens, depths, parallel, runs }
    }
}

fn model_files(name: &str, files: Vec<JsFile>) -> ModelFiles {
    let sources = files.into_iter().map(|file| Arc::new(JsSource::new(file)) as Arc<dyn ByteSource>);
    ModelFiles::from_sources(name, sources.collect())
}

/// What an option's text means.
fn parsed<T: FromStr<Err: Display>>(text: Option<&str>) -> Result<Option<T>, JsValue> {
    let value = text.map(str::parse).transpose();
    value.map_err(|e: T::Err| error("invalid-request", &e.to_string()))
}

impl JsLoadOptions {
    pub(crate) fn files(&self, files: Vec<JsFile>) -> ModelFiles {
        model_files(&self.name, files)
    }

    pub(crate) fn resolve(&self) -> Result<LoadOptions, JsValue> {
        let kv_type = match (self.kv_type.as_deref(), self.exact) {
            (None, false) => None,
            (None, true) | (Some("f32"), _) => Some(KvType::F32),
            (Some("f16"), _) => Some(KvType::F16),
            (Some("q8"), _) => Some(KvType::Q8),
            (Some(other), _) => {
                let message = format!("the cache format \"{other}\" is not known; there are f32, f16 and q8");
                return Err(error("invalid-request", &message));
            }
        };
        Ok(LoadOptions {
            context_length: self.context_length,
            max_sequences: self.max_sequences,
            cache_tokens: self.cache_tokens,
            quantize: parsed(self.quantize.as_deref())?,
            kv_type,
            rope_scaling: parsed(self.rope_scaling.as_deref())?,
            prefill_chunk: self.prefill_chunk,
            caps_mask: self.caps.clone(),
            device_label: self.device_label.clone(),
            self_test: match self.self_test {
                Some(JsSelfTest::Off) => SelfTest::Off,
                None => SelfTest::From(read_findings(self.findings.as_deref())),
            },
            web_subgroups: self.web_subgroups.as_ref().map(|widths| (widths.min, widths.max)),
            ..LoadOptions::default()
        })
    }
}

/// What a callback's answer means: `false` is stop, and so is a callback that throws.
fn control(answer: Result<JsValue, JsValue>) -> Control {
    match answer {
        Ok(answer) if answer != JsValue::FALSE => Control::Continue,
        _ => Control::Stop,
    }
}

/// Does work as long as its caller wants it.
async fn until<T>(
    signal: AbortSignal,
    work: impl Future<Output = Result<T, qwill::Error>>,
) -> Result<T, JsValue> {
    Abort::of(signal).or(work).await.unwrap_or(Err(qwill::Error::Aborted)).map_err(qwill_error)
}

#[wasm_bindgen]
impl Model {
    /// Loads the model that `files` are. Replies that must have a form follow grammars by `module`.
    pub async fn load(
        files: Vec<JsFile>,
        options: JsValue,
        on_progress: Function,
        module: JsGrammarModule,
    ) -> Result<Model, JsValue> {
        let options: JsLoadOptions = from_js(&options)?;
        let load_options = options.resolve()?;
        let model = if let Some(random) = &options.random {
            let random = RandomModel::parse(random).map_err(qwill_error)?;
            qwill::Model::random(random, &load_options).await
        } else {
            let files = options.files(files);
            let mut progress = |progress: qwill::LoadProgress| {
                let (done, total) = (progress.bytes_done as f64, progress.bytes_total as f64);
                control(on_progress.call2(&JsValue::NULL, &done.into(), &total.into()))
            };
            qwill::Model::load(files, &load_options, &mut progress).await
        };
        let model = model.map_err(qwill_error)?;
        let grammars = Grammars::of(&model, module);
        Ok(Self(model, grammars))
    }

    /// What this model is.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        to_js(&self.0.info())
    }

    /// What the self-test has found out about the device, for the next load.
    pub fn findings(&self) -> Result<String, JsValue> {
        let kept = KeptFindings { version: VERSION.into(), findings: self.0.findings().clone() };
        serde_json::to_string(&kept).map_err(|e| error("internal", &e.to_string()))
    }

    /// Answers a request, with as many replies as it asks for; `on_event` hears of every piece of them. `signal` ends them, and
    /// they are what there is.
    pub async fn chat(
        &self,
        request: JsValue,
        on_event: Function,
        signal: AbortSignal,
    ) -> Result<JsValue, JsValue> {
        let request: ChatRequest = from_js(&request)?;
        let mut shape = Shape::of(&request);
        self.1.prepare(&request).await?;
        let choices = self.0.choices(&request).map_err(qwill_error)?;
        let replies = wait_for(choices, &mut shape, &on_event, signal).await?;
        to_js(&shape.replies(replies))
    }

    /// Starts a conversation, from what holds for every turn of it.
    pub fn session(&self, request: JsValue) -> Result<Session, JsValue> {
        Ok(Session(self.0.session(from_js(&request)?), self.1.clone()))
    }

    /// A conversation that was saved.
    pub async fn restore(&self, file: Vec<u8>) -> Result<Session, JsValue> {
        let restored = self.0.restore(&file).await.map_err(qwill_error)?;
        Ok(Session(restored, self.1.clone()))
    }

    /// Evaluates one case.
    pub async fn eval(&self, case: JsValue, signal: AbortSignal) -> Result<JsValue, JsValue> {
        let case: EvalCase = from_js(&case)?;
        let reply = until(signal, self.0.eval(&case)).await?;
        let result = to_js(&reply)?;
        Reflect::set(&result, &"logits".into(), &Float32Array::from(&reply.logits[..]))?;
        Reflect::set(&result, &"embedding".into(), &Float32Array::from(&reply.embedding[..]))?;
        Reflect::set(&result, &"scores".into(), &to_js(&reply.scores)?)?;
        Ok(result)
    }

    /// The embedding of a text.
    pub async fn embed(&self, request: JsValue, signal: AbortSignal) -> Result<Float32Array, JsValue> {
        let JsEmbedRequest { text, instruction, dimensions } = from_js(&request)?;
        let embedding = until(signal, self.0.embed(&text, instruction.as_deref(), dimensions)).await?;
        Ok(Float32Array::from(&embedding[..]))
    }

    /// How well a document answers a query, between 0 and 1.
    pub async fn rerank(&self, request: JsValue, signal: AbortSignal) -> Result<f32, JsValue> {
        let JsRerankRequest { query, document, instruction } = from_js(&request)?;
        let scores = until(signal, self.0.rerank(&query, &[document], instruction.as_deref())).await?;
        Ok(scores[0])
    }

    /// What a reward or classification model says of a conversation or of token ids.
    pub async fn score(&self, request: JsValue, signal: AbortSignal) -> Result<JsValue, JsValue> {
        let request = from_js(&request)?;
        let scores = async {
            match request {
                JsScoreRequest::Messages(messages) => self.0.score(&messages).await,
                JsScoreRequest::Ids(ids) => self.0.score_ids(&ids).await,
            }
        };
        to_js(&until(signal, scores).await?)
    }

    /// Answers questions about a text.
    pub async fn decide(&self, request: JsValue, signal: AbortSignal) -> Result<JsValue, JsValue> {
        let fields: Map<String, Value> = from_js(&request)?;
        let request = DecisionRequest::try_from(fields).map_err(qwill_error)?;
        to_js(&until(signal, self.0.decide(&request)).await?)
    }

    /// The same in the shape of System One.
    #[wasm_bindgen(js_name = systemOne)]
    pub async fn system_one(&self, request: JsValue, signal: AbortSignal) -> Result<JsValue, JsValue> {
        let fields: Map<String, Value> = from_js(&request)?;
        let request = SystemOneRequest::try_from(fields).map_err(qwill_error)?;
        to_js(&until(signal, self.0.system_one(&request)).await?)
    }

    /// Loads a low-rank adapter under a name.
    #[wasm_bindgen(js_name = loadAdapter)]
    pub async fn load_adapter(&self, files: Vec<JsFile>, name: &str) -> Result<JsValue, JsValue> {
        let adapter = self.0.load_adapter(model_files(name, files), name).await;
        to_js(&adapter.map_err(qwill_error)?)
    }

    /// Frees an adapter when nothing runs that uses it.
    #[wasm_bindgen(js_name = unloadAdapter)]
    pub async fn unload_adapter(&self, name: &str) -> Result<(), JsValue> {
        self.0.unload_adapter(name).await.map_err(qwill_error)
    }

    /// The loaded adapters.
    pub fn adapters(&self) -> Result<JsValue, JsValue> {
        to_js(&self.0.adapters())
    }

    /// Sets the adapters of calls that name none.
    #[wasm_bindgen(js_name = selectAdapters)]
    pub fn select_adapters(&self, uses: JsValue) -> Result<(), JsValue> {
        let uses: Vec<AdapterUse> = from_js(&uses)?;
        self.0.select_adapters(&uses).map_err(qwill_error)
    }

    /// Measures prefill and decode.
    pub async fn bench(&self, request: JsValue, signal: AbortSignal) -> Result<JsValue, JsValue> {
        let JsBenchRequest { prompt_tokens, decode_tokens, depths, parallel, runs } = from_js(&request)?;
        let request = BenchRequest { prompt_tokens, decode_tokens, depths, parallel, runs };
        to_js(&until(signal, self.0.bench(&request)).await?)
    }

    /// Token ids of a text, and the text of each.
    pub fn tokenize(&self, text: &str) -> Result<JsValue, JsValue> {
        let ids = self.0.tokenize(text, Specials::Parse).map_err(qwill_error)?;
        let tokenizer = self.0.tokenizer().map_err(qwill_error)?;
        let text_of =
            |&id: &u32| String::from_utf8_lossy(&tokenizer.token_bytes(id).unwrap_or_default()).into_owned();
        let tokens = ids.iter().map(text_of).collect();
        to_js(&JsTokens { ids, tokens })
    }
}
