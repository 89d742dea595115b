//! What a launcher returns, and what every launcher needs.

use std::borrow::Cow;
use std::rc::Rc;

use bytemuck::NoUninit;
use qwill_gpu::{Buffer, Dispatch, Gpu, Grid, KernelSource, ParamArena, PipelineId};

use crate::findings::SelfTest;
use crate::{Cost, Error, StepShape, Templates, Tuning};

type GridRule = Box<dyn Fn(&StepShape) -> Grid>;
type CostRule = Box<dyn Fn(&StepShape) -> Cost>;

/// A bound kernel whose grid follows from the shape of the step.
pub struct Launch {
    /// The kernel's name.
    pub kernel: &'static str,
    /// What tells it apart from the kernel's other launches: number format, sizes, what is done to the product.
    pub detail: String,
    /// Bytes of weights that it reads.
    pub weight_bytes: u64,
    /// Pipeline, buffers and parameters.
    pub dispatch: Dispatch,
    grid: GridRule,
    cost: CostRule,
}

impl Launch {
    /// Workgroups for a step of this shape.
    pub fn grid(&self, shape: &StepShape) -> Grid {
        (self.grid)(shape)
    }

    /// Work in a step of this shape.
    pub fn cost(&self, shape: &StepShape) -> Cost {
        (self.cost)(shape)
    }

    /// Says what it is and what it costs.
    pub(crate) fn costing(self, detail: String, cost: impl Fn(&StepShape) -> Cost + 'static) -> Self {
        Self { detail, cost: Box::new(cost), ..self }
    }
}

/// Everything that launchers share: the device, the templates, the parameter arena.
pub struct Kernels {
    /// The device.
    pub gpu: Rc<Gpu>,
    pub(crate) templates: Templates,
    pub(crate) tuning: Tuning,
    /// Kernels are tried before they are bound.
    pub(crate) self_test: Option<SelfTest>,
    /// What makes kernels wrong.
    #[cfg(feature = "fault")]
    fault: Option<fn(&mut KernelSource)>,
    arena: ParamArena,
}

impl Kernels {
    /// Prepares the arena on a device, for kernels of these shapes.
    ///
    /// # Errors
    /// If the tuning is another device's, see [`Tuning::check`], or the arena cannot be made.
    pub async fn new(gpu: Rc<Gpu>, tuning: Tuning) -> Result<Self, Error> {
        tuning.check(gpu.caps())?;
        let arena = ParamArena::new(&gpu).await?;
        Ok(Self {
            gpu,
            templates: Templates::default(),
            tuning,
            self_test: None,
            #[cfg(feature = "fault")]
            fault: None,
            arena,
        })
    }

    /// From here on kernels are tried before they are bound, see [`self_test`](crate::self_test).
    #[must_use]
    pub fn with_self_test(self, self_test: SelfTest) -> Self {
        Self { self_test: Some(self_test), ..self }
    }

    /// How kernels are shaped.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
    }

    /// From here on the device gets to see of kernels what a test makes of them.
    #[cfg(feature = "fault")]
    #[must_use]
    pub fn with_fault(self, fault: fn(&mut KernelSource)) -> Self {
        Self { fault: Some(fault), ..self }
    }

    pub(crate) async fn compile(&self, source: &KernelSource) -> Result<PipelineId, Error> {
        Ok(self.gpu.pipeline(&self.as_compiled(source)).await?)
    }

    /// What the device gets to see of a kernel: its text, unless a test makes it wrong.
    fn as_compiled<'s>(&self, source: &'s KernelSource) -> Cow<'s, KernelSource> {
        #[cfg(feature = "fault")]
        if let Some(fault) = self.fault {
            let mut source = source.clone();
            fault(&mut source);
            return Cow::Owned(source);
        }
        Cow::Borrowed(source)
    }

    pub(crate) async fn launch<P: NoUninit>(
        &mut self,
        kernel: &'static str,
        source: &KernelSource,
        params: Option<&P>,
        buffers: &[&Buffer],
        grid: impl Fn(&StepShape) -> Grid + 'static,
    ) -> Result<Launch, Error> {
        debug_assert_eq!(
            source.params_bytes(),
            params.map(|_| size_of::<P>()),
            "the parameters of {} are not those of its launcher",
            source.name
        );
        let pipeline = self.compile(source).await?;
        let slot = params.map(|params| self.arena.push(&self.gpu, params)).transpose()?;
        let dispatch = self.gpu.dispatch(pipeline, &source.bindings, &self.arena, slot, buffers);
        Ok(Launch {
            kernel,
            detail: String::new(),
            weight_bytes: 0,
            dispatch,
            grid: Box::new(grid),
            cost: Box::new(|_| Cost::default()),
        })
    }
}
