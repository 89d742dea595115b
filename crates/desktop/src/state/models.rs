//! Choosing and loading a model.

use super::{Effect, ModelFacts, ModelReport, Plan, State};
use crate::settings::Settings;

/// What there is of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ModelState {
    /// Nothing.
    #[default]
    None,
    /// It is on its way.
    Loading {
        /// Its name.
        source: String,
        /// What is being done.
        doing: String,
        /// Bytes that are done, of how many.
        bytes: (u64, u64),
    },
    /// It can be asked.
    Ready(ModelFacts),
    /// It could not be loaded.
    Failed {
        /// Its name.
        source: String,
        /// Why.
        reason: String,
    },
}

impl State {
    pub(super) fn load(&mut self, source: String) -> Vec<Effect> {
        let effects = self.stop();
        let options = Box::new(self.settings.load_options());
        self.model = ModelState::Loading { source: source.clone(), doing: "Loading".into(), bytes: (0, 0) };
        effects.into_iter().chain([Effect::Load { source, options }]).collect()
    }

    pub(super) fn plan_model(&mut self) -> Vec<Effect> {
        let source = self.wanted_model.trim().to_owned();
        if source.is_empty() {
            return Vec::new();
        }
        self.plan = Some(Plan::Asked);
        vec![Effect::Plan { source, options: Box::new(self.settings.load_options()) }]
    }

    pub(super) fn load_wanted(&mut self) -> Vec<Effect> {
        let source = self.wanted_model.trim().to_owned();
        if source.is_empty() {
            return Vec::new();
        }
        (self.panel, self.plan) = (None, None);
        self.settings = Settings { model: Some(source.clone()), ..self.settings.clone() };
        let kept = Effect::KeepSettings(Box::new(self.settings.clone()));
        let mut effects = self.load(source);
        effects.push(kept);
        effects
    }

    pub(super) fn hear_of_model(&mut self, report: ModelReport) -> Vec<Effect> {
        let source = match &self.model {
            ModelState::Loading { source, .. } => source.clone(),
            _ => String::new(),
        };
        self.model = match report {
            ModelReport::Loading { doing, bytes } => ModelState::Loading { source, doing, bytes },
            ModelReport::Loaded(facts) => ModelState::Ready(*facts),
            ModelReport::Failed(reason) => ModelState::Failed { source, reason },
            ModelReport::Cancelled => ModelState::None,
            ModelReport::Planned { source, plan } => {
                if source == self.wanted_model.trim() {
                    self.plan = Some(plan);
                }
                return Vec::new();
            }
        };
        Vec::new()
    }
}
