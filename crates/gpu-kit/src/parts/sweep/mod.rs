//! `sweep`: what would be faster than what the tuning table chooses. Every candidate of a choice is checked against the
//! kernel's twin and timed at the sizes of 0.6B and 8B models; the best become a tuning that `qwill --tuning` takes.

mod decode;
mod experts;
mod gemm;
mod gemv;
mod site;

use std::fmt::Debug;

use qwill_kernels::{Candidates, Tuning};
use qwill_testkit::Rig;
use qwill_weights::Layout;
use serde::Serialize;

use self::site::{Found, Site, measure};
use crate::failure::Stop;
use crate::job::{Job, Size};
use crate::measure::Stopwatch;

/// What is found, and the tuning that follows from it.
#[derive(Serialize)]
struct Result {
    sites: Vec<Found>,
    /// For `qwill --tuning FILE`.
    tuning: Tuning,
}

/// A sweep under way.
struct Sweep<'a> {
    job: &'a mut Job,
    rig: Rig,
    watch: Stopwatch,
    /// What the device's facts choose.
    present: Tuning,
    result: Result,
    late: bool,
}

/// Times all candidates at all sites.
pub(crate) fn run(job: &mut Job) -> std::result::Result<String, Stop> {
    let rig = Rig::open("");
    let present = rig.kernels.tuning().clone();
    let watch = Stopwatch::of(job.size);
    let result = Result { sites: Vec::new(), tuning: present.clone() };
    let mut sweep = Sweep { job, rig, watch, present, result, late: false };
    let layouts: &[Layout] = match sweep.job.size {
        Size::Full => &[Layout::Q4, Layout::Q8, Layout::BF16, Layout::Q4K],
        Size::Quick => &[Layout::Q4],
    };
    for rule in 0..sweep.present.gemv.len() {
        let above = rule.checked_sub(1).and_then(|before| sweep.present.gemv[before].most);
        let range = above.map_or(0, |above| above + 1)..=sweep.present.gemv[rule].most.unwrap_or(usize::MAX);
        let sites = gemv::sites(sweep.job.size, layouts).into_iter().filter(|site| range.contains(&site.k));
        sweep.choose("gemv", |tuning| &mut tuning.gemv[rule].candidates, sites)?;
    }
    let last = sweep.present.gemm.len() - 1;
    sweep.choose("gemm", |tuning| &mut tuning.gemm[last].candidates, gemm::sites(sweep.job.size, layouts))?;
    sweep.choose(
        "attend_workgroups",
        |tuning| &mut tuning.attend_workgroups,
        decode::sites(sweep.job.size),
    )?;
    let last = sweep.present.experts_tile_m.len() - 1;
    sweep.choose(
        "experts_tile_m",
        |tuning| &mut tuning.experts_tile_m[last].candidates,
        experts::sites(sweep.job.size),
    )?;
    let Sweep { result, late, .. } = sweep;
    let finding = result.finding();
    match result
        .sites
        .iter()
        .flat_map(|site| &site.candidates)
        .find_map(|candidate| candidate.error.as_deref())
    {
        Some(error) => Err(Stop::Failed(format!("{finding}; {error}"))),
        None if late => Err(Stop::OutOfTime(finding)),
        None => Ok(finding),
    }
}

impl Result {
    fn finding(&self) -> String {
        let gains: Vec<String> = self
            .sites
            .iter()
            .filter_map(|site| {
                site.gain().filter(|&gain| gain > 1.02).map(|gain| format!("{} {gain:.2}", site.site))
            })
            .collect();
        let gains = if gains.is_empty() { "none".to_owned() } else { gains.join(", ") };
        format!("{} sites; times as fast with another candidate: {gains}", self.sites.len())
    }
}

impl Sweep<'_> {
    /// Times all candidates of a choice at all of its sites, and prefers the one that is best over all of them.
    fn choose<T: Copy + PartialEq + Debug + Serialize, S: Site<T>>(
        &mut self,
        choice: &'static str,
        of: impl Fn(&mut Tuning) -> &mut Candidates<T>,
        sites: impl IntoIterator<Item = S>,
    ) -> std::result::Result<(), Stop> {
        let candidates = of(&mut self.present.clone()).all().to_vec();
        if candidates.len() == 1 && self.job.size == Size::Full {
            return Ok(());
        }
        // logarithms of the times as shares of the present choice's
        let mut sums = vec![0.0; candidates.len()];
        for mut site in sites {
            let mut found = Found::new(choice, site.name());
            let mut seconds = Vec::new();
            let mut timed: Vec<(T, f64)> = Vec::new();
            for &candidate in &candidates {
                if self.job.is_late() {
                    self.late = true;
                    return Ok(());
                }
                let shape = site.as_taken(candidate);
                // several candidates may come to the same at a site
                if let Some(&(_, known)) = timed.iter().find(|(other, _)| *other == shape) {
                    seconds.push(known);
                    continue;
                }
                let mut tuning = self.present.clone();
                of(&mut tuning).prefer(candidate);
                self.rig.tune(tuning);
                let taken = measure(&mut self.rig, &self.watch, &mut site, shape, &mut found);
                timed.push((shape, taken));
                seconds.push(taken);
            }
            for (sum, seconds_of) in sums.iter_mut().zip(&seconds) {
                *sum += (seconds_of / seconds[0]).ln();
            }
            self.result.sites.push(found);
            let best =
                sums.iter().enumerate().filter(|(_, sum)| !sum.is_nan()).min_by(|a, b| a.1.total_cmp(b.1));
            if let Some((best, _)) = best {
                of(&mut self.result.tuning).prefer(candidates[best]);
            }
            self.job.save(&self.result)?;
        }
        Ok(())
    }
}
