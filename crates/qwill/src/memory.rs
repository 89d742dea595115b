//! How much memory a model takes on a device, and whether the device has it: known from headers, before anything is
//! uploaded or, of a hub's model, downloaded.

use std::fmt;

use qwill_engine::{
    EngineOptions, MatrixShape, Purpose, Sizes, WeightSource, layer_cache_bytes, vector_bytes,
};
use qwill_kernels::{KvType, PAGE};
use qwill_models::{Plan, Rope, TensorRef, WeightUse};
use serde::Serialize;

use crate::setup::{Setup, set_up};
use crate::{DeviceMemory, Error, LoadOptions, Room};

/// The shortest context that a model is given without being asked, where a longer one does not fit.
const SHORTEST_DEFAULT: usize = 512;

/// Whether a model fits a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Fit {
    /// It does.
    Fits,
    /// It takes more than a browser is known to have; only trying tells.
    Unsure,
    /// Not with the context asked for, but with at most this one.
    WithContext {
        /// Tokens.
        context_length: usize,
    },
    /// Not with an f32 cache, but with an f16 one.
    WithF16Cache,
    /// Not with the cache asked for, but with a q8 one.
    WithQ8Cache {
        /// Tokens of the longest context that fits with the cache asked for, if there is one.
        context_length: Option<usize>,
    },
    /// Not with any context.
    DoesNotFit,
}

/// Bytes that a model needs on the device, by what they are for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MemoryPlan {
    /// Tokens that the plan is for.
    pub context_length: usize,
    /// Tokens of a prefill step.
    pub prefill_chunk: usize,
    /// Number format of the cache.
    pub kv_type: &'static str,
    /// Weights, as they lie on the device.
    pub weights_bytes: u64,
    /// Key/value cache.
    pub cache_bytes: u64,
    /// Activations of a prefill step.
    pub activation_bytes: u64,
    /// Activations inside mixtures of experts.
    pub expert_bytes: u64,
    /// Logits, and what they are made from.
    pub output_bytes: u64,
    /// What steers a step, and the parameters of kernels.
    pub steering_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
    /// The device that the plan was compared with, if there is one.
    pub device: Option<DeviceMemory>,
    /// How the comparison ended.
    pub fit: Option<Fit>,
    /// What stands in the way, if something does.
    pub obstacle: Option<String>,
}

impl fmt::Display for MemoryPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "weights {}", Bytes(self.weights_bytes))?;
        write!(f, " + cache {} ({})", Bytes(self.cache_bytes), self.kv_type)?;
        for (name, bytes) in [
            ("activations", self.activation_bytes),
            ("experts", self.expert_bytes),
            ("outputs", self.output_bytes),
            ("steering", self.steering_bytes),
        ] {
            if bytes > 0 {
                write!(f, " + {name} {}", Bytes(bytes))?;
            }
        }
        write!(f, " = {}", Bytes(self.total_bytes))
    }
}

impl MemoryPlan {
    /// What becomes of the comparison in words, if there was one.
    pub fn verdict(&self) -> Option<String> {
        let n = self.context_length;
        let obstacle = self.obstacle.as_deref().unwrap_or_default();
        Some(match self.fit? {
            Fit::Fits => format!("fits with a context of {n} tokens"),
            Fit::Unsure => format!("may not fit with a context of {n} tokens: {obstacle}"),
            Fit::WithContext { context_length } => {
                format!("does not fit with a context of {n} tokens: {obstacle}; {context_length} tokens fit")
            }
            Fit::WithF16Cache => {
                format!("does not fit with an f32 cache: {obstacle}; with an f16 cache it does")
            }
            Fit::WithQ8Cache { context_length: None } => {
                format!("does not fit with a context of {n} tokens: {obstacle}; with a q8 cache it does")
            }
            Fit::WithQ8Cache { context_length: Some(fitting) } => format!(
                "does not fit with a context of {n} tokens: {obstacle}; {fitting} tokens fit, and {n} with a q8 cache"
            ),
            Fit::DoesNotFit => format!(
                "does not fit: {obstacle}. No shorter context helps: take a smaller model, or more strongly quantised \
                 weights"
            ),
        })
    }

    /// Refuses what is known not to fit.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match (self.fit, self.verdict(), &self.device) {
            (None | Some(Fit::Fits | Fit::Unsure), _, _) | (_, None, _) | (_, _, None) => Ok(()),
            (Some(_), Some(verdict), Some(device)) => {
                Err(Error::Memory(format!("the model {verdict} ({}: {self})", device.gpu)))
            }
        }
    }
}

/// A number of bytes for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0..1_000_000 => write!(f, "{:.1} kB", self.0 as f64 / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", self.0 as f64 / 1e6),
            _ => write!(f, "{:.2} GB", self.0 as f64 / 1e9),
        }
    }
}

/// What the weights of a plan take on the device.
struct WeightBytes {
    bytes: u64,
    /// The most rows that must lie in one binding: what they are part of, and their bytes.
    widest: (String, u64),
}

impl WeightBytes {
    fn of(plan: &Plan, source: &WeightSource<'_>) -> Result<Self, Error> {
        let mut weights = Self { bytes: 0, widest: (String::new(), 0) };
        for used in plan.weights() {
            match used {
                WeightUse::Matrix(weight) => {
                    for (shape, parts) in source.shapes(plan.architecture, weight)? {
                        weights.matrix(&parts[0], shape);
                    }
                }
                WeightUse::Experts(experts) => {
                    let shape = source.experts_shape(plan.architecture, &experts)?;
                    weights.matrix(&experts[0].parts[0], shape);
                }
                WeightUse::Vector(parts) => weights.bytes += vector_bytes(&parts),
            }
        }
        Ok(weights)
    }

    fn matrix(&mut self, first: &TensorRef, shape: MatrixShape) {
        self.bytes += shape.bytes();
        if shape.unit_bytes() > self.widest.1 {
            self.widest = (first.hf.clone(), shape.unit_bytes());
        }
    }
}

/// A plan of memory, and how the engine that it is for is set up.
pub(crate) struct Planned {
    pub(crate) memory: MemoryPlan,
    pub(crate) rope: Rope,
    pub(crate) engine: EngineOptions,
}

/// Plans memory for a model on a device, or on one without limits. Without a context asked for, it is the longest up to
/// the usual one that fits.
pub(crate) fn plan_memory(
    plan: &Plan,
    source: &WeightSource<'_>,
    device: Option<&DeviceMemory>,
    options: &LoadOptions,
) -> Result<Planned, Error> {
    let boundless = DeviceMemory::boundless();
    let planner = Planner {
        plan,
        weights: WeightBytes::of(plan, source)?,
        device: device.unwrap_or(&boundless),
        options: options.clone(),
    };
    let mut planned = planner.plan(options.context_length, options.kv_type)?;
    let longest = match planned.memory.obstacle {
        None => None,
        Some(_) => planner.longest_context(planned.engine.context_length, planned.engine.kv),
    };
    if let (None, Some(n)) = (options.context_length, longest.filter(|&n| n >= SHORTEST_DEFAULT)) {
        planned = planner.plan(Some(n), options.kv_type)?;
    }
    let kv = planned.engine.kv;
    let memory = &mut planned.memory;
    let room = planner.device.room;
    memory.device = device.cloned();
    memory.fit = device.map(|_| match (&memory.obstacle, room) {
        (None, Room::AtLeast(bytes)) if memory.total_bytes > bytes => Fit::Unsure,
        (None, _) => Fit::Fits,
        (Some(_), _) => {
            let fits = |kv| {
                let planned = planner.plan(Some(memory.context_length), Some(kv));
                planned.is_ok_and(|planned| planned.memory.obstacle.is_none())
            };
            match (kv, longest) {
                (KvType::F32, _) if fits(KvType::F16) => Fit::WithF16Cache,
                (KvType::F32 | KvType::F16, context_length) if fits(KvType::Q8) => {
                    Fit::WithQ8Cache { context_length }
                }
                (_, Some(context_length)) => Fit::WithContext { context_length },
                (_, None) => Fit::DoesNotFit,
            }
        }
    });
    if let (Some(Fit::Unsure), Room::AtLeast(bytes)) = (memory.fit, room) {
        memory.obstacle = Some(format!(
            "it takes {}, and all that this browser says is that there are {}",
            Bytes(memory.total_bytes),
            Bytes(bytes)
        ));
    }
    Ok(planned)
}

struct Planner<'a> {
    plan: &'a Plan,
    weights: WeightBytes,
    device: &'a DeviceMemory,
    options: LoadOptions,
}

impl Planner<'_> {
    /// A plan for this context and cache, compared with the device's hard limits.
    fn plan(&self, context_length: Option<usize>, kv_type: Option<KvType>) -> Result<Planned, Error> {
        let options = LoadOptions { context_length, kv_type, ..self.options.clone() };
        let Setup { rope, engine } = set_up(self.plan, self.device, &options)?;
        let tuning = self.options.tuning.as_ref().unwrap_or(&self.device.tuning);
        let sizes = Sizes::new(self.plan, &rope, engine, tuning);
        let layer_bytes = layer_cache_bytes(self.plan, engine);
        let mut memory = MemoryPlan {
            context_length: engine.context_length,
            prefill_chunk: engine.chunk,
            kv_type: engine.kv.name(),
            weights_bytes: self.weights.bytes,
            cache_bytes: 2 * layer_bytes * self.plan.dims.n_layers as u64,
            activation_bytes: sizes.sum(Purpose::Activations),
            expert_bytes: sizes.sum(Purpose::Experts),
            output_bytes: sizes.sum(Purpose::Outputs),
            steering_bytes: sizes.sum(Purpose::Steering) + self.device.parameter_bytes,
            total_bytes: 0,
            device: None,
            fit: None,
            obstacle: None,
        };
        memory.total_bytes = memory.weights_bytes
            + memory.cache_bytes
            + memory.activation_bytes
            + memory.expert_bytes
            + memory.output_bytes
            + memory.steering_bytes;
        memory.obstacle = self.obstacle(&memory, layer_bytes, &sizes);
        Ok(Planned { memory, rope, engine })
    }

    fn obstacle(&self, memory: &MemoryPlan, layer_bytes: u64, sizes: &Sizes) -> Option<String> {
        let most = self.device.max_bytes();
        let (widest, largest) = (&self.weights.widest, sizes.largest());
        for (what, bytes) in [
            (format!("a part of \"{}\"", widest.0), widest.1),
            ("the keys of a layer".to_owned(), layer_bytes),
            (format!("the buffer for {}", largest.label), largest.bytes),
        ] {
            if bytes > most {
                let room = Bytes(most);
                return Some(format!(
                    "{what} must lie in one binding and takes {}, but a binding of this device holds {room}",
                    Bytes(bytes)
                ));
            }
        }
        match self.device.room {
            Room::Known(room) if memory.total_bytes > room => {
                Some(format!("it takes {}, and there are {}", Bytes(memory.total_bytes), Bytes(room)))
            }
            _ => None,
        }
    }

    /// The longest context below `n` tokens that fits, in whole pages of the cache.
    fn longest_context(&self, n: usize, kv: KvType) -> Option<usize> {
        let fits = |pages: usize| {
            let planned = self.plan(Some(pages * PAGE), Some(kv));
            planned.is_ok_and(|planned| planned.memory.obstacle.is_none())
        };
        let (mut fitting, mut too_long) = (0, n.div_ceil(PAGE));
        while fitting + 1 < too_long {
            let middle = fitting.midpoint(too_long);
            if fits(middle) {
                fitting = middle;
            } else {
                too_long = middle;
            }
        }
        (fitting > 0).then_some(fitting * PAGE)
    }
}

#[cfg(test)]
mod tests;
