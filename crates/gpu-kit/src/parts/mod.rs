//! The parts of the kit, one file each. A new one is a file and a line in [`PARTS`].

mod device;
mod kernels;
mod limits;
mod load;
mod profile;
mod right;
mod speed;
mod sweep;

use crate::failure::Stop;
use crate::job::Job;

/// One part.
pub(crate) struct Part {
    /// Its name: of its file, and for `--only`.
    pub(crate) name: &'static str,
    /// How much of the time it gets, compared with the others: its seconds, if all of them have eight minutes.
    pub(crate) share: u32,
    /// Does it, and says in a line what was found.
    pub(crate) run: fn(&mut Job) -> Result<String, Stop>,
}

/// All parts, the most valuable ones first.
pub(crate) const PARTS: &[Part] = &[
    Part { name: "device", share: 10, run: device::run },
    Part { name: "right", share: 80, run: right::run },
    Part { name: "kernels", share: 80, run: kernels::run },
    Part { name: "limits", share: 40, run: limits::run },
    Part { name: "speed", share: 160, run: speed::run },
    Part { name: "profile", share: 40, run: profile::run },
    Part { name: "sweep", share: 70, run: sweep::run },
    Part { name: "load", share: 60, run: load::run },
];
