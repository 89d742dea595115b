// What changes from step to step; written by the CPU before each submit.
struct State {
    // position of the first token of this step in its sequence
    position: u32,
    // tokens in this step
    n_tokens: u32,
    // first row of the hidden states whose logits are wanted
    output_row: u32,
    // index of this step in its generation: the counter of the random generator
    sample_index: u32,
    // seed of the random generator
    seed: u32,
    // slot of the token ring that this step's sample goes to
    ring_slot: u32,
    // position of the first row of the rotary table
    rope_first: u32,
    reserved: u32,
}
