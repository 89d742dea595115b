//! What went wrong.

use eframe::egui::{Frame, Ui};

use super::style::alarm;
use crate::state::{Action, ModelState, Panel, State};

pub(super) fn show(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    if let Some(notice) = &state.notice {
        framed(ui, notice, |ui| {
            if ui.button("Dismiss").clicked() {
                actions.push(Action::Dismiss);
            }
        });
    }
    if let ModelState::Failed { reason, .. } = &state.model {
        framed(ui, reason, |ui| {
            if ui.button("Choose another model").clicked() {
                actions.push(Action::Show(Some(Panel::Models)));
            }
            if ui.button("Try again").clicked() {
                actions.push(Action::LoadAgain);
            }
        });
    }
}

fn framed(ui: &mut Ui, text: &str, buttons: impl FnOnce(&mut Ui)) {
    let (fill, stroke) = alarm(ui.visuals());
    Frame::new().fill(fill).stroke(stroke).corner_radius(6).inner_margin(10).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(text);
        ui.horizontal(buttons);
    });
    ui.add_space(6.0);
}
