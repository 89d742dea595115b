//! Which weights a plan uses and how they belong together: the one walk for all that load, count or name them.

use std::collections::HashSet;

use crate::plan::{Expert, Head, Mixture, Norm, Op, Plan, Projection, TensorRef, Weight};

/// Weights that lie together on a device.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WeightUse<'p> {
    /// A matrix.
    Matrix(&'p Weight),
    /// A matrix for each expert of a layer, all of one shape, one under the other.
    Experts(Vec<&'p Weight>),
    /// Norms or biases, one after the other.
    Vector(Vec<&'p TensorRef>),
}

impl<'p> WeightUse<'p> {
    /// The tensors that they are made of, in order.
    pub fn tensors(&self) -> Vec<&'p TensorRef> {
        match self {
            Self::Matrix(weight) => weight.parts.iter().collect(),
            Self::Experts(experts) => experts.iter().flat_map(|expert| &expert.parts).collect(),
            Self::Vector(parts) => parts.clone(),
        }
    }

    fn norm(norm: &'p Norm) -> Self {
        Self::Vector(vec![&norm.weight])
    }
}

impl Op {
    /// The weights that it uses, in order of use.
    pub fn weights(&self) -> Vec<WeightUse<'_>> {
        match self {
            Self::Embed(embedding) => vec![WeightUse::Matrix(&embedding.weight)],
            Self::Project(projection) => projection.weights(),
            Self::Rotate(rotation) => {
                let norms = rotation.qk_norm.iter();
                norms.map(|(q, k)| WeightUse::Vector(vec![&q.weight, &k.weight])).collect()
            }
            Self::Attend(_) => vec![],
            Self::Mix(mixture) => mixture.weights(),
        }
    }
}

impl Projection {
    fn weights(&self) -> Vec<WeightUse<'_>> {
        let mut all: Vec<_> = self.norm.iter().map(|first| WeightUse::norm(&first.norm)).collect();
        all.push(WeightUse::Matrix(&self.weight));
        all.extend(self.then.bias().map(|parts| WeightUse::Vector(parts.iter().collect())));
        all
    }
}

impl Mixture {
    fn weights(&self) -> Vec<WeightUse<'_>> {
        let mut all = vec![WeightUse::norm(&self.norm.norm), WeightUse::Matrix(&self.router)];
        if let Some(shared) = &self.shared {
            all.extend([&shared.expert.gate_up, &shared.expert.down].map(WeightUse::Matrix));
        }
        let of_all =
            |part: fn(&Expert) -> &Weight| WeightUse::Experts(self.experts.iter().map(part).collect());
        all.extend([of_all(|expert| &expert.gate_up), of_all(|expert| &expert.down)]);
        all
    }

    /// Weights of the experts that a token does not go to.
    fn n_idle_params(&self) -> u64 {
        let idle = |used: &WeightUse<'_>| match used {
            WeightUse::Experts(experts) => {
                n_params(used) / experts.len() as u64 * (experts.len() - self.top_k) as u64
            }
            WeightUse::Matrix(_) | WeightUse::Vector(_) => 0,
        };
        self.weights().iter().map(idle).sum()
    }
}

impl Head {
    /// The weights that it uses, in order of use.
    pub fn weights(&self) -> Vec<WeightUse<'_>> {
        let mut all = vec![WeightUse::norm(&self.norm)];
        for layer in &self.layers {
            all.push(WeightUse::Matrix(&layer.weight));
            all.extend(layer.bias.as_ref().map(|bias| WeightUse::Vector(vec![bias])));
        }
        all
    }
}

impl Plan {
    /// The weights of all operations and of the head, each once, in order of use.
    pub fn weights(&self) -> Vec<WeightUse<'_>> {
        let mut seen = HashSet::new();
        let all = self.ops.iter().flat_map(Op::weights).chain(self.head.weights());
        all.filter(|used| seen.insert(used.clone())).collect()
    }

    /// Every tensor that the plan uses, each once, in order of use.
    pub fn tensors(&self) -> Vec<&TensorRef> {
        let mut seen = HashSet::new();
        let all = self.weights().into_iter().flat_map(|used| used.tensors());
        all.filter(|tensor| seen.insert(&tensor.hf)).collect()
    }

    /// Number of weights.
    pub fn n_params(&self) -> u64 {
        self.tensors().into_iter().map(count).sum()
    }

    /// Weights that a token meets: all but the experts that it does not go to.
    pub fn n_active_params(&self) -> u64 {
        self.n_params() - self.mixtures().map(Mixture::n_idle_params).sum::<u64>()
    }
}

fn n_params(used: &WeightUse<'_>) -> u64 {
    used.tensors().into_iter().map(count).sum()
}

fn count(tensor: &TensorRef) -> u64 {
    tensor.shape.iter().map(|&n| n as u64).product()
}
