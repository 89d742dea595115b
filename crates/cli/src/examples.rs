//! Examples behind the help of commands.

pub(crate) const QWILL: &str = "\
Examples:
  qwill chat                                  talk to the model that ships with qwill
  qwill run \"What colour is the sky?\"         one reply, streamed
  qwill run -m Qwen3-0.6B-Q8_0.gguf --no-think \"Hello\"
  qwill run -m Qwen/Qwen3-8B-GGUF:Q4_K_M \"Hello\"   from the Hugging Face hub
  qwill run -m https://huggingface.co/Qwen/Qwen3-0.6B \"Hello\"
  qwill list                                  what was downloaded
  qwill run -m ./Qwen3-0.6B --json \"Hi\" | jq .timings
  qwill serve -m chat=Qwen/Qwen3-8B-GGUF:Q4_K_M   answers programs over HTTP
  qwill bench --random qwen3-0.6b:q4_0 -p 512 -n 128
  qwill bench --parallel 1,4,16               what many conversations at once get
  qwill help bench                            more of a command";

pub(crate) const RUN: &str = "\
Examples:
  qwill run \"What colour is the sky?\"
  git diff | qwill run -m Qwen3-8B-Q4_K_M.gguf --system \"Review this.\" -
  qwill run -m ./Qwen3-0.6B --thinking-budget 200 --temperature 0 --json \"17 * 23?\" | jq -r .text
  qwill run -m Qwen2.5-Coder-1.5B.gguf --raw --suffix \"    return x\" \"def f(n):\"
  qwill run --regex \"(blue|green|red)\" \"What colour is the sky?\"
  qwill run --context 32768 --kv-type q8 -m Qwen/Qwen3-8B-GGUF:Q4_K_M \"Hello\"";

pub(crate) const CHAT: &str = "\
/help lists what else can be typed. Ctrl-C stops a reply, Ctrl-D leaves, the arrow keys find what was typed before.
On terminals replies are shown as Markdown; with NO_COLOR=1, or in a pipe, they are as the model wrote them.

Examples:
  qwill chat
  qwill chat -m hf.co/Qwen/Qwen3-8B-GGUF:Q4_K_M --context 16384
  qwill chat -m ./Qwen3-0.6B --no-think --system \"Answer in one sentence.\"";

pub(crate) const SERVE: &str = "\
Examples:
  qwill serve                                  the model that ships with qwill, at http://127.0.0.1:8080
  qwill serve -m chat=Qwen/Qwen3-8B-GGUF:Q4_K_M -m embed=./Qwen3-Embedding-0.6B --lazy --max-loaded 1
  qwill serve -m Qwen3-8B-Q4_K_M.gguf --context 16384 --max-sequences 16 --cache-tokens 65536
  qwill serve --host 0.0.0.0 --api-key-file keys.txt --cors https://example.org";

pub(crate) const BATCH: &str = "\
A line of IN.jsonl:
  {\"custom_id\": \"1\", \"method\": \"POST\", \"url\": \"/v1/chat/completions\",
   \"body\": {\"messages\": [{\"role\": \"user\", \"content\": \"Hello\"}], \"max_tokens\": 100}}

Examples:
  qwill batch in.jsonl out.jsonl
  qwill batch in.jsonl out.jsonl -m Qwen/Qwen3-8B-GGUF:Q4_K_M --max-sequences 32 --cache-tokens 65536";

pub(crate) const DECIDE: &str = "\
The text is read once, whatever the number of questions, and nothing is drawn: the same text and questions give the same
probabilities. Choices may stand in any order.

Examples:
  qwill decide \"Two parcels came, one is broken.\" --predicate \"Something is broken.\"
  qwill decide -m ./Qwen3-0.6B - --choice \"Who should answer?=billing,technical,sales\" < mail.txt
  qwill decide -m ./Qwen3-0.6B - --score \"How urgent is it?=not at all,somewhat,very\" --json < mail.txt | jq .answers[0].score
  qwill decide -m ./Qwen3-0.6B --questions triage.json - < mail.txt   names and descriptions, in OpenAI's shape:
    [{\"type\": \"choice\", \"name\": \"team\", \"instructions\": \"Who should answer?\",
      \"choices\": [{\"value\": \"billing\", \"description\": \"Charges and refunds\"}, {\"value\": \"other\"}]}]
  qwill decide -m ./Qwen3-0.6B --questions named.json --json - < mail.txt   the same in System One's shape:
    {\"team\": {\"type\": \"choice\", \"instructions\": \"Who should answer?\",
      \"criteria\": {\"billing\": \"Charges and refunds\", \"other\": null}}}";

pub(crate) const EVAL: &str = "\
Cases run together, 8 at a time; results are in the order of the input.

Examples:
  qwill eval -m Qwen3-0.6B-Q8_0.gguf --input cases.json --output results.json
  qwill eval -m ./Qwen3-Embedding-0.6B --embed --input cases.json --output out.json --logits vectors.safetensors
  qwill eval --input many.json --output out.json --fast --cache-tokens 32768
  qwill eval --input cases.json --output out.json --max-sequences 1    each case by itself";

pub(crate) const BENCH: &str = "\
Examples:
  qwill bench                                   the model that ships with qwill
  qwill bench -m Qwen3-0.6B-Q8_0.gguf -d 0,4096 with nothing, and with 4096 tokens in the cache
  qwill bench --parallel 1,4,16                 1, 4 and 16 texts at once
  qwill bench --parallel 16 --max-sequences 4   16 texts, of which 4 run and 12 wait
  qwill bench --random qwen3-8b:q4_0 --layers 4 --profile --json";

pub(crate) const INSPECT: &str = "\
Examples:
  qwill inspect -m Qwen/Qwen3-8B-GGUF:Q4_K_M    before it is downloaded
  qwill inspect --shape qwen3-30b-a3b:q4_k --context 32768
  qwill inspect --shape qwen3-8b:q4_k --max-sequences 16 --cache-tokens 65536   room for 16 conversations";

pub(crate) const QUANTIZE: &str = "\
Examples:
  qwill quantize ./Qwen3-0.6B Qwen3-0.6B-Q4_K.gguf --type q4_k
  qwill quantize Qwen/Qwen3-8B Qwen3-8B-Q8_0.gguf --type q8_0 --force";

pub(crate) const PULL: &str = "\
A download that was interrupted goes on where it stopped. The cache is the one of other Hugging Face programs: HF_HOME,
HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE mean what they mean there.

Examples:
  qwill pull Qwen/Qwen3-8B-GGUF:Q4_K_M
  qwill pull https://huggingface.co/Qwen/Qwen3-0.6B
  qwill inspect -m Qwen/Qwen3-8B-GGUF:Q8_0      whether it fits, before it is downloaded";

pub(crate) const LIST: &str = "\
Examples:
  qwill list
  qwill list --json | jq -r .models[].name";

pub(crate) const RM: &str = "\
Bytes that another model of the cache uses too stay.

Examples:
  qwill rm Qwen/Qwen3-8B-GGUF:Q4_K_M      one file of several
  qwill rm Qwen/Qwen3-0.6B                all that there is of it
  qwill rm --yes Qwen/Qwen3-0.6B@v1.0     one revision, without asking";

pub(crate) const COMPLETIONS: &str = "\
Examples:
  qwill completions bash > ~/.local/share/bash-completion/completions/qwill
  qwill completions zsh > ~/.zfunc/_qwill
  qwill completions fish > ~/.config/fish/completions/qwill.fish
  qwill completions powershell >> $PROFILE";

pub(crate) const MAN: &str = "\
Examples:
  qwill man ~/.local/share/man/man1
  man qwill-run";
