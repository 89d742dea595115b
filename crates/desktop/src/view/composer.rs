//! Where a message is written.

use eframe::egui::{Button, Id, Key, KeyboardShortcut, Modifiers, RichText, ScrollArea, TextEdit, Ui};

use super::{Focus, name};
use crate::state::{Action, ModelState, State};

/// Lines that are shown before the field scrolls.
const MOST_LINES: f32 = 8.0;
/// Width of the button beside it.
const BUTTON: f32 = 76.0;

pub(super) fn show(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    ui.add_space(6.0);
    if state.editing.is_some() {
        ui.horizontal(|ui| {
            ui.label("This message takes the place of the one before; what followed is forgotten.");
            if ui.button("Leave it as it is").clicked() {
                actions.push(Action::CancelEdit);
            }
        });
    }
    ui.horizontal(|ui| {
        field(ui, state, focus, actions);
        button(ui, state, actions);
    });
    ui.add_space(2.0);
    ui.label(RichText::new(status(state)).small().weak());
    ui.add_space(4.0);
}

fn button(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let size = [BUTTON, 40.0];
    match &state.running {
        Some(running) => {
            let label = if running.is_stopping { "Stopping" } else { "Stop" };
            let stop = ui.add_enabled(!running.is_stopping, Button::new(label).min_size(size.into()));
            if stop.clicked() {
                actions.push(Action::Stop);
            }
        }
        None => {
            let send = ui.add_enabled(state.can_send(), Button::new("Send").min_size(size.into()));
            if send.clicked() {
                actions.push(Action::Send);
            }
        }
    }
}

fn field(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    let id = Id::unique("message");
    // Enter sends; it must not reach the field, in which it would be a line
    let has_focus = ui.ctx().memory(|memory| memory.has_focus(id));
    if has_focus
        && ui.input_mut(|input| !input.modifiers.shift && input.consume_key(Modifiers::NONE, Key::Enter))
    {
        actions.push(Action::Send);
    }
    let row = ui.text_style_height(&eframe::egui::TextStyle::Body);
    let width = ui.available_width() - BUTTON - ui.spacing().item_spacing.x;
    ScrollArea::vertical().id_salt("message").max_height(row * MOST_LINES).max_width(width).show(ui, |ui| {
        let field = TextEdit::multiline(&mut state.draft)
            .id(id)
            .hint_text("Write a message")
            .desired_rows(2)
            .desired_width(width)
            .return_key(KeyboardShortcut::new(Modifiers::SHIFT, Key::Enter));
        let response = ui.add(field);
        name(ui.ctx(), &response, "Message");
        focus.give(Focus::Message, &response);
    });
}

/// What is going on, in a line.
fn status(state: &State) -> String {
    if let Some(running) = &state.running {
        return match running.read {
            Some((n_read, n_tokens)) => format!("Reading: {n_read} of {n_tokens} tokens"),
            None if running.tokens_per_second > 0.0 => format!("{:.1} tokens/s", running.tokens_per_second),
            None => "Reading".into(),
        };
    }
    match &state.model {
        ModelState::None => "No model is loaded".into(),
        ModelState::Loading { .. } => "The model is being loaded; you can write in the meantime".into(),
        ModelState::Failed { .. } => "The model could not be loaded".into(),
        ModelState::Ready(facts) => facts.summary.clone(),
    }
}
