//! Settings.

use std::ops::RangeInclusive;

use eframe::egui::{ComboBox, DragValue, Grid, ScrollArea, TextEdit, Ui};

use super::name;
use crate::settings::{Cache, Settings, Theme, Thinking};
use crate::state::{Action, ModelState, State};

/// Contexts on offer.
const CONTEXTS: [usize; 8] = [1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 131_072];

pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let mut settings = state.settings.clone();
    ui.set_width(480.0);
    ui.heading("Settings");
    ui.add_space(8.0);
    let height = (ui.ctx().content_rect().height() - 160.0).max(200.0);
    ScrollArea::vertical().max_height(height).show(ui, |ui| {
        ui.label("System prompt");
        let field = TextEdit::multiline(&mut settings.system_prompt)
            .hint_text("What every conversation begins with")
            .desired_rows(3)
            .desired_width(f32::INFINITY);
        let response = ui.add(field);
        name(ui.ctx(), &response, "System prompt");
        ui.add_space(6.0);
        Grid::new("settings").num_columns(2).spacing([24.0, 8.0]).show(ui, |ui| {
            of_replies(ui, &mut settings, state);
            of_models(ui, &mut settings, state);
            ui.label("Colours");
            let themes =
                [(Theme::System, "As the system has them"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];
            choice(ui, "Colours", &mut settings.theme, &themes);
            ui.end_row();
        });
    });
    ui.add_space(8.0);
    if ui.button("Close").clicked() {
        actions.push(Action::Show(None));
    }
    if settings != state.settings {
        actions.push(Action::Choose(Box::new(settings)));
    }
}

fn of_replies(ui: &mut Ui, settings: &mut Settings, state: &State) {
    ui.label("Thoughts");
    let choices = [(Thinking::Model, "As the model has them"), (Thinking::On, "On"), (Thinking::Off, "Off")];
    choice(ui, "Thoughts", &mut settings.thinking, &choices);
    ui.end_row();
    let (temperature, top_k, top_p) = match &state.model {
        ModelState::Ready(facts) => (facts.temperature, facts.top_k, facts.top_p),
        _ => (0.7, 20, 0.8),
    };
    let sampling = &mut settings.sampling;
    number(ui, "Temperature", &mut sampling.temperature, temperature, 0.0..=2.0);
    number(ui, "Top-p", &mut sampling.top_p, top_p, 0.01..=1.0);
    let mut most = sampling.top_k.map(|top_k| top_k as f32);
    number(ui, "Top-k", &mut most, top_k as f32, 0.0..=200.0);
    sampling.top_k = most.map(|top_k| top_k as u32);
    number(ui, "Min-p", &mut sampling.min_p, 0.0, 0.0..=1.0);
    number(ui, "Repetition penalty", &mut sampling.repetition_penalty, 1.0, 0.5..=2.0);
    number(ui, "Presence penalty", &mut sampling.presence_penalty, 0.0, 0.0..=2.0);
}

fn of_models(ui: &mut Ui, settings: &mut Settings, state: &State) {
    ui.label("Context");
    let mut contexts = vec![(None, "The model's, up to 8192".to_owned())];
    contexts.extend(CONTEXTS.map(|n| (Some(n), format!("{n} tokens"))));
    choice(ui, "Context", &mut settings.context_length, &contexts);
    ui.end_row();
    ui.label("Cache");
    let caches =
        [(Cache::F16, "16 bits"), (Cache::Q8, "8 bits, half the memory"), (Cache::F32, "32 bits, exact")];
    choice(ui, "Cache", &mut settings.cache, &caches);
    ui.end_row();
    ui.label("GPU");
    let mut gpus = vec![(None, "The fastest".to_owned())];
    gpus.extend(state.gpus.iter().map(|gpu| (Some(gpu.clone()), gpu.clone())));
    ui.vertical(|ui| {
        choice(ui, "GPU", &mut settings.gpu, &gpus);
        ui.small("Another GPU is used when the program is started again.");
    });
    ui.end_row();
}

/// One of several.
fn choice<T: PartialEq + Clone>(ui: &mut Ui, label: &str, value: &mut T, choices: &[(T, impl AsRef<str>)]) {
    let chosen =
        choices.iter().find(|(choice, _)| choice == value).map_or("Other", |(_, text)| text.as_ref());
    let shown = ComboBox::from_id_salt(label).selected_text(chosen).width(240.0).show_ui(ui, |ui| {
        for (choice, text) in choices {
            ui.selectable_value(value, choice.clone(), text.as_ref());
        }
    });
    name(ui.ctx(), &shown.response, label);
}

/// A number that is the model's unless it is a person's.
fn number(ui: &mut Ui, label: &str, value: &mut Option<f32>, default: f32, range: RangeInclusive<f32>) {
    // what goes far has no use for fractions
    let (speed, decimals) = if *range.end() > 10.0 { (0.5, 0) } else { (0.01, 2) };
    ui.label(label);
    ui.horizontal(|ui| {
        let mut is_own = value.is_some();
        let mut number = value.unwrap_or(default);
        let drag = DragValue::new(&mut number).range(range).speed(speed).fixed_decimals(decimals);
        let drag = ui.add_enabled(is_own, drag);
        name(ui.ctx(), &drag, label);
        let own = ui.checkbox(&mut is_own, "Mine");
        name(ui.ctx(), &own, &format!("{label}: mine instead of the model's"));
        *value = is_own.then_some(number);
    });
    ui.end_row();
}
