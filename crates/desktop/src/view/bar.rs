//! The bar above a conversation: its title, the model, and what can be opened.

use eframe::egui::{Align, Button, Layout, ProgressBar, Ui};

use super::Focus;
use crate::settings::{Settings, Theme};
use crate::state::{Action, Export, ModelState, Panel, Renaming, State};

pub(super) fn show(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        model(ui, state, focus, actions);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button("Settings").clicked() {
                actions.push(Action::Show(Some(Panel::Settings)));
            }
            let other = if ui.visuals().dark_mode { (Theme::Light, "Light") } else { (Theme::Dark, "Dark") };
            if ui.button(other.1).on_hover_text("Change the colours").clicked() {
                let settings = Settings { theme: other.0, ..state.settings.clone() };
                actions.push(Action::Choose(Box::new(settings)));
            }
            if ui.button("Keys").clicked() {
                actions.push(Action::Show(Some(Panel::Keys)));
            }
            conversation(ui, state, focus, actions);
        });
    });
    ui.add_space(2.0);
}

/// The model, and how far it is.
fn model(ui: &mut Ui, state: &State, focus: &mut Focus, actions: &mut Vec<Action>) {
    let (label, hint) = match &state.model {
        ModelState::None => ("Choose a model".to_owned(), String::new()),
        ModelState::Loading { source, .. } => (source.clone(), String::new()),
        ModelState::Ready(facts) => (facts.name.clone(), facts.summary.clone()),
        ModelState::Failed { source, .. } => (format!("{source}: not loaded"), String::new()),
    };
    let button = ui.add(Button::new(format!("Model: {label}")).truncate());
    let button = if hint.is_empty() { button } else { button.on_hover_text(hint) };
    if button.clicked() {
        *focus = Focus::Model;
        actions.push(Action::Show(Some(Panel::Models)));
    }
    if let ModelState::Loading { doing, bytes: (done, total), .. } = &state.model {
        let share = if *total == 0 { 0.0 } else { *done as f32 / *total as f32 };
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let text = match total {
            0 => doing.clone(),
            _ => format!("{doing}: {:.0} of {:.0} MB", megabytes(*done), megabytes(*total)),
        };
        ui.add(ProgressBar::new(share).desired_width(220.0).text(text));
        if ui.button("Cancel").clicked() {
            actions.push(Action::CancelLoad);
        }
    }
}

/// What can be done with the open conversation.
fn conversation(ui: &mut Ui, state: &mut State, focus: &mut Focus, actions: &mut Vec<Action>) {
    let Some((id, title)) = state.conversation().map(|open| (open.id, open.title.clone())) else { return };
    ui.menu_button("Conversation", |ui| {
        if ui.button("Rename").clicked() {
            state.renaming = Some(Renaming { id, title });
            *focus = Focus::Title;
        }
        if ui.button("Export as Markdown").clicked() {
            actions.push(Action::Export(Export::Markdown));
        }
        if ui.button("Export as JSON").clicked() {
            actions.push(Action::Export(Export::Json));
        }
        if ui.button("Delete").clicked() {
            state.removing = Some(id);
        }
    });
}
