//! The devices that the one at hand can pretend to be.

/// Which cases of a check are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every edge at sizes that a CPU device does in no time.
    Full,
    /// A slice of these that touches every kernel once.
    Slice,
    /// The sizes of released models, the most common ones first: a minute on a GPU, hours on a CPU device.
    Real,
    /// A handful of cases at the sizes of a small released model: seconds anywhere.
    Quick,
}

/// Capabilities to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// In the text form of [`qwill_gpu::CapsMask::parse`].
    pub text: &'static str,
    /// How much to run under it: everything where it leads to kernels that no other mask reaches.
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

/// Makes one `#[test]` for each of [`MASKS`] out of the check of that name, so that its cases share a device and its
/// pipelines.
#[macro_export]
macro_rules! under_every_mask {
    ($check:ident) => {
        mod $check {
            $crate::under_every_mask!($check: all 0, as_on_a_gpu 1, as_on_a_gpu_without_subgroups 2, no_subgroups 3,
                no_f16 4, no_dot4 5, max_binding_128_mib 6);
        }
    };
    ($check:ident: $($name:ident $index:literal),*) => {
        $(#[test]
        fn $name() {
            $crate::checks::run_whole(stringify!($check), $crate::MASKS[$index]);
        })*
    };
}
