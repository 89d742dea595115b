//! Choosing a model.

use eframe::egui::{Context, Key, ScrollArea, TextEdit, Ui};

use super::{Focus, name};
use crate::state::{Action, ModelState, Panel, Plan, State};

pub(super) fn show(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    ui.set_width(520.0);
    ui.heading("Model");
    ui.add_space(4.0);
    ui.label(
        "The name of a model on the hub, a GGUF file or a folder (files can also be dropped here), or demo.",
    );
    let field = TextEdit::singleline(&mut state.wanted_model)
        .hint_text("Qwen/Qwen3-0.6B-GGUF:Q8_0")
        .desired_width(f32::INFINITY);
    let response = ui.add(field);
    name(ui.ctx(), &response, "Name of the model");
    focus.give(Focus::Model, &response);
    if response.changed() {
        state.plan = None;
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter)) {
        actions.push(Action::Plan);
    }
    let is_named = !state.wanted_model.trim().is_empty();
    ui.horizontal(|ui| {
        ui.add_enabled_ui(is_named, |ui| {
            if ui.button("Does it fit?").clicked() {
                actions.push(Action::Plan);
            }
            if ui.button("Load").clicked() {
                actions.push(Action::Load);
            }
        });
    });
    match &state.plan {
        None => {}
        Some(Plan::Asked) => drop(ui.horizontal(|ui| {
            ui.spinner();
            ui.label("Reading its headers");
        })),
        Some(Plan::Fits(text) | Plan::No(text)) => drop(ui.label(text)),
    }
    ui.separator();
    ui.strong("On this computer");
    ScrollArea::vertical().max_height(220.0).show(ui, |ui| {
        let known = ["demo".to_owned()].into_iter().chain(state.cached.iter().cloned());
        for source in known.collect::<Vec<_>>() {
            let is_loaded = matches!(&state.model, ModelState::Ready(facts) if facts.source == source);
            if ui.selectable_label(is_loaded, &source).clicked() {
                (state.wanted_model, state.plan) = (source, None);
                actions.push(Action::Plan);
            }
        }
    });
    ui.add_space(8.0);
    if ui.button("Close").clicked() {
        actions.push(Action::Show(None));
    }
}

/// A file that was dropped onto the window is a model that is wanted.
pub(super) fn take_dropped(ctx: &Context, state: &mut State, actions: &mut Vec<Action>) {
    let dropped =
        ctx.input(|input| input.raw.dropped_files.first().map(|file| file.path().display().to_string()));
    if let Some(path) = dropped {
        (state.wanted_model, state.plan) = (path, None);
        actions.extend([Action::Show(Some(Panel::Models)), Action::Plan]);
    }
}
