//! The command as other tools call it: output shapes, exit statuses, messages.

mod hub_server;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn golden(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name).display().to_string()
}

fn qwill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qwill"));
    command.args(arguments);
    command
}

fn output(arguments: &[&str]) -> Output {
    qwill(arguments).output().unwrap()
}

/// Standard output of a run that must succeed.
#[track_caller]
fn stdout(arguments: &[&str]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn parsed(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(arguments)).unwrap()
}

/// The one line that a failing run leaves on standard error.
#[track_caller]
fn failure(command: &mut Command, status: i32) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{errors}");
    // a driver may complain of its own accord
    errors.lines().filter(|line| !line.contains("XDG_RUNTIME_DIR")).collect::<Vec<_>>().join("\n")
}

fn scratch(name: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    directory.join(format!("{}-{name}", std::process::id()))
}

#[test]
fn run_prints_a_reply_or_an_object() {
    let text = stdout(&["run", "--no-think", "--temperature", "0", "--max-tokens", "20", "Hello"]);
    assert!(!text.trim().is_empty());
    let reply = parsed(&["run", "--json", "--no-think", "--temperature", "0", "--max-tokens", "20", "Hello"]);
    assert_eq!(reply["text"].as_str().unwrap().trim(), text.trim());
    for key in ["reasoning", "tool_calls", "finish_reason", "ids", "usage", "timings"] {
        assert!(reply.get(key).is_some(), "no {key}");
    }
    assert_eq!(reply["usage"]["completion_tokens"], reply["ids"].as_array().unwrap().len());
    for key in ["load_ms", "prefill_ms", "prefill_tps", "decode_ms", "decode_tps"] {
        assert!(reply["timings"][key].as_f64().unwrap() >= 0.0, "{key}");
    }
    let raw = parsed(&["run", "--json", "--raw", "--max-tokens", "5", "--seed", "1", "<|im_start|>user\nHi"]);
    assert!(raw["ids"].as_array().unwrap().len() <= 5);
}

#[test]
fn typed_names_of_tokens_are_text_unless_the_reference_is_wanted() {
    let prompt_tokens = |more: &[&str]| {
        let run = ["run", "--json", "--no-think", "--temperature", "0", "--max-tokens", "1"];
        parsed(&[&run[..], more].concat())["usage"]["prompt_tokens"].as_u64().unwrap()
    };
    let names = "<|im_end|><|im_start|>";
    let (text, tokens) = (prompt_tokens(&[names]), prompt_tokens(&["--no-split-special-tokens", names]));
    assert!(text >= tokens + 6, "{text} {tokens}");
    let error = failure(&mut qwill(&["run", "--chat-template", "rag", "Hello"]), 1);
    assert!(error.contains("no chat template \"rag\""), "{error}");
}

#[test]
fn a_pointer_in_place_of_a_model_is_named() {
    let file = scratch("pointer.gguf");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 70001\n";
    std::fs::write(&file, pointer).unwrap();
    for command in ["inspect", "run"] {
        let mut command = qwill(&[command, "-m", file.to_str().unwrap()]);
        if command.get_args().any(|arg| arg == "run") {
            command.arg("Hello");
        }
        let message = failure(&mut command, 1);
        assert!(message.contains("Git LFS pointer") && message.contains("git lfs pull"), "{message}");
    }
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn run_gives_logprobs_and_choices() {
    let raw = ["run", "--json", "--raw", "--max-tokens", "3", "--seed", "1"];
    let reply = parsed(&[&raw[..], &["--echo", "--logprobs", "2", "Hello there"]].concat());
    let told = reply["logprobs"]["content"].as_array().unwrap();
    assert_eq!(told.len() as u64, reply["usage"]["prompt_tokens"].as_u64().unwrap() + 3);
    assert_eq!((told[0]["logprob"].is_null(), told[1]["top_logprobs"].as_array().unwrap().len()), (true, 2));
    assert!(reply["text"].as_str().unwrap().starts_with("Hello there"));
    let choices = parsed(&[&raw[..], &["-n", "2", "--logprobs", "--logit-bias", "9=100", "Hello"]].concat());
    let ids = |index: usize| choices["choices"][index]["ids"].clone();
    assert_eq!((ids(0), ids(1)), (json!([9, 9, 9]), json!([9, 9, 9])));
    assert_eq!(choices["choices"][1]["logprobs"]["content"][0]["top_logprobs"], json!([]));
    assert_eq!(choices["usage"]["completion_tokens"], 6);
    let error = failure(&mut qwill(&["run", "--raw", "--logit-bias", "9=101", "Hello"]), 1);
    assert!(error.contains("between -100 and 100"), "{error}");
}

#[test]
fn decide_prints_probabilities_or_an_object() {
    let questions = scratch("questions.json");
    let choices = json!([{"value": true, "description": "it does"}, {"value": "no"}]);
    let question =
        json!({"type": "choice", "name": "rain", "instructions": "Does it rain?", "choices": choices});
    std::fs::write(&questions, json!([question]).to_string()).unwrap();
    let path = questions.display().to_string();
    let asked = [
        &["decide", "The sky is blue.", "--score", "How blue is it?=not,somewhat,very"],
        &["--questions", path.as_str(), "--predicate", "It is night."][..],
    ]
    .concat();
    let decision = parsed(&[&asked[..], &["--json"]].concat());
    let kinds: Vec<&str> = decision["answers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| answer["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["choice", "predicate", "score"]);
    let [rain, night, blue] = [0, 1, 2].map(|index| &decision["answers"][index]);
    assert_eq!((&rain["name"], &night["name"]), (&json!("rain"), &Value::Null));
    assert_eq!(rain["probabilities"][0]["value"], true);
    assert!((0.0..=1.0).contains(&night["probability"].as_f64().unwrap()));
    assert!((0.0..=2.0).contains(&blue["score"].as_f64().unwrap()));
    assert_eq!(
        (&blue["probabilities"][2]["label"], &blue["probabilities"][2]["value"]),
        (&json!("very"), &json!(2))
    );
    assert_eq!(decision["usage"]["output_tokens"], 0);
    let text = stdout(&asked);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!((lines[0], lines[2], lines[4]), ("Does it rain?", "It is night.", "How blue is it?"));
    let share = format!("  yes {:.1}%", 100.0 * night["probability"].as_f64().unwrap());
    assert_eq!(lines[3], share);
    assert!(
        lines[5].contains(" of 2: not ") && lines[1].contains("true ") && lines[1].contains("no "),
        "{text}"
    );

    let named = json!({"blue": {"type": "score", "instructions": "How blue is it?", "criteria": ["not", "somewhat", "very"]}});
    std::fs::write(&questions, named.to_string()).unwrap();
    let asked = ["decide", "The sky is blue.", "--questions", path.as_str()];
    let reply = parsed(&[&asked[..], &["--json"]].concat());
    assert_eq!(reply["answers"]["blue"]["legend"]["2"], "very");
    assert!((0.0..=2.0).contains(&reply["answers"]["blue"]["score"].as_f64().unwrap()), "{reply}");
    assert!(stdout(&asked).starts_with("How blue is it?\n"));
    let error = failure(qwill(&asked).args(["--predicate", "so?"]), 1);
    assert!(error.contains("cannot be mixed"), "{error}");

    for (arguments, words) in [
        (vec!["decide", "x"], "questions is empty"),
        (vec!["decide", " ", "--predicate", "so?"], "input is empty"),
        (vec!["decide", "x", "--choice", "which?=a"], "choices has 1 entries"),
        (vec!["decide", "x", "--score", "how?=0,1,2,3,4,5,6,7,8,9,10"], "levels has 11 entries"),
    ] {
        let error = failure(&mut qwill(&arguments), 1);
        assert!(error.contains(words), "\"{words}\" is not in: {error}");
    }
    assert!(failure(&mut qwill(&["decide", "x", "--choice", "which?"]), 2).contains("Which?=red,green"));
    std::fs::write(&questions, "[{\"type\": \"guess\"}]").unwrap();
    let error = failure(&mut qwill(&["decide", "x", "--questions", &path]), 1);
    assert!(error.contains("questions.json: questions[0].type must be"), "{error}");
}

#[test]
fn eval_writes_what_the_contract_says() {
    let expected: Value =
        serde_json::from_slice(&std::fs::read(golden("qwen3-f32/expected.json")).unwrap()).unwrap();
    let (input, result, logits) = (scratch("cases.json"), scratch("out.json"), scratch("logits.safetensors"));
    let ids = &expected["prompts"]["L33"];
    let cases = json!({"cases": [
        {"name": "a", "ids": ids, "greedy": 48, "top_logprobs": 5, "logits": "last"},
        {"name": "b", "ids": expected["prompts"]["L7"], "logits": "all"},
        {"name": "c", "ids": [1], "logits": "none"},
    ]});
    std::fs::write(&input, cases.to_string()).unwrap();
    let paths = [&input, &result, &logits].map(|p| p.display().to_string());
    let model = golden("qwen3-f32");
    stdout(&[
        "eval", "-m", &model, "--input", &paths[0], "--output", &paths[1], "--logits", &paths[2], "--chunk",
        "7",
    ]);
    let out: Value = serde_json::from_slice(&std::fs::read(&result).unwrap()).unwrap();
    let a = &out["cases"][0];
    assert_eq!((&a["name"], &a["n"]), (&json!("a"), &json!(33)));
    assert_eq!(a["nll"].as_array().unwrap().len(), 32);
    assert_eq!(a["greedy"], expected["greedy"]["L33"]["ids"]);
    assert_eq!(a["top_logprobs"][0][0]["id"], expected["top5"]["L33"][0][0]);
    let difference = a["top_logprobs"][0][0]["logprob"].as_f64().unwrap()
        - expected["top5"]["L33"][0][1].as_f64().unwrap();
    assert!(difference.abs() < 2e-4, "{difference}");
    let bytes = std::fs::read(&logits).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.tensor("logits.a").unwrap().shape(), [1, 448]);
    assert_eq!(tensors.tensor("logits.b").unwrap().shape(), [7, 448]);
    assert!(tensors.tensor("logits.c").is_err());
    std::fs::remove_file(&logits).unwrap();
    stdout(&["eval", "-m", &model, "--input", &paths[0], "--output", &paths[1]]);
    assert!(!logits.exists());
}

#[test]
fn eval_writes_embeddings_and_scores() {
    let (input, result, tensors) =
        (scratch("pooled.json"), scratch("pooled-out.json"), scratch("pooled.safetensors"));
    let paths = [&input, &result, &tensors].map(|p| p.display().to_string());
    let ids: Vec<u32> = (1..20).collect();
    std::fs::write(&input, json!({"cases": [{"name": "a", "ids": ids}]}).to_string()).unwrap();
    let shape_of = |model: &str, flag: &str, name: &str| {
        let model = golden(model);
        stdout(&[
            "eval", "-m", &model, flag, "--input", &paths[0], "--output", &paths[1], "--logits", &paths[2],
        ]);
        let bytes = std::fs::read(&tensors).unwrap();
        let found = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        found.tensor(name).ok().map(|tensor| tensor.shape().to_vec())
    };
    assert_eq!(shape_of("qwen3-embed", "--embed", "embedding.a"), Some(vec![64]));
    assert_eq!(shape_of("qwen2-seqcls", "--score", "score.a"), Some(vec![3]));
    assert_eq!(shape_of("qwen2-seqcls", "--score", "score_tokens.a"), None);
    assert_eq!(shape_of("qwen2-prm", "--score", "score_tokens.a"), Some(vec![19, 2]));
    let model = golden("qwen2-tied");
    let arguments =
        ["eval", "-m", &model, "--score", "--input", &paths[0], "--output", &paths[1], "--logits", &paths[2]];
    assert!(failure(&mut qwill(&arguments), 1).contains("no scores"));
    let embed = ["eval", "-m", &model, "--embed", "--input", &paths[0], "--output", &paths[1]];
    assert!(failure(&mut qwill(&embed), 2).contains("--logits"));
}

/// A model trained for 96 tokens takes more only where its positions are scaled, and says how.
#[test]
fn adapters_are_added() {
    let (input, output) = (scratch("lora-in.json"), scratch("lora-out.json"));
    std::fs::write(
        &input,
        r#"{"cases":[{"name":"with","ids":[5,6,7]},{"name":"without","ids":[5,6,7],"adapters":[]},
            {"name":"half","ids":[5,6,7],"adapters":[{"name":"lora-stacked","scale":0.5}]}]}"#,
    )
    .unwrap();
    let (input, output) = (input.to_str().unwrap(), output.to_str().unwrap());
    let (model, adapter) = (golden("qwen2-untied"), golden("lora-stacked"));
    let eval = |adapter: &str| {
        stdout(&["eval", "-m", &model, "--lora", adapter, "--input", input, "--output", output]);
        let results: Value = serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap();
        [0, 1, 2].map(|case| results["cases"][case]["nll"][0].as_f64().unwrap())
    };
    let [with, without, half] = eval(&adapter);
    assert!(with != without && half != with && half != without);
    assert_eq!(eval(&format!("{adapter}:0.5")), [half, without, half]);

    let missing = failure(&mut qwill(&["run", "-m", &model, "--lora", "/no/such/adapter", "hi"]), 1);
    assert!(missing.contains("/no/such/adapter"), "{missing}");
    let other = failure(&mut qwill(&["run", "-m", &model, "--lora", &golden("lora-qwen1"), "hi"]), 1);
    assert!(other.contains("was made for another model"), "{other}");
}

#[test]
fn a_longer_context_is_asked_for() {
    let run = |more: &[&str]| {
        let model = golden("qwen2-dynamic");
        let mut command = qwill(&["run", "-m", &model, "--raw", "--max-tokens", "2", "--context", "200"]);
        command.args(more).arg("a b c");
        command
    };
    for scaling in [&[][..], &["--rope-scaling", "yarn:4"]] {
        let output = run(scaling).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{errors}");
        let method = if scaling.is_empty() { "dynamic scaling" } else { "YaRN, factor 4" };
        assert!(errors.contains(method), "{errors}");
    }
    let refused = failure(&mut run(&["--rope-scaling", "none"]), 1);
    assert!(refused.contains("96") && refused.contains("(--rope-scaling yarn:FACTOR)"), "{refused}");
    assert!(failure(&mut run(&["--rope-scaling", "llama3"]), 2).contains("yarn:FACTOR"));
}

/// Of 60 experts a token's four are read, and the one for every token.
#[test]
fn decoding_reads_the_chosen_experts_only() {
    let bytes = |layers: &str| {
        let report = parsed(&[
            "bench",
            "--json",
            "--random",
            "qwen1.5-moe-a2.7b:q4_0",
            "--layers",
            layers,
            "-p",
            "1",
            "-n",
            "1",
            "-r",
            "1",
        ]);
        report["weight_bytes_per_token"].as_u64().unwrap()
    };
    let (hidden, expert, shared) = (2048, 1408, 5632);
    let weights = 4 * hidden * hidden + 4 * 3 * hidden * expert + 3 * hidden * shared;
    // routers are never quantised
    assert_eq!(bytes("2") - bytes("1"), weights / 32 * 18 + 61 * hidden * 4);
}

#[test]
fn bench_explains_the_time() {
    let report = parsed(&["bench", "--json", "-p", "20", "-n", "6", "-d", "0,33", "-r", "2"]);
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert!(report["dispatches_per_layer"].as_f64().unwrap() <= 10.0, "{report}");
    assert_eq!(report["submits_per_token"], 1.0, "{report}");
    assert!(report["weight_bytes_per_token"].as_u64().unwrap() > 1_000_000);
    assert!(report["cpu_ms_per_token"].as_f64().unwrap() > 0.0, "{report}");
    assert!(report.get("profile").is_none(), "nobody asked for one: {report}");
    for run in report["results"].as_array().unwrap() {
        for key in ["prefill_tps", "decode_tps", "ttft_ms"] {
            let spread = &run[key];
            assert!(spread["min"].as_f64() <= spread["median"].as_f64(), "{key}: {spread}");
            assert!(spread["median"].as_f64() <= spread["max"].as_f64(), "{key}: {spread}");
        }
    }
}

#[test]
fn bench_measures_texts_at_once() {
    let arguments = ["bench", "-p", "40", "-n", "8", "-r", "1", "--parallel", "1,3"];
    let report = parsed(&[&arguments[..], &["--json"]].concat());
    let parallel = report["parallel"].as_array().unwrap();
    assert_eq!(parallel.iter().map(|run| run["n_texts"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    for run in parallel {
        assert!(run["decode_tps"]["median"].as_f64().unwrap() > 0.0, "{run}");
        let first = &run["ttft_ms"];
        assert!(first["median"].as_f64().unwrap() > 0.0, "{run}");
        assert!(first["median"].as_f64() <= first["p95"].as_f64(), "{run}");
    }
    let text = stdout(&[&arguments[..], &["--max-sequences", "2", "--cache-tokens", "64"]].concat());
    assert!(text.contains("decode t/s of all"), "{text}");
    let message = failure(&mut qwill(&["bench", "--parallel", "0"]), 1);
    assert!(message.contains("0 texts at once"), "{message}");
}

/// More cases than run together, of lengths that end in another order than they began.
#[test]
fn eval_keeps_the_order_of_the_input() {
    let (input, result) = (scratch("many.json"), scratch("many-out.json"));
    let ids = |n: usize| (1..=n).collect::<Vec<_>>();
    let length = |case: usize| [40, 2, 9][case % 3];
    let case = |case: usize| json!({"name": format!("case {case}"), "ids": ids(length(case)), "greedy": 3});
    std::fs::write(&input, json!({"cases": (0..20).map(case).collect::<Vec<_>>()}).to_string()).unwrap();
    let paths = [&input, &result].map(|path| path.display().to_string());
    stdout(&["eval", "--input", &paths[0], "--output", &paths[1]]);
    let out: Value = serde_json::from_slice(&std::fs::read(&result).unwrap()).unwrap();
    let cases = out["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for (at, case) in cases.iter().enumerate() {
        assert_eq!((&case["name"], &case["n"]), (&json!(format!("case {at}")), &json!(length(at))));
        assert_eq!(case["greedy"], cases[at % 3]["greedy"], "case {at}");
    }
}

#[test]
fn bench_profiles_each_depth() {
    let arguments = ["bench", "--profile", "-p", "20", "-n", "2", "-d", "0,33", "-r", "1"];
    let report = parsed(&[&arguments[..], &["--json"]].concat());
    let profile = report["profile"].as_array().unwrap();
    assert_eq!(profile.len(), 2);
    for (profile, depth) in profile.iter().zip([0, 33]) {
        assert_eq!(profile["prefill"]["depth"], depth);
        assert_eq!(profile["decode"]["depth"], depth + 20);
        for step in ["decode", "prefill"] {
            for key in ["step_us", "kernels_us", "kernels_share", "cpu_us"] {
                assert!(profile[step][key].as_f64().unwrap() > 0.0, "{step} {key}: {profile}");
            }
            let kernel = &profile[step]["kernels"][0];
            for key in ["launches", "us", "share", "bytes", "gbps", "gflops"] {
                assert!(kernel[key].as_f64().unwrap() > 0.0, "{step} {key}: {kernel}");
            }
        }
    }
    let text = stdout(&arguments);
    for words in ["decode of 1 behind 53", "prefill of 20 behind 33", "GFLOP/s", "attend_prefill"] {
        assert!(text.contains(words), "\"{words}\" is not in: {text}");
    }
    let message = failure(&mut qwill(&["bench", "--profile", "--caps", "no-timestamps"]), 1);
    assert!(message.contains("has no timestamp queries"), "{message}");
}

#[test]
fn inspect_tokenize_and_devices() {
    let shape = parsed(&["inspect", "--shape", "qwen3-0.6b", "--json"]);
    assert_eq!(shape["n_params"], 596_049_920);
    assert_eq!(shape["memory"]["fit"]["verdict"], "fits");
    let long = ["inspect", "--shape", "qwen3-0.6b", "--context", "32768", "--caps", "max-memory=3GiB"];
    assert!(stdout(&long).contains("does not fit with a context of 32768 tokens"));
    let model = parsed(&["inspect", "-m", &golden("g-qwen2/g-qwen2-Q4_0.gguf"), "--json"]);
    assert_eq!(model["architecture"], "qwen2");
    assert!(model["tensors"].as_array().unwrap().iter().any(|t| t["dtype"] == "Q4_0"));
    let tokens = parsed(&["tokenize", "-m", &golden("qwen3-tied"), "Hello<|im_end|>", "--json"]);
    assert_eq!(tokens["ids"].as_array().unwrap().len(), tokens["tokens"].as_array().unwrap().len());
    assert_eq!(tokens["tokens"].as_array().unwrap().last().unwrap(), "<|im_end|>");
    let plain = parsed(&["tokenize", "-m", &golden("qwen3-tied"), "<|im_end|>", "--no-specials", "--json"]);
    assert!(plain["ids"].as_array().unwrap().len() > 1);
    assert!(!parsed(&["devices", "--json"])["devices"].as_array().unwrap().is_empty());
}

#[test]
fn help_has_examples() {
    for command in
        ["run", "chat", "eval", "bench", "inspect", "quantize", "pull", "list", "rm", "completions", "man"]
    {
        let help = stdout(&["help", command]);
        assert!(help.contains(&format!("Examples:\n  qwill {command}")), "{help}");
    }
    assert!(stdout(&["bench", "--help"]).contains("--max-sequences"));
}

#[test]
fn failures_are_one_line_with_the_right_status() {
    for (arguments, status, word) in [
        (vec!["run"], 2, "PROMPT"),
        (vec!["run", "--temperature", "warm", "Hi"], 2, "warm"),
        (vec!["run", "--kv-type", "q4", "Hi"], 2, "f32, f16, q8"),
        (vec!["run", "-m", "/no/such.gguf", "Hi"], 1, "/no/such.gguf"),
        (vec!["run", "--temperature=-1", "Hi"], 1, "temperature"),
        (vec!["run", "--tools", "/no/tools.json", "Hi"], 1, "/no/tools.json"),
        (vec!["bench", "--random", "qwen9-1t", "-n", "1"], 1, "qwen3-0.6b"),
        (vec!["bench", "--random", "qwen3-0.6b:q1", "-n", "1"], 1, "q4_0"),
        (vec!["bench", "--random", "qwen3-0.6b", "--quantize", "q8_0", "-n", "1"], 1, "--quantize"),
        (vec!["run", "--quantize", "q4_k_m", "Hi"], 2, "there is no weight format"),
        (vec!["quantize", "demo", "/no/such/out.gguf", "--type", "q4_k"], 1, "no such directory"),
        (vec!["quantize", "demo", "out.gguf", "--type", "iq1_s"], 2, "q4_k, q4_1"),
        (vec!["random", "qwen3-0.6b:q4_0", "/no/such/out.gguf", "--layers", "1"], 1, "no such directory"),
        (vec!["inspect", "--shape", "qwen3-0.6b", "--context", "0"], 1, "context"),
        (vec!["run", "--max-sequences", "100", "Hi"], 1, "1 to 64 are possible"),
        (vec!["run", "--max-sequences", "9", "--context", "8", "Hi"], 1, "in steps of 8 tokens"),
        (vec!["run", "--cache-tokens", "many", "Hi"], 2, "many"),
    ] {
        let message = failure(&mut qwill(&arguments), status);
        assert!(message.contains(word), "{arguments:?}: \"{word}\" is not in: {message}");
        if status == 1 {
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
}

#[test]
fn quantize_writes_a_file_and_keeps_what_is_there() {
    let file = scratch("quantized.gguf").display().to_string();
    let golden = golden("qwen3-tied");
    assert_eq!(stdout(&["quantize", &golden, &file, "--type", "Q4_0"]), "");
    let info = parsed(&["inspect", "-m", &file, "--json"]);
    let dtype = |name: &str| {
        let tensors = info["tensors"].as_array().unwrap();
        tensors.iter().find(|t| t["name"] == name).unwrap()["dtype"].clone()
    };
    assert_eq!(dtype("blk.0.ffn_up.weight"), "Q4_0");
    assert_eq!(dtype("blk.0.attn_norm.weight"), "F32");
    let message = failure(&mut qwill(&["quantize", &golden, &file, "--type", "q8_0"]), 1);
    assert!(message.contains("already there"), "{message}");
    stdout(&["quantize", &golden, &file, "--type", "q8_0", "--force"]);
    let reply = parsed(&["run", "-m", &file, "--json", "--raw", "--max-tokens", "3", "Hello"]);
    assert!(reply["ids"].as_array().unwrap().len() <= 3);
    std::fs::remove_file(&file).unwrap();
}

/// Only Linux lets a test take the drivers away.
#[cfg(target_os = "linux")]
#[test]
fn a_machine_without_a_gpu() {
    let mut command = qwill(&["run", "Hi"]);
    command.env("VK_DRIVER_FILES", "/nonexistent.json").env("VK_ICD_FILENAMES", "/nonexistent.json");
    let message = failure(&mut command, 1);
    assert!(message.contains("no GPU was found") && message.contains("mesa-vulkan-drivers"), "{message}");
}

#[test]
fn a_hub_id_is_taken_from_the_cache_when_the_hub_may_not_be_asked() {
    let home = scratch("hf-home");
    let with_home = |model: &str| {
        let mut command = qwill(&["tokenize", "-m", model, "--json", "Hello"]);
        command.env("HF_HOME", &home).env("HF_HUB_OFFLINE", "1").env_remove("HF_HUB_CACHE");
        command
    };
    let message = failure(&mut with_home("Qwen/Nothing-GGUF:Q8_0"), 1);
    assert!(message.contains("Qwen/Nothing-GGUF:Q8_0") && message.contains("HF_HUB_OFFLINE"), "{message}");

    let repo = home.join("hub/models--Qwen--Tiny-GGUF");
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let snapshot = repo.join("snapshots").join(commit);
    std::fs::create_dir_all(&snapshot).unwrap();
    std::fs::create_dir_all(repo.join("refs")).unwrap();
    std::fs::write(repo.join("refs/main"), commit).unwrap();
    std::fs::copy(golden("g-qwen2/g-qwen2-Q8_0.gguf"), snapshot.join("tiny-Q8_0.gguf")).unwrap();
    let output = with_home("Qwen/Tiny-GGUF").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tokens: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(!tokens["ids"].as_array().unwrap().is_empty());
    for address in [
        "hf.co/Qwen/Tiny-GGUF:Q8_0",
        "https://huggingface.co/Qwen/Tiny-GGUF",
        "https://huggingface.co/Qwen/Tiny-GGUF/blob/main/tiny-Q8_0.gguf",
        "https://huggingface.co/Qwen/Tiny-GGUF/resolve/main/tiny-Q8_0.gguf?download=true",
    ] {
        let same = with_home(address).output().unwrap();
        assert_eq!(
            String::from_utf8_lossy(&same.stdout),
            String::from_utf8_lossy(&output.stdout),
            "{address}"
        );
    }
    let message = failure(&mut with_home("https://example.com/a/b"), 1);
    assert!(
        message.contains("https://example.com/a/b") && message.contains("the address of a model's page"),
        "{message}"
    );
    let message = failure(&mut with_home("Qwen/Tiny-GGUF:Q4_K_M"), 1);
    assert!(message.contains("there are Q8_0"), "{message}");
    std::fs::remove_dir_all(&home).unwrap();
}

#[test]
fn a_hub_that_is_not_there_is_named() {
    let mut command = qwill(&["tokenize", "-m", "Qwen/Tiny", "Hello"]);
    command.env("HF_HOME", scratch("hf-empty")).env("HF_ENDPOINT", "http://127.0.0.1:1");
    command.env_remove("HF_HUB_OFFLINE").env_remove("HF_HUB_CACHE");
    assert!(failure(&mut command, 1).contains("http://127.0.0.1:1/api/models/Qwen/Tiny"));
}

#[test]
fn processes_that_want_one_model_download_it_once() {
    let (url, requests) = hub_server::start(std::fs::read(golden("g-qwen2/g-qwen2-Q8_0.gguf")).unwrap());
    let home = scratch("hf-shared");
    let run = || {
        let mut command = qwill(&["run", "-m", "a/b-GGUF", "--json", "--raw", "--max-tokens", "2", "Hello"]);
        command.env("HF_HOME", &home).env("HF_ENDPOINT", &url);
        command.env_remove("HF_HUB_OFFLINE").env_remove("HF_HUB_CACHE");
        command.stdout(std::process::Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..3).map(|_| run()).collect();
    for process in running {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success());
        let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(!reply["ids"].as_array().unwrap().is_empty());
    }
    assert_eq!(requests.load(std::sync::atomic::Ordering::Relaxed), 1);
    std::fs::remove_dir_all(&home).unwrap();
}
