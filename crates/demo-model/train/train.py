"""Trains the model for a number of minutes; the learning rate reaches zero when the time is up, however fast the machine.

    python train.py --corpus train.jsonl --tokenizer tokenizer.json --minutes 60 --threads 2 --out model.pt

On a CPU every thread is a process of its own (data parallel, one all-reduce per step): that keeps matrix products local and
does not stall when the machine is shared. With CUDA there is one process.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from tokenizers import Tokenizer

from chat import Chat, prompt_and_target
from model import Config, Qwen3
from tokenizer import END_OF_TEXT

MAX_TOKENS = 448  # longer chats are left out
VALIDATION = 96  # chats kept out of training to watch the loss


class Data:
    """Encoded chats: one flat array of ids, where each chat starts, and where its target starts."""

    def __init__(self, path: str):
        with np.load(path) as file:
            self.ids, self.starts, self.targets = file["ids"], file["starts"], file["targets"]

    def __len__(self) -> int:
        return len(self.targets)

    def chat(self, i: int) -> tuple[np.ndarray, int]:
        return self.ids[self.starts[i] : self.starts[i + 1]], int(self.targets[i])


def encode(corpus: str, tokenizer: Tokenizer, out: str) -> None:
    """Prompts and targets are encoded apart, as at generation time, when the prompt is encoded alone."""
    ids, lengths, targets = [], [], []
    with open(corpus, encoding="utf-8") as lines:
        while block := [line for line, _ in zip(lines, range(4096))]:
            pairs = [prompt_and_target(Chat(**json.loads(line))) for line in block]
            prompts = tokenizer.encode_batch_fast([p for p, _ in pairs])
            answers = tokenizer.encode_batch_fast([t for _, t in pairs])
            for p, t in zip(prompts, answers):
                if len(p.ids) + len(t.ids) <= MAX_TOKENS:
                    ids.append(np.array(p.ids + t.ids, dtype=np.uint16))
                    lengths.append(len(ids[-1]))
                    targets.append(len(p.ids))
    np.savez(out, ids=np.concatenate(ids), starts=np.concatenate(([0], np.cumsum(lengths))), targets=np.array(targets))


class Batch:
    """Some chats, sorted by length into rectangular groups, flattened; and the positions that predict a target token."""

    def __init__(self, chats: list[tuple[np.ndarray, int]], pad: int, device: str, group: int = 8):
        chats.sort(key=lambda chat: len(chat[0]))
        flat, pick, label, self.groups, base = [], [], [], [], 0
        for i in range(0, len(chats), group):
            rows = chats[i : i + group]
            width = len(rows[-1][0]) - 1
            self.groups.append((len(rows), width))
            for ids, target in rows:
                flat.append(np.pad(ids[:-1], (0, width - len(ids) + 1), constant_values=pad))
                pick.append(np.arange(base + target - 1, base + len(ids) - 1))
                label.append(ids[target:])
                base += width
        self.ids, self.pick, self.label = (torch.from_numpy(np.concatenate(x).astype(np.int64)).to(device) for x in (flat, pick, label))

    def loss(self, model: Qwen3) -> torch.Tensor:
        logits = model(self.ids, self.groups, self.pick)
        return F.cross_entropy(logits.float(), self.label)


def schedule(progress: float, step: int) -> float:
    """Warm-up over 100 steps, then flat, then a straight line to zero over the last 55 % of the time."""
    return min(1.0, (step + 1) / 100) * min(1.0, max(0.0, (1.0 - progress) / 0.55))


def optimizers(model: Qwen3, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices, AdamW for the embedding and the norms."""
    named = list(model.named_parameters())
    matrices = [p for n, p in named if p.dim() == 2 and "embed" not in n]
    others = [p for n, p in named if p.dim() != 2 or "embed" in n]
    made = [torch.optim.Muon(matrices, lr=lr, weight_decay=0.01, momentum=0.95), torch.optim.AdamW(others, lr=0.2 * lr, betas=(0.9, 0.95), weight_decay=0.0)]
    for optimizer in made:
        for group in optimizer.param_groups:
            group["base_lr"] = group["lr"]
    return made


def save(model: Qwen3, path: str) -> None:
    torch.save({"config": model.config.to_dict(), "weights": model.state_dict()}, f"{path}.tmp")
    os.replace(f"{path}.tmp", path)


def average_gradients(model: Qwen3, world: int, extra: list[float]) -> list[float]:
    """Averages the gradients and a few numbers over the processes."""
    grads = [p.grad for p in model.parameters()]
    flat = torch.cat([g.flatten() for g in grads] + [torch.tensor(extra, device=grads[0].device)])
    if world > 1:
        dist.all_reduce(flat)
        flat /= world
    norm = flat[: -len(extra)].norm()
    scale = torch.clamp(1.0 / (norm + 1e-6), max=1.0)
    at = 0
    for g in grads:
        g.copy_(flat[at : at + g.numel()].view_as(g) * scale)
        at += g.numel()
    return flat[-len(extra) :].tolist()


def worker(rank: int, world: int, args: argparse.Namespace, data_path: str, pad: int, meet: str) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        torch.set_num_threads(1)
    if world > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        dist.init_process_group("gloo", init_method=f"file://{meet}", rank=rank, world_size=world)
    torch.manual_seed(args.seed)
    data = Data(data_path)
    model = Qwen3(Config(vocab_size=args.vocab)).to(device)
    if args.init:
        model.load_state_dict(torch.load(args.init, weights_only=True)["weights"])
    opts = optimizers(model, args.lr)
    validation = Batch([data.chat(i) for i in range(VALIDATION)], pad, device)
    order = np.random.default_rng(args.seed).permutation(np.arange(VALIDATION, len(data)))[rank::world]
    begin, last_save, at, step, seen, smooth, progress = time.time(), time.time(), 0, 0, 0, None, 0.0
    if rank == 0:
        print(f"{sum(p.numel() for p in model.parameters())} parameters, {len(data)} chats, {len(data.ids)} tokens, {world} processes on {device}", flush=True)
    while progress < 1.0:
        chats, tokens = [], 0
        while tokens < args.batch_tokens // world:
            chats.append(data.chat(order[at % len(order)]))
            tokens += len(chats[-1][0])
            at += 1
        batch = Batch(chats, pad, device)
        with torch.autocast(device, torch.bfloat16, enabled=not args.float32):
            loss = batch.loss(model)
        loss.backward()
        elapsed = (time.time() - begin) / 60
        mean_loss, progress, mean_tokens = average_gradients(model, world, [loss.item(), elapsed / args.minutes, float(tokens)])
        for opt in opts:
            for group in opt.param_groups:
                group["lr"] = group["base_lr"] * schedule(progress, step)
            opt.step()
            opt.zero_grad()
        step += 1
        seen += int(mean_tokens * world)
        smooth = mean_loss if smooth is None else 0.98 * smooth + 0.02 * mean_loss
        if rank == 0 and step % 50 == 0:
            print(f"step {step} min {elapsed:.1f} loss {smooth:.4f} tokens {seen} tok/s {seen / (time.time() - begin):.0f}", flush=True)
        if rank == 0 and time.time() - last_save > 60 * args.save_minutes:
            with torch.no_grad():
                print(f"step {step} validation loss {validation.loss(model).item():.4f}", flush=True)
            save(model, args.out)
            last_save = time.time()
    if rank == 0:
        with torch.no_grad():
            print(f"done: {step} steps, {seen} tokens, {(time.time() - begin) / 60:.1f} minutes, validation loss {validation.loss(model).item():.4f}", flush=True)
        save(model, args.out)
    if world > 1:
        dist.barrier()
        dist.destroy_process_group()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", help="a checkpoint to start from")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--float32", action="store_true", help="no bfloat16 autocast")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(args.tokenizer)
    args.vocab = -(-tokenizer.get_vocab_size() // 32) * 32
    data_path = f"{args.corpus}.npz"
    if not Path(data_path).exists() or os.path.getmtime(data_path) < max(os.path.getmtime(args.corpus), os.path.getmtime(args.tokenizer)):
        encode(args.corpus, tokenizer, data_path)
    world = 1 if torch.cuda.is_available() else max(1, args.threads)
    with tempfile.TemporaryDirectory() as folder:
        common = (world, args, data_path, tokenizer.token_to_id(END_OF_TEXT), f"{folder}/meet")
        if world == 1:
            worker(0, *common)
        else:
            mp.spawn(worker, common, nprocs=world)


if __name__ == "__main__":
    main()
