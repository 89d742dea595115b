//! The list of conversations.

use eframe::egui::{Align, Button, Key, Layout, ScrollArea, TextEdit, Ui};

use super::{Focus, name};
use crate::state::{Action, Renaming, State};

pub(super) fn show(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    ui.add_space(8.0);
    let width = ui.available_width();
    if ui.add_sized([width, 32.0], Button::new("New conversation")).clicked() {
        actions.push(Action::New);
    }
    let field = TextEdit::singleline(&mut state.search).hint_text("Search").desired_width(f32::INFINITY);
    let response = ui.add(field);
    name(ui.ctx(), &response, "Search conversations");
    focus.give(Focus::Search, &response);
    ui.separator();
    ScrollArea::vertical().auto_shrink(false).show(ui, |ui| list(ui, state, focus, actions));
}

fn list(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    let shown: Vec<(u64, String)> =
        state.found().map(|found| (found.id, found.shown_title().to_owned())).collect();
    if shown.is_empty() {
        let reason = if state.search.is_empty() { "No conversations yet" } else { "Nothing found" };
        ui.weak(reason);
    }
    for (id, title) in shown {
        if state.renaming.as_ref().is_some_and(|renaming| renaming.id == id) {
            rename(ui, state, focus, actions);
            continue;
        }
        let is_open = state.open == Some(id);
        let row = Button::selectable(is_open, title.as_str()).truncate();
        let row = ui.with_layout(Layout::top_down_justified(Align::Min), |ui| ui.add(row)).inner;
        if row.clicked() {
            actions.push(Action::Open(id));
        }
        if row.double_clicked() {
            state.renaming = Some(Renaming { id, title: title.clone() });
            *focus = Focus::Title;
        }
        if state.removing == Some(id) {
            ui.horizontal(|ui| {
                ui.label("Delete it?");
                if ui.button("Delete").clicked() {
                    actions.push(Action::Remove(id));
                }
                if ui.button("Keep").clicked() {
                    state.removing = None;
                }
            });
        }
    }
}

fn rename(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    let Some(renaming) = &mut state.renaming else { return };
    let field = TextEdit::singleline(&mut renaming.title).desired_width(f32::INFINITY);
    let response = ui.add(field);
    name(ui.ctx(), &response, "Title");
    let is_given_up = ui.input(|input| input.key_pressed(Key::Escape));
    if *focus == Focus::Title {
        focus.give(Focus::Title, &response);
    } else if is_given_up {
        state.renaming = None;
    } else if response.lost_focus() {
        actions.push(Action::Rename);
    }
}
