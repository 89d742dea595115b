//! Attention, of which there is one kernel for each shape.

use crate::{Attend, AttendBuffers, Error, Kernels, Launch, Rotate, RotateBuffers, attention, self_test};

impl Kernels {
    /// QK-norm, rotary embedding and cache write of all tokens of a step.
    pub async fn rotate_heads(
        &mut self,
        shape: &Rotate,
        buffers: &RotateBuffers<'_>,
    ) -> Result<Launch, Error> {
        let has_norm = buffers.qk_norm.is_some();
        shape.check()?;
        let source = attention::rotate_source(&self.templates, shape, has_norm);
        let case = async |kernels: &mut Self| self_test::rotate_heads(kernels, shape, has_norm).await;
        self.prove(&source, None, case).await?;
        self.bind_rotate_heads(shape, buffers).await
    }

    /// Attention of spans of one token over their caches in at most `max_splits` splits: two launches.
    pub async fn attend_decode(
        &mut self,
        shape: &Attend,
        buffers: &AttendBuffers<'_>,
        max_splits: usize,
    ) -> Result<[Launch; 2], Error> {
        shape.check()?;
        let source = attention::decode_source(&self.templates, shape);
        let case = async |kernels: &mut Self| self_test::attend_decode(kernels, shape).await;
        self.prove(&source, None, case).await?;
        self.bind_attend_decode(shape, buffers, max_splits).await
    }

    /// Attention of the tokens of spans of more than one token.
    pub async fn attend_prefill(
        &mut self,
        shape: &Attend,
        buffers: &AttendBuffers<'_>,
    ) -> Result<Launch, Error> {
        shape.check()?;
        let source = attention::prefill_source(&self.templates, shape);
        let case = async |kernels: &mut Self| self_test::attend_prefill(kernels, shape).await;
        self.prove(&source, None, case).await?;
        self.bind_attend_prefill(shape, buffers).await
    }
}
