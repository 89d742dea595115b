//! Steps: from plain data to what the device runs.

use qwill_gpu::Read;
use qwill_kernels::{
    DrawClass, Launch, StepOutput, StepParts, StepReport, StepSpan, TokenSource, align_row, prefill_rows,
};
use qwill_models::step::{Among, MAX_BIASES, MAX_TOP_LOGPROBS, Source, Span, Step, Want};

use super::adapters::Part;
use super::pending::{Pending, Wanted};
use super::stage::Size;
use super::{Engine, MAX_OUTPUTS, Ready};
use crate::Error;

/// A step that is written to the device.
pub struct Written {
    pub(super) shape: qwill_kernels::StepShape,
    pub(super) wanted: Wanted,
    /// The numbers of the adapters that it uses.
    adapters: Vec<u64>,
}

impl Written {
    /// Bytes of tokens and reports that come back from it.
    pub fn drawn_bytes(&self) -> u64 {
        self.wanted.drawn_bytes()
    }
}

impl Engine {
    /// Writes a step to the device: all that [`Self::ready`] needs.
    pub async fn write(&mut self, step: &Step) -> Result<Written, Error> {
        self.check_step(step)?;
        for begin in &step.begins {
            self.begin(begin).await?;
        }
        // spans of one token first, as kernels want them
        let mut order: Vec<usize> = (0..step.spans.len()).collect();
        order.sort_by_key(|&index| step.spans[index].tokens.len() > 1);
        let mut first_tokens = vec![0; step.spans.len()];
        let mut n_tokens = 0;
        for &index in &order {
            first_tokens[index] = n_tokens;
            n_tokens += step.spans[index].tokens.len();
        }
        for (span, output) in step.outputs() {
            if matches!(output.want, Want::Token { among: Among::All, .. }) {
                self.allow_all(span.slot);
            }
        }
        let (outputs, wanted) = self.outputs(step, &first_tokens);
        if outputs.iter().any(|output| output.report.is_some()) {
            self.prepare_report().await?;
        }

        let tokens: Vec<Vec<TokenSource>> = step.spans.iter().map(token_sources).collect();
        let angles: Vec<Vec<f32>> = step.spans.iter().map(|span| self.angles(span)).collect();
        let span = |&index: &usize| StepSpan {
            tokens: &tokens[index],
            slot: step.spans[index].slot,
            position: step.spans[index].position as u32,
            pages: &step.spans[index].pages,
            angles: &angles[index],
        };
        let spans: Vec<StepSpan<'_>> = order.iter().map(span).collect();
        let tile_rows = prefill_rows(self.plan().dims.head_dim);
        let (words, shape) = StepParts { spans: &spans, outputs: &outputs, tile_rows }.encode();
        self.gpu.write(&self.steering.step, 0, bytemuck::cast_slice(&words));
        let in_order: Vec<&Span> = order.iter().map(|&index| &step.spans[index]).collect();
        let adapters = self.adapters.write_rows(&self.gpu, &in_order, &outputs);
        Ok(Written { shape, wanted, adapters })
    }

    fn check_step(&self, step: &Step) -> Result<(), Error> {
        let options = &self.options;
        let n_outputs = step.outputs().count();
        let has_slot = |span: &Span| (span.slot as usize) < options.n_slots;
        if step.n_tokens() > options.chunk || n_outputs > MAX_OUTPUTS || !step.spans.iter().all(has_slot) {
            return Err(Error::Kernel(format!(
                "a step of {} tokens and {n_outputs} outputs does not fit an engine for {} tokens, {MAX_OUTPUTS} outputs and \
                 {} texts at a time",
                step.n_tokens(),
                options.chunk,
                options.n_slots
            )));
        }
        if let Some(begin) = step.begins.iter().find(|begin| begin.bias.len() > MAX_BIASES) {
            return Err(Error::Kernel(format!(
                "{} biases of a text; there is room for {MAX_BIASES}",
                begin.bias.len()
            )));
        }
        let n_top = step.outputs().map(|(_, output)| output.want.n_top()).max().unwrap_or(0);
        if n_top > MAX_TOP_LOGPROBS {
            return Err(Error::Kernel(format!(
                "{n_top} most likely tokens of an output; there is room for {MAX_TOP_LOGPROBS}"
            )));
        }
        step.spans.iter().try_for_each(|span| self.adapters.check_span(span))
    }

    /// Angles of a span's tokens.
    fn angles(&self, span: &Span) -> Vec<f32> {
        self.plan().rope.table(span.n_prompt, span.position..span.position + span.tokens.len())
    }

    /// The rows of outputs in the order that kernels want, and which row each answer comes from.
    fn outputs(&self, step: &Step, first_tokens: &[usize]) -> (Vec<StepOutput>, Wanted) {
        let mut rows: Vec<(usize, Want, StepOutput)> = Vec::new();
        for (span, first_token) in step.spans.iter().zip(first_tokens) {
            for output in &span.outputs {
                let token = (first_token + output.row) as u32;
                let nothing =
                    StepOutput { token, slot: span.slot, seed: 0, index: 0, draw: None, report: None };
                let row = match output.want {
                    Want::Token { seed, index, logprobs, .. } => {
                        let report = |n_top: u8| StepReport { token: TokenSource::Next, n_top: n_top.into() };
                        let draw = Some(self.classes[span.slot as usize]);
                        StepOutput { seed, index, draw, report: logprobs.map(report), ..nothing }
                    }
                    Want::Logprobs { token, n_top } => {
                        let report = StepReport { token: TokenSource::Id(token), n_top: n_top.into() };
                        StepOutput { report: Some(report), ..nothing }
                    }
                    Want::Scores | Want::State => nothing,
                };
                rows.push((rows.len(), output.want, row));
            }
        }
        rows.sort_by_key(|(_, want, row)| match want {
            Want::Token { .. } => row.draw.map_or(0, |class| class as usize),
            Want::Logprobs { .. } => DrawClass::ALL.len(),
            Want::Scores => DrawClass::ALL.len() + 1,
            Want::State => DrawClass::ALL.len() + 2,
        });
        let wanted = Wanted::new(rows.iter().map(|&(answer, want, _)| (answer, want)));
        (rows.into_iter().map(|(.., row)| row).collect(), wanted)
    }

    /// The step that was written last, as often as wanted.
    pub fn ready(&self, written: &Written) -> Ready<'_> {
        let launches = self.forward(written).into_iter().chain(self.draws());
        Ready::new(&self.gpu, launches, written.shape.clone())
    }

    /// From tokens to what the head gives.
    fn forward(&self, written: &Written) -> Vec<&Launch> {
        let Written { shape, wanted, adapters } = written;
        let size = Size::of(shape.n_tokens);
        let mut launches =
            self.program.layers.in_order(size, &self.adapters.additions(adapters, Part::Layers));
        let size = Size::of(shape.n_outputs);
        launches.extend(self.program.norm.get(size));
        if wanted.needs_head() {
            let additions = self.adapters.additions(adapters, Part::Head);
            launches.extend(self.program.head.in_order(size, &additions));
        }
        launches
    }

    /// Tokens and reports.
    fn draws(&self) -> impl Iterator<Item = &Launch> {
        let samplers = DrawClass::ALL.into_iter().flat_map(|class| self.samplers.get(&class)).flatten();
        samplers.chain(&self.report)
    }

    /// Puts a step behind those that were submitted before. Where tokens are drawn among listed ones, `lists` is called for
    /// them while the device computes what they are drawn from: `[Step::n_lists]` of [`Self::list_words`] words.
    pub async fn submit(
        &mut self,
        step: &Step,
        lists: impl FnOnce() -> Vec<Vec<u32>>,
    ) -> Result<Pending, Error> {
        self.gpu.check()?;
        let written = self.write(step).await?;
        let drawn = self.staging.take()?;
        let width = self.plan().head.width(&self.plan().dims);
        let hidden_size = self.plan().dims.hidden_size;
        let scores = self.reading(written.wanted.scores.len(), width).await?;
        let states = self.reading(written.wanted.states.len(), hidden_size).await?;

        let forward = Ready::new(&self.gpu, self.forward(&written), written.shape.clone());
        let mut pass = self.gpu.step();
        for copy in &step.copies {
            self.copy_page(&mut pass, copy);
        }
        forward.record_into(&mut pass);
        if step.n_lists() > 0 {
            pass.submit();
            self.write_lists(step, &lists());
            pass = self.gpu.step();
        }
        Ready::new(&self.gpu, self.draws(), written.shape.clone()).record_into(&mut pass);
        let wanted = &written.wanted;
        // something is read in any case: that tells when the step has ended
        let mut reads =
            vec![Read { source: (&self.steering.drawn, 0), target: &drawn, bytes: wanted.drawn_bytes() }];
        for (target, source, first_row, width) in [
            (&scores, self.program.outputs(), wanted.scores.start, width),
            (&states, self.program.states(), wanted.states.start, hidden_size),
        ] {
            if let Some(target) = target {
                let offset = first_row * align_row(width) * 4;
                reads.push(Read { source: (source, offset as u64), target, bytes: target.size() });
            }
        }
        let readbacks = pass.submit_and_read_all(&reads);
        Ok(Pending::new(self, written.wanted, (drawn, width), readbacks))
    }
}

fn token_sources(span: &Span) -> Vec<TokenSource> {
    let source = |source: &Source| match *source {
        Source::Id(id) => TokenSource::Id(id),
        Source::Next => TokenSource::Next,
    };
    span.tokens.iter().map(source).collect()
}
