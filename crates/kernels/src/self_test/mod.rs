//! Kernels tried on the device before a model uses them.
//!
//! A driver's compiler may make something wrong of a right kernel, and nobody would notice but for nonsense in the
//! replies. So a launcher runs a small case of the variant that it is about to bind and compares it with the kernel's
//! [twin](crate::cpu), unless the device is known to do it right. A variant that is wrong ends the binding with
//! [`Error::Wrong`]; who loads the model [strikes](crate::Tuning::strike) it from the tuning and binds again.
//!
//! What was found is kept, see [`Findings`]: a device is asked once.

mod attention;
mod case;
mod experts;
mod host_matrix;
mod mixture;
mod projections;
mod rng;
mod rows;
mod sampling;

use qwill_gpu::KernelSource;
use web_time::Instant;

pub use self::attention::{restored, stored};
pub use self::host_matrix::{HostMatrix, padded_rows, whole_blocks};
pub use self::rng::Rng;
pub(crate) use self::{
    attention::{attend_decode, attend_prefill, rotate_heads},
    experts::{gemm_experts, gemv_experts},
    mixture::{combine_experts, group_tokens, route_experts},
    projections::{gemm, gemv},
    rows::{embed_rows, norm_rms, silu_mul},
    sampling::{report_logprobs, sample_token, select_candidates},
};
pub use crate::findings::{Findings, SelfTest};
use crate::{Choice, Error, Kernels, WrongKernel};

/// How far off a result may be, relative to the lengths of the vectors whose product it is. Sums of f32 stay far below it;
/// what is wrong is far above.
const TOLERANCE: f64 = 1e-4;

/// The small case of a kernel: the worst error relative to its scale.
pub(crate) type Worst = Result<f64, Error>;

impl Kernels {
    /// Runs the small case of a kernel that is about to be bound, unless there is nothing to find out. `choice` is what
    /// would have to be chosen otherwise if it is wrong.
    ///
    /// # Errors
    /// [`Error::Wrong`] if it is.
    pub(crate) async fn prove(
        &mut self,
        source: &KernelSource,
        choice: Option<Choice>,
        case: impl AsyncFnOnce(&mut Self) -> Worst,
    ) -> Result<(), Error> {
        let Some(self_test) = self.self_test.clone().filter(|self_test| self_test.wants(source)) else {
            return Ok(());
        };
        // a compiler that refuses it is as good a reason as a wrong result
        let compiled = self.compile(source).await;
        let started = Instant::now();
        let worst = match compiled {
            Ok(_) => case(self).await,
            Err(error) => Err(error),
        };
        let reason = match worst {
            Ok(worst) if worst <= TOLERANCE => None,
            Ok(worst) => {
                Some(format!("its error is {worst:.1e} of what it sums up, {TOLERANCE:.0e} is allowed"))
            }
            Err(Error::Gpu(qwill_gpu::Error::Kernel { reason, .. })) => Some(reason),
            // a model that just fits leaves no room for cases
            Err(Error::Gpu(qwill_gpu::Error::OutOfMemory { .. })) => return Ok(()),
            Err(error) => return Err(error),
        };
        let wrong = reason.map(|reason| WrongKernel { kernel: source.name.clone(), choice, reason });
        self_test.note(source, wrong.as_ref(), started.elapsed());
        wrong.map_or(Ok(()), |wrong| Err(Error::Wrong(wrong)))
    }
}
