//! A device with everything that a kernel test needs.

use std::rc::Rc;
use std::time::Instant;

use bytemuck::{AnyBitPattern, NoUninit};
use pollster::block_on;
use qwill_gpu::{Buffer, Caps, CapsMask, Gpu, GpuOptions, Usage};
use qwill_kernels::{Kernels, Launch, StepShape, Tuning};

/// An open device under a mask. Its methods wait for the device and panic with its words when something fails.
pub struct Rig {
    /// What launchers want.
    pub kernels: Kernels,
    gpu: Rc<Gpu>,
    deadline: Option<Instant>,
}

impl Rig {
    /// Opens the machine's best device with what `mask` names hidden; see [`crate::MASKS`].
    pub fn open(mask: &str) -> Self {
        let mask = CapsMask::parse(mask).expect("a mask that parses");
        let gpu = block_on(Gpu::open(&GpuOptions { mask, ..Default::default() }));
        let gpu = Rc::new(gpu.unwrap_or_else(|error| panic!("{error}")));
        let kernels = kernels(&gpu, Tuning::of(gpu.caps()));
        Self { kernels, gpu, deadline: None }
    }

    /// From then on [checks](crate::checks) skip the cases that are left.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Shapes kernels otherwise from here on.
    pub fn tune(&mut self, tuning: Tuning) {
        self.kernels = kernels(&self.gpu, tuning);
    }

    /// The device.
    pub fn gpu(&self) -> &Rc<Gpu> {
        &self.gpu
    }

    /// What it can do under the mask.
    pub fn caps(&self) -> &Caps {
        self.gpu.caps()
    }

    /// A buffer with these numbers, `f32`, `u32` or a plain struct.
    pub fn upload<T: NoUninit>(&self, label: &str, data: &[T]) -> Buffer {
        let buffer = self.empty(label, size_of_val(data));
        self.gpu.write(&buffer, 0, bytemuck::cast_slice(data));
        buffer
    }

    /// Writes a piece of a large buffer from byte `offset` on, and waits, so that what is on its way stays small.
    pub fn write<T: NoUninit>(&self, buffer: &Buffer, offset: usize, data: &[T]) {
        self.gpu.write(buffer, offset as u64, bytemuck::cast_slice(data));
        block_on(self.gpu.flush()).unwrap_or_else(|error| panic!("{error}"));
    }

    /// A buffer of zeros.
    pub fn empty(&self, label: &str, bytes: usize) -> Buffer {
        block_on(self.gpu.buffer(label, bytes as u64, Usage::Storage))
            .unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs launches in one pass, in order.
    pub fn run<'a>(&self, launches: impl IntoIterator<Item = &'a Launch>, shape: StepShape) {
        let mut step = self.gpu.step();
        for launch in launches {
            step.run(&launch.dispatch, launch.grid(&shape));
        }
        step.submit();
    }

    /// Reads the whole of a buffer, after everything that was run.
    pub fn read<T: AnyBitPattern + NoUninit>(&self, buffer: &Buffer) -> Vec<T> {
        let bytes =
            block_on(self.gpu.read(buffer, 0, buffer.size())).unwrap_or_else(|error| panic!("{error}"));
        bytemuck::pod_collect_to_vec(&bytes)
    }
}

fn kernels(gpu: &Rc<Gpu>, tuning: Tuning) -> Kernels {
    block_on(Kernels::new(gpu.clone(), tuning)).unwrap_or_else(|error| panic!("{error}"))
}
