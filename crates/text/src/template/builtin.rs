//! The prompt formats of the families, for checkpoints that come without a template.

use serde_json::{Map, Value};

use crate::{Error, Tokenizer};

/// A generation of models that share a prompt format.
///
/// Qwen3-Coder and Qwen3.5 are missing: their formats hold long instructions, and every release of
/// them brings its template along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Qwen-7B-Chat and its relatives, as text. Their own code assembles ids, see
    /// [`qwen1_prompt`](crate::qwen1_prompt).
    Qwen1,
    /// Qwen1.5
    Qwen1_5,
    /// Qwen2
    Qwen2,
    /// Qwen2.5, also -Coder and -1M
    Qwen2_5,
    /// Qwen2.5-Math and the reward models made from it
    Qwen2_5Math,
    /// QwQ-32B-Preview
    QwqPreview,
    /// QwQ-32B
    Qwq,
    /// Qwen3, thinking or not as the caller wishes
    Qwen3,
    /// Qwen3-Instruct-2507 and Qwen3-Next-Instruct, which never think
    Qwen3Instruct,
    /// Qwen3-Thinking-2507 and Qwen3-Next-Thinking, which always think
    Qwen3Thinking,
}

impl Family {
    /// The family of a checkpoint that brings no template.
    ///
    /// `architecture` is the `model_type` of its configuration or GGUF's name for it. Releases of
    /// one architecture differ in what their tokenizers know (tools since Qwen2.5, thoughts since
    /// QwQ) and, where even those are the same, only in their `name`.
    pub fn of(architecture: &str, name: &str, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let name = name.to_lowercase().replace(['_', ' '], "-");
        let named = |part: &str| name.contains(part);
        let knows = |token: &str| tokenizer.id_of(token).is_some_and(|id| tokenizer.is_added(id));
        Ok(match architecture.replace('_', "").as_str() {
            "qwen" => Self::Qwen1,
            "qwen2" | "qwen2moe" if !knows("<tool_call>") => {
                let is_oldest = named("qwen1.5") || named("qwen1-5") || named("codeqwen");
                if is_oldest { Self::Qwen1_5 } else { Self::Qwen2 }
            }
            "qwen2" | "qwen2moe" if knows("<think>") => Self::Qwq,
            "qwen2" | "qwen2moe" if named("qwq") => Self::QwqPreview,
            "qwen2" | "qwen2moe" if named("math") => Self::Qwen2_5Math,
            "qwen2" | "qwen2moe" => Self::Qwen2_5,
            "qwen3" | "qwen3moe" | "qwen3next" if named("thinking") => Self::Qwen3Thinking,
            "qwen3" | "qwen3moe" if named("instruct") => Self::Qwen3Instruct,
            "qwen3" | "qwen3moe" => Self::Qwen3,
            "qwen3next" => Self::Qwen3Instruct,
            _ => {
                return Err(Error::Conversation(format!(
                    "the checkpoint has no chat template, and there is no built-in one for {architecture}; put its chat_template.jinja beside its weights"
                )));
            }
        })
    }

    pub(super) fn source(self) -> &'static str {
        match self {
            Self::Qwen1 | Self::Qwen1_5 | Self::Qwen2 | Self::Qwen2_5Math => {
                include_str!("builtin/chatml.jinja")
            }
            Self::Qwen2_5 | Self::QwqPreview | Self::Qwq => include_str!("builtin/qwen2_5.jinja"),
            Self::Qwen3 | Self::Qwen3Instruct | Self::Qwen3Thinking => {
                include_str!("builtin/qwen3.jinja")
            }
        }
    }

    /// Variables of the source that differ between families.
    pub(super) fn presets(self) -> Map<String, Value> {
        let default_system = match self {
            Self::Qwen1 | Self::Qwen2 => "You are a helpful assistant.",
            Self::Qwen1_5 => "You are a helpful assistant",
            Self::Qwen2_5 => "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
            Self::Qwen2_5Math => r"Please reason step by step, and put your final answer within \boxed{}.",
            Self::QwqPreview => {
                "You are a helpful and harmless assistant. You are Qwen developed by Alibaba. You should think step-by-step."
            }
            Self::Qwq | Self::Qwen3 | Self::Qwen3Instruct | Self::Qwen3Thinking => "",
        };
        let thinks = match self {
            Self::Qwen3 => "maybe",
            Self::Qwq | Self::Qwen3Thinking => "always",
            _ => "never",
        };
        let mut presets = Map::new();
        presets.insert("default_system".into(), default_system.into());
        presets.insert("thinks".into(), thinks.into());
        presets
    }
}
