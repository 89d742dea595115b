//! What a person has chosen.

use std::path::Path;
use std::{fs, io};

use qwill::{ChatRequest, KvType, LoadOptions, Message, SamplingOptions};
use serde::{Deserialize, Serialize};

use crate::folders;

/// Light or dark.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

/// Whether a model thinks before it answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// As its template has it.
    #[default]
    Model,
    /// It does.
    On,
    /// It does not.
    Off,
}

/// The format of keys and values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// 32 bits.
    F32,
    /// 16 bits.
    #[default]
    F16,
    /// 8 bits.
    Q8,
}

/// Everything that a person may choose. As a file, what is missing in it is as it is by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light or dark.
    pub theme: Theme,
    /// What every conversation begins with.
    pub system_prompt: String,
    /// Sampling; absent values are the model's.
    pub sampling: SamplingOptions,
    /// Thoughts.
    pub thinking: Thinking,
    /// Tokens of prompt and reply; absent: the model's, at most 8192.
    pub context_length: Option<usize>,
    /// The format of keys and values.
    pub cache: Cache,
    /// Part of the name of the GPU; absent: the fastest.
    pub gpu: Option<String>,
    /// The model that is loaded when the program starts; absent: the demo.
    pub model: Option<String>,
}

impl Settings {
    /// Reads the file, if there is one.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(path: &Path) -> Result<Self, String> {
        let failed = |reason: String| format!("{} cannot be read: {reason}", path.display());
        match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(failed(error.to_string())),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string())),
        }
    }

    /// Writes the file, in one step.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        folders::write(path, &serde_json::to_string_pretty(self).map_err(io::Error::other)?)
    }

    /// How a model is loaded.
    pub fn load_options(&self) -> LoadOptions {
        let kv_type = match self.cache {
            Cache::F32 => KvType::F32,
            Cache::F16 => KvType::F16,
            Cache::Q8 => KvType::Q8,
        };
        LoadOptions {
            context_length: self.context_length,
            kv_type: Some(kv_type),
            gpu: self.gpu.clone(),
            // a window has one conversation that runs
            max_sequences: Some(1),
            ..LoadOptions::default()
        }
    }

    /// What is asked of the model.
    pub fn request(&self, messages: Vec<Message>) -> ChatRequest {
        let enable_thinking = match self.thinking {
            Thinking::Model => None,
            Thinking::On => Some(true),
            Thinking::Off => Some(false),
        };
        ChatRequest { sampling: self.sampling.clone(), enable_thinking, ..ChatRequest::new(messages) }
    }

    /// Whether a model must be loaded again for other settings to hold.
    pub fn needs_reload(&self, other: &Self) -> bool {
        (self.context_length, self.cache) != (other.context_length, other.cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_a_broken_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        assert_eq!(Settings::read(&path), Ok(Settings::default()));
        let sampling = SamplingOptions { temperature: Some(0.5), ..SamplingOptions::default() };
        let settings =
            Settings { thinking: Thinking::Off, cache: Cache::Q8, sampling, ..Settings::default() };
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path), Ok(settings.clone()));
        assert_eq!(settings.request(Vec::new()).enable_thinking, Some(false));
        assert!(settings.needs_reload(&Settings::default()));
        fs::write(&path, "[1]").unwrap();
        assert!(Settings::read(&path).unwrap_err().contains("settings.json"));
    }
}
