//! Launches of what follows the last layer.

use qwill_kernels::{Epilogue, Launch, NormRows, Project, align_row, norm_rms};
use qwill_models::{Head, HeadThen, Outputs, TensorRef, Weight};

use super::{Linker, side_by_side};
use crate::Error;
use crate::engine::bind::bind_project;
use crate::engine::stage::{BySize, Target, Work};

impl Linker<'_> {
    pub(super) async fn head(&mut self, head: &Head) -> Result<(), Error> {
        let norm = self.shared.weights.norm(&head.norm)?;
        let n_cols = self.program.plan.dims.hidden_size;
        let (input, states) = (self.register(head.input), self.register(head.states));
        let rows = NormRows::Outputs;
        for launches in self.program.norm.all_mut() {
            let step = &self.shared.steering.step;
            launches.push(norm_rms(self.kernels, step, &input, &norm, n_cols, rows, &states).await?);
        }
        let mut x = states;
        for (index, layer) in head.layers.iter().enumerate() {
            let y = self.register(layer.output);
            let bias = layer.bias.as_ref().map(|bias| self.shared.weights.vector(&[bias])).transpose()?;
            let epilogue = match layer.then {
                HeadThen::Store => Epilogue::Store(bias),
                HeadThen::Relu => Epilogue::Relu(bias),
            };
            let matrices = self.shared.weights.matrices(&layer.weight)?;
            let projects = side_by_side(matrices, |matrix, first_output| Project {
                matrix,
                x: x.clone(),
                y: y.clone(),
                y_stride: align_row(layer.weight.n_rows()),
                first_output,
                epilogue: epilogue.clone(),
            });
            let mut bound = BySize::<Vec<Launch>>::default();
            for project in &projects {
                let chunk = self.shared.options.chunk;
                bound.append(bind_project(self.kernels, chunk, project, None, rows).await?);
            }
            let mut weight = layer.weight.clone();
            if head.outputs == Outputs::Logits && index + 1 == head.layers.len() {
                // an adapter of a tied head changes the head, not the embedding
                let shape = [weight.n_rows(), n_cols];
                weight = Weight::single(TensorRef::new("lm_head.weight", "output.weight", &shape));
            }
            let work = Work::Project { projects, norm: None, rows };
            self.program.head.push_site(bound, Target { weights: [weight].into(), work });
            x = y;
        }
        Ok(())
    }
}
