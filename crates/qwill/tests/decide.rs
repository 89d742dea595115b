//! Typed decisions against the reference, and what they cost.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pollster::block_on;
use qwill::decide::{Choice, Decision, DecisionRequest, Outcome, Question};
use qwill::weights::{ByteSource, MemorySource};
use qwill::{ChatRequest, Control, KvType, LoadOptions, Model, ModelFiles, RandomModel, SamplingOptions};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a probability may be off.
const EXACT: f64 = 1e-4;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name)
}

fn load(files: ModelFiles, options: LoadOptions) -> Model {
    let options = LoadOptions { kv_type: Some(KvType::F32), context_length: Some(1024), ..options };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

fn model(name: &str) -> Model {
    load(ModelFiles::from_path(golden(name)).unwrap(), LoadOptions::default())
}

fn decide(model: &Model, request: &DecisionRequest) -> Decision {
    block_on(model.decide(request)).unwrap()
}

/// Probabilities of the options of each question, by what the model reads of them.
fn probabilities(decision: &Decision) -> Vec<BTreeMap<String, f64>> {
    let of = |outcome: &Outcome| -> BTreeMap<String, f64> {
        match outcome {
            Outcome::Predicate { probability } => {
                [("Yes".into(), *probability), ("No".into(), 1.0 - probability)].into()
            }
            Outcome::Choice { probabilities, .. } => {
                probabilities.iter().map(|choice| (choice.value.to_string(), choice.probability)).collect()
            }
            Outcome::Score { probabilities, .. } => {
                probabilities.iter().map(|level| (level.label.clone(), level.probability)).collect()
            }
        }
    };
    decision.answers.iter().map(|answer| of(&answer.outcome)).collect()
}

#[track_caller]
fn assert_close(found: &[BTreeMap<String, f64>], wanted: &[BTreeMap<String, f64>], what: &str) {
    assert_eq!(found.len(), wanted.len(), "{what}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{what}");
        for (option, wanted) in wanted {
            let found = found[option];
            assert!((found - wanted).abs() < EXACT, "{what}, {option}: {found} instead of {wanted}");
        }
    }
}

/// What `tests/golden/scripts/make_decisions.py` writes.
#[derive(Deserialize)]
struct Reference {
    request: DecisionRequest,
    logprobs: Vec<BTreeMap<String, f64>>,
}

fn reference(name: &str) -> Reference {
    serde_json::from_slice(&std::fs::read(golden(name).join("expected_decisions.json")).unwrap()).unwrap()
}

impl Reference {
    fn probabilities(&self) -> Vec<BTreeMap<String, f64>> {
        let softmax = |logprobs: &BTreeMap<String, f64>| {
            let sum: f64 = logprobs.values().map(|logprob| logprob.exp()).sum();
            logprobs.iter().map(|(option, logprob)| (option.clone(), logprob.exp() / sum)).collect()
        };
        self.logprobs.iter().map(softmax).collect()
    }
}

#[test]
fn probabilities_are_those_of_the_reference() {
    for name in ["qwen2-tied", "qwen3-tied"] {
        let reference = reference(name);
        let wanted = reference.probabilities();
        for mask in ["", "no-software", "no-software,no-subgroups"] {
            let options = LoadOptions { caps_mask: mask.into(), ..LoadOptions::default() };
            let model = load(ModelFiles::from_path(golden(name)).unwrap(), options);
            // what the cache holds changes nothing, nor does what runs besides
            let sampling =
                SamplingOptions { temperature: Some(1.5), seed: Some(1), ..SamplingOptions::default() };
            let other = ChatRequest { max_tokens: Some(100), sampling, ..ChatRequest::user("Hello") };
            for running in [None, Some(model.chat(&other).unwrap())] {
                let found = probabilities(&decide(&model, &reference.request));
                assert_close(&found, &wanted, &format!("{name} [{mask}]"));
                drop(running);
            }
        }
        // an answer of which the model is sure would hide an error
        assert!(wanted.iter().flat_map(BTreeMap::values).all(|&p| p < 0.98), "{name}: {wanted:?}");
    }
}

#[test]
fn scores_and_choices_follow_from_the_probabilities() {
    let Reference { request, .. } = reference("qwen2-tied");
    let decision = decide(&model("qwen2-tied"), &request);
    let names: Vec<Option<&str>> = decision.answers.iter().map(|answer| answer.name.as_deref()).collect();
    assert_eq!(names, [Some("late"), None, Some("mood")]);
    let found = probabilities(&decision);
    for options in &found {
        assert!((options.values().sum::<f64>() - 1.0).abs() < 1e-9, "{options:?}");
    }
    let Outcome::Choice { choice, confidence, probabilities } = &decision.answers[1].outcome else {
        panic!()
    };
    let best = probabilities.iter().max_by(|a, b| a.probability.total_cmp(&b.probability)).unwrap();
    assert_eq!(choice, &best.value);
    assert!((confidence - (best.probability - 0.2) / 0.8).abs() < 1e-9);
    let values: Vec<String> = probabilities.iter().map(|choice| choice.value.to_string()).collect();
    assert_eq!(values, ["top", "bill", "bil", "true", "sad"]);
    let Outcome::Score { score, probabilities, .. } = &decision.answers[2].outcome else { panic!() };
    let expected: f64 = probabilities.iter().map(|level| level.value as f64 * level.probability).sum();
    assert!((score - expected).abs() < 1e-9);
    assert!(decision.timings.prefill_ms > 0.0 && decision.timings.load_ms > 0.0);
}

#[test]
fn the_order_of_choices_does_not_matter() {
    for name in ["qwen2-tied", "qwen3-tied"] {
        let model = model(name);
        let mut choices: Vec<Choice> = ["red", "green", "a", "ab", "blue"].map(Choice::from).into();
        choices[1].description = Some("like grass".into());
        let asked = |choices: &[Choice]| {
            let question = Question::choice("Which colour?", choices.to_vec());
            let decision = decide(&model, &DecisionRequest::new("The sky.", [question]));
            let Outcome::Choice { choice, .. } = &decision.answers[0].outcome else { panic!() };
            (choice.clone(), probabilities(&decision))
        };
        let (choice, wanted) = asked(&choices);
        for _ in 1..choices.len() {
            choices.rotate_left(1);
            let found = asked(&choices);
            assert_eq!(found.0, choice);
            assert_close(&found.1, &wanted, name);
        }
        choices.reverse();
        assert_close(&asked(&choices).1, &wanted, name);
    }
}

fn ten_questions(input: &str) -> DecisionRequest {
    let questions = (0..10).map(|i| match i % 3 {
        0 => Question::predicate(format!("It is the {i}th.")),
        1 => Question::choice(format!("What is the {i}th?"), ["x", "y", "z"]),
        _ => Question::score(format!("How {i}th is it?"), ["a", "b", "c", "d"]),
    });
    DecisionRequest::new(input, questions)
}

#[test]
fn the_input_is_read_once() {
    // with as many texts at a time as there are, with few, and one by one
    for max_sequences in [None, Some(2), Some(1)] {
        let options = LoadOptions { max_sequences, ..LoadOptions::default() };
        let model = load(ModelFiles::from_path(golden("qwen3-tied")).unwrap(), options);
        let request = ten_questions(&"The quiet river repairs a machine. ".repeat(16));
        let n_input = model.prompt_ids(&ChatRequest::user(&request.input)).unwrap().len();
        let first = decide(&model, &request).usage;
        let of_questions = first.input_tokens - n_input;
        println!(
            "{max_sequences:?}: {n_input} tokens of input, {of_questions} of questions, {} read",
            first.read_tokens
        );
        assert!(n_input > 300 && of_questions > 300, "{n_input} {first:?}");
        assert!(first.read_tokens > n_input, "{first:?}");
        assert!(2 * first.read_tokens < 3 * n_input + 2 * of_questions, "{n_input} {first:?}");
        assert_eq!(first.cached_tokens, 0);

        let again = decide(&model, &request).usage;
        assert_eq!(again.input_tokens, first.input_tokens);
        assert!(again.cached_tokens > n_input, "{again:?}");

        // what it would cost without
        let mut apart = 0;
        for question in &request.questions {
            block_on(model.reset()).unwrap();
            let request = DecisionRequest::new(&*request.input, [question.clone()]);
            apart += decide(&model, &request).usage.read_tokens;
        }
        assert!(apart > first.read_tokens + 8 * n_input, "{apart} {first:?}");
    }
}

/// The files of a checkpoint with another chat template.
fn with_template(name: &str, change: impl Fn(&str) -> String) -> ModelFiles {
    let file = |file: &str| std::fs::read(golden(name).join(file)).unwrap();
    let mut config: Value = serde_json::from_slice(&file("tokenizer_config.json")).unwrap();
    config["chat_template"] = change(config["chat_template"].as_str().unwrap()).into();
    let files = ["model.safetensors", "tokenizer.json", "config.json", "generation_config.json"]
        .map(|name| MemorySource::new(name, file(name)))
        .into_iter()
        .chain([MemorySource::new("tokenizer_config.json", config.to_string().into_bytes())])
        .map(|source| Arc::new(source) as Arc<dyn ByteSource>)
        .collect();
    ModelFiles::from_sources(name, files)
}

#[test]
fn thoughts_that_a_template_begins_are_ended() {
    let reference = reference("qwen3-tied");
    let files = with_template("qwen3-tied", |template| {
        let wish = "{%- if enable_thinking is defined and enable_thinking is false %}";
        assert!(template.contains(wish));
        template.replace(wish, "{%- if true %}").replace("'<think>\\n\\n</think>\\n\\n'", "'<think>\\n'")
    });
    let model = load(files, LoadOptions::default());
    assert!(model.render(&ChatRequest::user("x")).unwrap().ends_with("<think>\n"));
    let found = probabilities(&decide(&model, &reference.request));
    assert_close(&found, &reference.probabilities(), "a template that always thinks");
}

#[test]
fn more_choices_than_are_read_at_a_time_are_all_answered() {
    let model = model("qwen2-tied");
    let values: Vec<String> = (0..100).map(|i| format!("{i:02}")).collect();
    let decision =
        decide(&model, &DecisionRequest::new("Two.", [Question::choice("Which?", values.clone())]));
    let Outcome::Choice { probabilities, .. } = &decision.answers[0].outcome else { panic!() };
    let found: Vec<String> = probabilities.iter().map(|choice| choice.value.to_string()).collect();
    assert_eq!(found, values);
    assert!((probabilities.iter().map(|choice| choice.probability).sum::<f64>() - 1.0).abs() < 1e-9);
    assert!(decision.usage.read_tokens < 2 * decision.usage.input_tokens, "{:?}", decision.usage);
}

#[test]
fn every_family_decides() {
    let Reference { request, .. } = reference("qwen2-tied");
    for name in [
        "qwen1-plain",
        "qwen2moe-mix",
        "qwen3moe-128",
        "qwen2-dca",
        "g-qwen3-k/g-qwen3-k-Q4_K_M.gguf",
        "q-qwen2-awq",
    ] {
        let found = probabilities(&decide(&model(name), &request));
        for options in found {
            assert!((options.values().sum::<f64>() - 1.0).abs() < 1e-9, "{name}: {options:?}");
            assert!(options.values().all(|p| (0.0..=1.0).contains(p)), "{name}: {options:?}");
        }
    }
}

#[test]
fn what_cannot_be_decided_is_refused() {
    let error = |model: &Model, request: &DecisionRequest| {
        let error = block_on(model.decide(request)).unwrap_err();
        format!("{}: {error}", error.code())
    };
    let request = DecisionRequest::new("x", [Question::predicate("so?")]);
    let random = RandomModel::parse("qwen3-0.6b:q4_0").unwrap().with_layers(1).unwrap();
    for (model, words) in [
        (model("qwen2-seqcls"), "invalid-request: this model has no output matrix for tokens"),
        (
            block_on(Model::random(random, &LoadOptions::default())).unwrap(),
            "invalid-tokenizer: the model has no tokenizer",
        ),
        (
            load(
                with_template("qwen2-tied", |_| "{{ raise_exception('no chats') }}".into()),
                LoadOptions::default(),
            ),
            "no chats",
        ),
    ] {
        let error = error(&model, &request);
        assert!(error.contains(words), "\"{words}\" is not in: {error}");
    }
    let model = model("qwen2-tied");
    let long = ten_questions(&"too long ".repeat(500));
    assert!(error(&model, &long).contains("but the context holds 1024"));
    let none = DecisionRequest { questions: Vec::new(), ..request.clone() };
    assert!(error(&model, &none).starts_with("invalid-request: questions is empty"));
    let unknown = json!({"input": "x", "questions": [], "adapters": [{"name": "style"}]});
    let unknown =
        DecisionRequest { questions: request.questions, ..serde_json::from_value(unknown).unwrap() };
    assert!(error(&model, &unknown).contains("\"style\""));
}
