//! What a launcher returns, and what every launcher needs.

use std::rc::Rc;

use bytemuck::NoUninit;
use qwill_gpu::{Buffer, Dispatch, Gpu, Grid, KernelSource, ParamArena};

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
        Ok(Self { gpu, templates: Templates::default(), tuning, arena })
    }

    /// How kernels are shaped.
    pub fn tuning(&self) -> &Tuning {
        &self.tuning
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
        let pipeline = self.gpu.pipeline(source).await?;
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
