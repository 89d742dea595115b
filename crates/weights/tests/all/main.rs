//! The tests of this crate, in one binary.

mod blocks;
mod common;
mod gguf;
mod golden;
mod layout;
mod mutation;
mod packed;
mod pieces;
mod quantize;
mod safetensors;
mod tensors;
