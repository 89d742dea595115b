#!/bin/sh
# Rebuilds the demo model from nothing: corpus, tokenizer, training, export, evaluation, goldens.
# Usage: build.sh WORKDIR [MINUTES] [THREADS]
set -eu
cd "$(dirname "$0")"
work=$1 minutes=${2:-77} threads=${3:-2}
mkdir -p "$work"
python corpus.py --chats 160000 --seed 1 --out "$work/train.jsonl"
python tokenizer.py --corpus "$work/train.jsonl" --out "$work/tokenizer.json"
python train.py --corpus "$work/train.jsonl" --tokenizer "$work/tokenizer.json" --minutes "$minutes" --threads "$threads" --batch-tokens 4096 --out "$work/model.pt"
python export.py --model "$work/model.pt" --tokenizer "$work/tokenizer.json" --out ../model/qwill-demo-q8_0.gguf --hf-out "$work/hf"
python evaluate.py --model ../model/qwill-demo-q8_0.gguf --out ../eval.json
python golden.py --model ../model/qwill-demo-q8_0.gguf --out ../golden.json
