#!/usr/bin/env python3
"""What llama.cpp makes of the GGUF files that qwill writes: `qwill quantize` on the goldens, and `qwill random`.

  python llama_cpp.py --qwill ../../../target/release/qwill --out ../llama_cpp.json

llama.cpp is the one inside the wheel xllamacpp, asked over the HTTP interface of its server on the loopback device. Each file
is compared with its checkpoint (special tokens, chat template) and with qwill on the same file (tokens of NASTY, log
probabilities of the whole vocabulary, greedy continuation).
"""
import argparse, datetime, json, os, re, subprocess, tempfile, unicodedata, urllib.request
import numpy as np
import xllamacpp
from safetensors.numpy import load_file
from oracle_lib import NASTY

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDENS = os.path.dirname(HERE)

# Largest difference of a log probability that is accepted. qwill computes `eval` in float32. llama.cpp on a CPU does so for
# f32 only: it rounds the activations of each product to the kind of its weights, f16, bf16 or blocks of 8 bits. That also
# sends tokens that are nearly tied to another expert, worth several units at their position: with experts, the bound is
# that of the median over positions.
BOUNDS = {"f32": 1e-4, "f16": 0.05, "bf16": 0.3}
BLOCK_BOUND = 1.0
HAS_EXPERTS = re.compile(r"moe|-a\d+b")
GREEDY = 24
QUANTIZED = {
    "qwen1-plain": ["f32", "f16", "q8_0", "q4_0"],
    "qwen2-tied": ["f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q4_k", "q4_0", "iq4_nl", "iq4_xs", "q3_k", "q2_k"],
    "qwen2-untied": ["f32", "f16", "q8_0", "q4_0", "q5_1"],
    "qwen2-linear": ["f32"],
    "qwen2-yarn": ["f32", "q8_0"],
    "qwen2moe-a27": ["f32", "f16", "q8_0", "q4_0"],
    "qwen3-tied": ["f32", "f16", "bf16", "q8_0", "q5_0", "q4_1", "q4_0", "q4_k", "mxfp4"],
    "qwen3-f32": ["f32", "q8_0"],
    "q-qwen3-fp8": ["f32", "q8_0"],
    "qwen3moe-128": ["f32", "f16", "q8_0", "q4_0"],
    "g-qwen2/g-qwen2-F16.gguf": ["q4_0"],
}
# Not published, and llama.cpp has no such models.
REFUSED = {"qwen2-headdim": "its Qwen2 has heads of hidden_size / heads", "qwen2moe-mix": "its Qwen2-MoE has experts in every layer"}
RANDOM = [("qwen-1.8b:q4_0", 1), ("qwen2.5-0.5b:q8_0", 2), ("qwen1.5-moe-a2.7b:q4_k", 1), ("qwen3-0.6b:q4_k", 2), ("qwen3-30b-a3b:q4_k", 1)]


class LlamaCpp:
    def __init__(self, path):
        p = xllamacpp.CommonParams()
        p.model.path, p.n_ctx, p.n_parallel, p.n_gpu_layers, p.fit_params, p.warmup, p.verbosity = path, 1024, 1, 0, False, False, 0
        # the models are tiny: more threads would mostly wait for each other
        p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
        p.cache_type_k = p.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
        p.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        self.server = xllamacpp.Server(p)
        self.props = self.call("/props")

    def call(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server.listening_address + path, data, {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))

    def tokenize(self, text):
        return self.call("/tokenize", {"content": text, "add_special": True, "parse_special": True})["tokens"]

    def logprobs(self, ids, n, filler):
        """{token: log probability} of the n most likely tokens after `ids`.

        The reply leaves them out if the token it chose is half a character, so a whole one is forced; they are those before
        the bias."""
        reply = self.call("/completion", {"prompt": ids, "n_predict": 1, "n_probs": n, "logit_bias": [[filler, 1e4]]})
        return {t["id"]: t["logprob"] for t in reply["completion_probabilities"][0]["top_logprobs"]}

    def greedy(self, ids):
        reply = self.call("/completion", {"prompt": ids, "n_predict": GREEDY, "temperature": 0, "return_tokens": True})
        return reply["tokens"], reply["stop_type"] == "eos"


def log_softmax(x):
    x = x.astype(np.float64) - x.max()
    return x - np.log(np.exp(x).sum())


class Compare:
    def __init__(self, qwill, scratch):
        self.qwill, self.scratch = qwill, scratch

    def run(self, *args, **kw):
        r = subprocess.run([self.qwill, *args], capture_output=True, text=True, **kw)
        assert r.returncode == 0, f"qwill {' '.join(args)}: {r.stderr}"
        return r.stdout

    def evaluate(self, path, cases):
        files = [f"{self.scratch}/{name}" for name in ("cases.json", "reply.json", "logits.safetensors")]
        json.dump({"cases": cases}, open(files[0], "w"))
        self.run("eval", "-m", path, "--input", files[0], "--output", files[1], "--logits", files[2])
        return load_file(files[2]), {c["name"]: c["greedy"] for c in json.load(open(files[1]))["cases"]}

    def file(self, model, form, path, prompts):
        """`prompts`: the last position of each, and every position of L33, from which both continue."""
        llama, bound = LlamaCpp(path), BOUNDS.get(form, BLOCK_BOUND)
        # llama.cpp does not compose characters first, as the tokenizer's file asks
        text = unicodedata.normalize("NFC", "\n".join(NASTY))
        ours = json.loads(self.run("tokenize", "-m", path, "--json", "-", input=text))["ids"]
        result = {"tokens_equal": llama.tokenize(text) == ours}
        a_whole_character = llama.tokenize("a")[0]
        n_probs = min(llama.call("/v1/models")["data"][0]["meta"]["n_vocab"], 512)
        prompts = {k: ids for k, ids in prompts.items() if len(ids) + GREEDY <= llama.props["default_generation_settings"]["n_ctx"]}
        cases = [{"name": k, "ids": ids, "logits": "all" if k == "L33" else "last", "greedy": GREEDY if k == "L33" else 0} for k, ids in prompts.items()]
        logits, greedy = self.evaluate(path, cases)
        positions = []
        for name, ids in prompts.items():
            rows = logits[f"logits.{name}"]
            for i, row in enumerate(rows):
                theirs = llama.logprobs(ids[: len(ids) - len(rows) + i + 1], n_probs, a_whole_character)
                mine = log_softmax(row)
                positions.append(max(abs(mine[t] - p) for t, p in theirs.items()))
        differences = {"largest": max(positions), "median": float(np.median(positions))}
        result |= {f"{kind}_logprob_difference": float(f"{value:.2g}") for kind, value in differences.items()}
        bounded = "median" if HAS_EXPERTS.search(model) else "largest"
        result[f"{bounded}_accepted"] = bound
        mine, (theirs, ended) = greedy["L33"], llama.greedy(prompts["L33"])
        same = next((i for i, (a, b) in enumerate(zip(mine, theirs)) if a != b), min(len(mine), len(theirs)))
        result["greedy_equal"] = same == len(theirs) and (ended or same == GREEDY)
        if not result["greedy_equal"]:
            # both may be right where two tokens are nearly as likely
            p = llama.logprobs(prompts["L33"] + mine[:same], n_probs, a_whole_character)
            result["greedy_same_tokens"], result["greedy_margin"] = same, round(p[theirs[same]] - p[mine[same]], 4)
        is_near_tie = result["greedy_equal"] or result["greedy_margin"] <= 2 * bound
        return llama, result, result["tokens_equal"] and differences[bounded] <= bound and is_near_tie

    def quantize(self, name, form):
        source, path = f"{GOLDENS}/{name}", f"{self.scratch}/{form}.gguf"
        self.run("quantize", "--force", "--type", form, source, path)
        return source, path

    def quantized(self, name, form):
        source, path = self.quantize(name, form)
        folder = source if os.path.isdir(source) else os.path.dirname(source)
        expected = next(f"{folder}/{f}" for f in sorted(os.listdir(folder)) if f.endswith("expected.json"))
        prompts = {k: ids for k, ids in json.load(open(expected))["prompts"].items() if len(ids) < 200}
        llama, result, ok = self.file(name, form, path, prompts)
        if os.path.isdir(source):
            config = json.load(open(f"{source}/config.json"))
            generation = json.load(open(f"{source}/generation_config.json"))
            template = json.load(open(f"{source}/tokenizer_config.json")).get("chat_template")
            # Qwen1's files name no first token; converters take the end of a text
            ends = generation["eos_token_id"] if isinstance(generation["eos_token_id"], list) else [generation["eos_token_id"]]
            wanted = [config.get("bos_token_id", generation["pad_token_id"]), ends[0]]
            result["special_tokens_equal"] = [llama.tokenize(llama.props[f"{t}_token"]) for t in ("bos", "eos")] == [[t] for t in wanted]
            # without a template llama.cpp takes one of its own
            result["template_equal"] = None if template is None else llama.props["chat_template"] == template
            ok = ok and result["special_tokens_equal"] and result["template_equal"] is not False
        return result, ok

    def refused(self, name):
        try:
            LlamaCpp(self.quantize(name, "f32")[1])
        except RuntimeError:
            return {"refused": REFUSED[name]}, True
        return {"refused": False}, False

    def random(self, shape, layers):
        path = f"{self.scratch}/random.gguf"
        self.run("random", "--force", "--layers", str(layers), shape, path)
        prompt = np.random.default_rng(33).integers(0, 256, 33).tolist()
        _, result, ok = self.file(*shape.split(":"), path, {"L33": prompt})
        return result, ok


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--qwill", required=True)
    ap.add_argument("--out", required=True)
    ap.add_argument("--only", default="", help="a part of the names")
    a = ap.parse_args()
    results, failed = {}, []
    with tempfile.TemporaryDirectory() as scratch:
        compare = Compare(os.path.abspath(a.qwill), scratch)
        jobs = [(f"{name} {form}", compare.quantized, (name, form)) for name, forms in QUANTIZED.items() for form in forms]
        jobs += [(name, compare.refused, (name,)) for name in REFUSED]
        jobs += [(f"random {shape} layers {n}", compare.random, (shape, n)) for shape, n in RANDOM]
        for title, check, args in jobs:
            if a.only not in title:
                continue
            results[title], ok = check(*args)
            print(title, results[title], "ok" if ok else "FAIL", flush=True)
            failed += [] if ok else [title]
    build = "b" + xllamacpp.__version__.split(".")[-1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()
    # one line for each file
    head = {"llama_cpp": build, "xllamacpp": xllamacpp.__version__, "date": str(datetime.date.today()), "qwill_commit": commit}
    lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in results.items())
    open(a.out, "w").write(json.dumps(head)[:-1] + ', "files": {\n' + lines + "\n}}\n")
    raise SystemExit(f"differ: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
