//! What a device can do, as a value that is computed once, passed down, and can be masked from outside.

use std::fmt;

/// Subgroup widths that may occur on a device. Kernels never assume one width.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubgroupWidth {
    /// Smallest width a dispatch may get.
    pub min: u32,
    /// Largest width a dispatch may get.
    pub max: u32,
}

/// Capabilities of one device.
#[derive(Debug, Clone, PartialEq)]
pub struct Caps {
    /// WGSL `enable f16`.
    pub f16: bool,
    /// Subgroup operations, with the widths that may occur.
    pub subgroups: Option<SubgroupWidth>,
    /// `dot4I8Packed` and friends run as instructions or cheap polyfills.
    pub dot4: bool,
    /// Passes can note the device's time when they begin and end.
    pub timestamps: bool,
    /// Largest range of a buffer that one binding may cover, bytes.
    pub max_binding: u64,
    /// Largest buffer, bytes.
    pub max_buffer: u64,
    /// Bytes that all buffers together may take, if somebody set a limit; no API tells how much there is.
    pub max_memory: Option<u64>,
    /// Workgroup memory, bytes.
    pub max_workgroup_memory: u32,
    /// Invocations in a workgroup.
    pub max_workgroup_size: u32,
    /// A CPU pretends to be a GPU (llvmpipe, SwiftShader, WARP): barriers are dear, arithmetic is not free.
    pub is_software: bool,
    /// Shaders are handed to a browser, which wants `enable subgroups;`.
    pub is_web: bool,
}

/// Capabilities to take away, so that every fallback can be tried on any machine.
///
/// Text form: `no-f16,no-subgroups,no-dot4,no-timestamps,no-software,max-binding=128MiB,max-memory=2GiB`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapsMask {
    no_f16: bool,
    no_subgroups: bool,
    no_dot4: bool,
    no_timestamps: bool,
    no_software: bool,
    max_binding: Option<u64>,
    max_memory: Option<u64>,
}

/// A mask that does not parse.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error(
    "unknown capability mask \"{0}\"; known are no-f16, no-subgroups, no-dot4, no-timestamps, no-software, max-binding=SIZE and max-memory=SIZE (e.g. 128MiB)"
)]
pub struct MaskError(String);

impl CapsMask {
    /// Parses the text form; an empty string masks nothing.
    pub fn parse(text: &str) -> Result<Self, MaskError> {
        let mut mask = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word {
                "no-f16" => mask.no_f16 = true,
                "no-subgroups" => mask.no_subgroups = true,
                "no-dot4" => mask.no_dot4 = true,
                "no-timestamps" => mask.no_timestamps = true,
                "no-software" => mask.no_software = true,
                _ => {
                    let size = |prefix| word.strip_prefix(prefix).and_then(parse_size);
                    match (size("max-binding="), size("max-memory=")) {
                        (Some(size), _) => mask.max_binding = Some(size),
                        (_, Some(size)) => mask.max_memory = Some(size),
                        _ => return Err(MaskError(word.to_owned())),
                    }
                }
            }
        }
        Ok(mask)
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..split].parse().ok()?;
    let unit = match &text[split..] {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit).filter(|&n| n >= 256)
}

impl Caps {
    /// Takes away what `mask` names.
    pub fn masked(mut self, mask: &CapsMask) -> Self {
        self.f16 &= !mask.no_f16;
        self.dot4 &= !mask.no_dot4;
        self.timestamps &= !mask.no_timestamps;
        self.is_software &= !mask.no_software;
        if mask.no_subgroups {
            self.subgroups = None;
        }
        self.max_memory = mask.max_memory.or(self.max_memory);
        if let Some(max) = mask.max_binding {
            self.max_binding = self.max_binding.min(max);
        }
        self
    }
}

impl fmt::Display for Caps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |on: bool| if on { "yes" } else { "no" };
        let subgroups = match self.subgroups {
            Some(w) if w.min == w.max => format!("{}", w.min),
            Some(w) => format!("{}-{}", w.min, w.max),
            None => "no".to_owned(),
        };
        write!(
            f,
            "f16 {}, subgroups {subgroups}, dot4 {}, timestamps {}, binding {} MiB, buffer {} MiB, workgroup memory {} KiB{}",
            mark(self.f16),
            mark(self.dot4),
            mark(self.timestamps),
            self.max_binding >> 20,
            self.max_buffer >> 20,
            self.max_workgroup_memory >> 10,
            if self.is_software { ", software" } else { "" },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_parse_and_name_what_is_unknown() {
        assert_eq!(CapsMask::parse("").unwrap(), CapsMask::default());
        let mask = CapsMask::parse(" no-f16, max-binding=1MiB ").unwrap();
        assert!(mask.no_f16 && !mask.no_dot4);
        assert_eq!(mask.max_binding, Some(1 << 20));
        for bad in
            ["no-f17", "max-binding=", "max-binding=1", "max-binding=99999999999GiB", "max-binding=1MB"]
        {
            let message = CapsMask::parse(bad).unwrap_err().to_string();
            assert!(message.contains(bad) && message.contains("no-subgroups"), "{message}");
        }
    }
}
