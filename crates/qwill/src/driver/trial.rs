//! Kernels are chosen and tried while a model is loaded.

#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::time::Duration;

use qwill_gpu::Gpu;
use qwill_kernels::self_test::{self, Findings};
use qwill_kernels::{Choice, Kernels, Tuning};

use crate::{Error, LoadOptions, SelfTest, findings_file};

/// Time that a load may spend on it; what is not tried then is tried at the next load.
const BUDGET: Duration = Duration::from_millis(300);

/// How kernels are shaped and tried while a model is loaded.
pub(crate) struct Trial {
    tuning: Tuning,
    self_test: Option<self_test::SelfTest>,
    known: Findings,
}

impl Trial {
    /// Begins with what is known of a device.
    pub(crate) fn new(gpu: &Gpu, options: &LoadOptions) -> Self {
        let known = match &options.self_test {
            SelfTest::Kept => findings_file::read(gpu),
            SelfTest::From(findings) => findings.clone(),
            SelfTest::Off => Findings::default(),
        };
        let is_on = options.self_test != SelfTest::Off;
        let self_test = is_on.then(|| self_test::SelfTest::new(known.clone(), BUDGET));
        let mut trial = Self { tuning: options.tuning(gpu), self_test, known };
        let choices: Vec<Choice> = trial.known.wrong.iter().filter_map(|wrong| wrong.choice).collect();
        for choice in choices {
            trial.strike(Some(choice));
        }
        trial
    }

    /// What kernels are bound with.
    pub(crate) async fn kernels(&self, gpu: &Rc<Gpu>, options: &LoadOptions) -> Result<Kernels, Error> {
        let kernels = Kernels::new(gpu.clone(), self.tuning.clone()).await?;
        #[cfg(test)]
        let kernels = match options.fault {
            Some(fault) => kernels.with_fault(fault),
            None => kernels,
        };
        #[cfg(not(test))]
        let _ = options;
        Ok(match &self.self_test {
            Some(self_test) => kernels.with_self_test(self_test.clone()),
            None => kernels,
        })
    }

    /// Lets something else be chosen; false if there is nothing else.
    pub(crate) fn strike(&mut self, choice: Option<Choice>) -> bool {
        choice.is_some_and(|choice| self.tuning.strike(choice))
    }

    /// What is known in the end, which is also kept where that was asked for.
    pub(crate) fn end(&self, gpu: &Gpu, options: &LoadOptions) -> Findings {
        let Some(self_test) = &self.self_test else { return Findings::default() };
        let findings = self_test.findings().clone();
        if options.self_test == SelfTest::Kept && findings != self.known {
            findings_file::write(gpu, &findings);
        }
        findings
    }
}
