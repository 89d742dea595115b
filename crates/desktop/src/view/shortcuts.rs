//! The keys, for those who do not know them yet.

use eframe::egui::{Grid, Ui};

use super::keys;
use crate::state::Action;

pub(super) fn show(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.heading("Keys");
    ui.add_space(8.0);
    Grid::new("keys").num_columns(2).spacing([24.0, 6.0]).show(ui, |ui| {
        for (keys, what) in keys::all(ui.ctx()) {
            ui.monospace(keys);
            ui.label(what);
            ui.end_row();
        }
    });
    ui.add_space(8.0);
    if ui.button("Close").clicked() {
        actions.push(Action::Show(None));
    }
}
