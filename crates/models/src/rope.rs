//! Rotary position embedding: inverse frequencies, their scalings, and tables.

use serde_json::{Value, json};

use crate::config::{Config, Error, invalid};

/// Positions of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Rope {
    /// Leading elements of a head that rotate.
    pub rotary_dim: usize,
    /// One for each rotated pair.
    pub inv_freq: Vec<f32>,
    /// Cosines and sines are multiplied by this (YaRN).
    pub attention_factor: f32,
    /// Tokens that a scaling makes room for, where it says so.
    pub extended_context: Option<usize>,
}

impl Rope {
    /// Plain RoPE: `theta^(-2i / rotary_dim)`.
    pub fn plain(theta: f64, rotary_dim: usize) -> Self {
        let inv_freq =
            (0..rotary_dim / 2).map(|i| theta.powf(-2.0 * i as f64 / rotary_dim as f64) as f32).collect();
        Self { rotary_dim, inv_freq, attention_factor: 1.0, extended_context: None }
    }

    /// The positions that a configuration describes: `rope_parameters` (transformers 5), or `rope_theta` with
    /// `rope_scaling`. `context_length` is `max_position_embeddings`.
    pub(crate) fn from_config(
        config: &Config,
        rotary_dim: usize,
        context_length: usize,
    ) -> Result<Self, Error> {
        let scaling = config.get("rope_parameters").or_else(|| config.get("rope_scaling"));
        let nested = scaling.and_then(|s| s.get("rope_theta")).and_then(Value::as_f64);
        let theta = match nested {
            Some(theta) => theta,
            None => config.number_opt("rope_theta")?.unwrap_or(10_000.0),
        };
        if theta <= 1.0 {
            return Err(invalid("rope_theta", &json!(theta), "it must be above 1"));
        }
        let plain = Self::plain(theta, rotary_dim);
        let Some(scaling) = scaling else { return Ok(plain) };
        let kind = scaling.get("rope_type").or_else(|| scaling.get("type")).and_then(Value::as_str);
        match kind.unwrap_or("default") {
            // text has the same position on all three axes of mrope
            "default" | "mrope" => Ok(plain),
            "linear" => {
                let factor = number(scaling, "factor")?.ok_or_else(|| missing(scaling, "factor"))?;
                let inv_freq = plain.inv_freq.iter().map(|f| (f64::from(*f) / factor) as f32).collect();
                Ok(Self { inv_freq, ..plain })
            }
            "yarn" => yarn(scaling, theta, rotary_dim, context_length),
            _ => Err(invalid(
                "rope_scaling",
                scaling,
                "its type must be one of default, linear, yarn, mrope (others are not supported)",
            )),
        }
    }

    /// Cosines, then sines, of positions `range`: `[positions, 2, rotary_dim / 2]`.
    ///
    /// The angle is the f32 product that the reference computes; its cosine is taken in f64, since WGSL promises no
    /// more than 2^-11 for its own.
    pub fn table(&self, range: std::ops::Range<usize>) -> Vec<f32> {
        let half = self.inv_freq.len();
        let mut table = Vec::with_capacity(range.len() * 2 * half);
        let factor = f64::from(self.attention_factor);
        for position in range {
            let angles = self.inv_freq.iter().map(|f| f64::from(position as f32 * f));
            table.extend(angles.clone().map(|a| (a.cos() * factor) as f32));
            table.extend(angles.map(|a| (a.sin() * factor) as f32));
        }
        table
    }
}

fn missing(scaling: &Value, what: &str) -> Error {
    invalid("rope_scaling", scaling, format!("it needs a \"{what}\""))
}

/// A positive number of a scaling, if it is there.
fn number(scaling: &Value, name: &str) -> Result<Option<f64>, Error> {
    match scaling.get(name).filter(|v| !v.is_null()) {
        None => Ok(None),
        Some(value) => match value.as_f64().filter(|n| n.is_finite() && *n > 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(invalid("rope_scaling", scaling, format!("\"{name}\" must be a number above 0"))),
        },
    }
}

/// YaRN (arXiv 2309.00071, sections 3.2 and 3.4), as transformers computes it: high frequencies stay, low ones are divided
/// by the factor, with a ramp between; cosines and sines are multiplied by an attention factor.
fn yarn(scaling: &Value, theta: f64, rotary_dim: usize, context_length: usize) -> Result<Rope, Error> {
    let original = number(scaling, "original_max_position_embeddings")?.unwrap_or(context_length as f64);
    let factor = number(scaling, "factor")?.unwrap_or(context_length as f64 / original);
    let beta_fast = number(scaling, "beta_fast")?.unwrap_or(32.0);
    let beta_slow = number(scaling, "beta_slow")?.unwrap_or(1.0);
    let dim = rotary_dim as f64;
    // the index of the frequency that turns n times over the original context
    let turns = |n: f64| dim * (original / (2.0 * std::f64::consts::PI * n)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (turns(beta_fast), turns(beta_slow));
    if scaling.get("truncate") != Some(&Value::Bool(false)) {
        (low, high) = (low.floor(), high.ceil());
    }
    low = low.max(0.0);
    high = high.min(dim - 1.0);
    if low == high {
        high += 0.001;
    }
    let inv_freq = (0..rotary_dim / 2)
        .map(|i| {
            let frequency = theta.powf(-2.0 * i as f64 / dim);
            let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
            (frequency / factor * ramp + frequency * (1.0 - ramp)) as f32
        })
        .collect();
    let mscale = |weight: f64| if factor <= 1.0 { 1.0 } else { 0.1 * weight * factor.ln() + 1.0 };
    let attention_factor = match number(scaling, "attention_factor")? {
        Some(given) => given,
        None => match (number(scaling, "mscale")?, number(scaling, "mscale_all_dim")?) {
            (Some(mscale_one), Some(mscale_all)) => mscale(mscale_one) / mscale(mscale_all),
            _ => mscale(1.0),
        },
    };
    let extended_context = Some((original * factor) as usize);
    Ok(Rope { rotary_dim, inv_freq, attention_factor: attention_factor as f32, extended_context })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn yarn_of(theta: f64, rotary_dim: usize, original: usize) -> Rope {
        let config = Config::new(json!({
            "rope_theta": theta,
            "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": original},
        }));
        Rope::from_config(&config, rotary_dim, original).unwrap()
    }

    /// Vectors T-22, T-23 and T-24 of the specification.
    #[test]
    fn yarn_frequencies() {
        for (theta, dim, original, expected) in [
            (
                1e6,
                128,
                32_768,
                &[
                    (23, 6.978_305_85e-3),
                    (24, 5.375_321_49e-3),
                    (31, 8.029_597_28e-4),
                    (39, 6.490_394_32e-5),
                    (40, 4.445_698_53e-5),
                    (63, 3.102_344_40e-7),
                ][..],
            ),
            (1e7, 64, 262_144, &[(15, 4.742_398_23e-4), (18, 7.217_387_40e-5), (31, 4.137_042_75e-8)][..]),
            (5e6, 128, 262_144, &[(37, 8.376_025_36e-5), (63, 6.362_699_47e-8)][..]),
        ] {
            let rope = yarn_of(theta, dim, original);
            assert!((rope.attention_factor - 1.138_629_4).abs() < 1e-6);
            for &(i, wanted) in expected {
                let found = f64::from(rope.inv_freq[i]);
                assert!(
                    (found / wanted - 1.0).abs() < 1e-6,
                    "theta {theta}, frequency {i}: {found:e}, not {wanted:e}"
                );
            }
        }
    }

    #[test]
    fn scalings_are_read_or_refused() {
        let of = |scaling: Value| {
            Rope::from_config(&Config::new(json!({"rope_theta": 1e4, "rope_scaling": scaling})), 4, 1000)
        };
        assert_eq!(of(json!({"type": "linear", "factor": 2})).unwrap().inv_freq, [0.5, 0.005]);
        assert_eq!(of(json!({"type": "mrope", "mrope_section": [1, 1]})).unwrap(), Rope::plain(1e4, 4));
        for (bad, word) in [
            (json!({"type": "linear"}), "factor"),
            (json!({"type": "yarn", "factor": -1}), "above 0"),
            (json!({"rope_type": "llama3", "factor": 8}), "llama3"),
        ] {
            let message = of(bad).unwrap_err().to_string();
            assert!(message.contains(word), "{message}");
        }
        let new =
            json!({"rope_parameters": {"rope_theta": 100.0, "rope_type": "default"}, "rope_theta": 5.0});
        assert_eq!(Rope::from_config(&Config::new(new), 4, 1000).unwrap(), Rope::plain(100.0, 4));
    }

    /// Vector T-20 of the specification: D = 4, theta = 10000, position 3, x = [1, 2, 3, 4].
    #[test]
    fn rotates_half_split_pairs() {
        let rope = Rope::plain(10_000.0, 4);
        assert_eq!(rope.inv_freq, [1.0, 0.01]);
        let t = rope.table(3..4);
        let x = [1.0f32, 2.0, 3.0, 4.0];
        let y: Vec<f32> = (0..2)
            .map(|i| x[i] * t[i] - x[i + 2] * t[i + 2])
            .chain((0..2).map(|i| x[i + 2] * t[i] + x[i] * t[i + 2]))
            .collect();
        for (a, b) in y.iter().zip([-1.413_352_5, 1.879_118_1, -2.828_857_5, 4.058_191]) {
            assert!((a - b).abs() < 1e-6, "{y:?}");
        }
    }
}
