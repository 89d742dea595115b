// Stands in for the package's worker: answers every chat with what the last message says, event by event.
postMessage({ ready: true });
globalThis.onmessage = ({ data: { id, method, args } }) => {
  const answer = (result) => postMessage({ id, result });
  if (method === "load") {
    const info = {
      architecture: "qwen3",
      name: "scripted",
      gpu: "paper",
      backend: "none",
      capabilities: "",
    };
    const numbers = {
      context_length: 64,
      model_context_length: 64,
      context_extension: null,
      n_params: 1,
      weights_bytes: 1,
      device_bytes: 1,
    };
    return answer({ ...info, ...numbers });
  }
  if (method !== "chat") return;
  const events = JSON.parse(args.messages.at(-1).content);
  for (const event of events) postMessage({ id, event: { index: 0, ...event } });
  const usage = { prompt_tokens: 1, completion_tokens: events.length, cached_tokens: 0 };
  const reply = {
    text: "",
    reasoning: "",
    tool_calls: [],
    finish_reason: "stop",
    ids: [],
    usage,
    timings: { prefill_ms: 12, prefill_tps: 1, decode_ms: 1, decode_tps: 123.4 },
  };
  answer({ choices: [reply], usage });
};
