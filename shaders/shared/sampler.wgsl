// Settings of a slot, written by the CPU when a sequence takes it.
struct Sampler {
    temperature: f32,
    // 0: off
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    presence_penalty: f32,
    frequency_penalty: f32,
    // ids from here on are padding rows that no tokenizer knows; never sampled
    n_vocab: u32,
    // how many of the slot's biases count
    n_biases: u32,
}

const LOWEST: f32 = -3.0e38;
