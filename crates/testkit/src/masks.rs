//! The devices that the one at hand can pretend to be.

/// How much of a suite a mask is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything: the mask leads to kernels that no other mask reaches.
    Full,
    /// A slice that touches every kernel once.
    Slice,
}

/// Capabilities to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// In the text form of [`qwill_gpu::CapsMask::parse`].
    pub text: &'static str,
    /// How much to run under it.
    pub depth: Depth,
}

/// Every mask that tests run under. `no-software` makes llvmpipe run what a GPU would.
pub const MASKS: [Mask; 7] = [
    Mask { text: "", depth: Depth::Full },
    Mask { text: "no-software", depth: Depth::Full },
    Mask { text: "no-software,no-subgroups", depth: Depth::Full },
    Mask { text: "no-subgroups", depth: Depth::Slice },
    Mask { text: "no-f16", depth: Depth::Slice },
    Mask { text: "no-dot4", depth: Depth::Slice },
    Mask { text: "max-binding=128MiB", depth: Depth::Slice },
];

/// Makes one `#[test]` for each of [`MASKS`] out of `fn $suite(rig: &Rig, depth: Depth)`, so that the kernels of a
/// suite share a device and its pipelines.
#[macro_export]
macro_rules! under_every_mask {
    ($suite:ident) => {
        mod $suite {
            $crate::under_every_mask!($suite: all 0, as_on_a_gpu 1, as_on_a_gpu_without_subgroups 2, no_subgroups 3,
                no_f16 4, no_dot4 5, max_binding_128_mib 6);
        }
    };
    ($suite:ident: $($name:ident $index:literal),*) => {
        $(#[test]
        fn $name() {
            let mask = $crate::MASKS[$index];
            super::$suite(&mut $crate::Rig::open(mask.text), mask.depth);
        })*
    };
}
