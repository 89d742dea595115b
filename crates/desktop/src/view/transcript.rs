//! The conversation.

use eframe::egui::{Align, CollapsingHeader, Frame, Id, Label, Layout, Margin, RichText, ScrollArea, Ui};

use super::markdown::Markdown;
use super::style::bubble;
use crate::conversation::{Author, Conversation, Outcome, Turn};
use crate::state::{Action, ModelState, State};

/// Lines longer than this are hard to read.
const WIDTH: f32 = 780.0;

/// Where a turn stands.
struct Place {
    conversation: u64,
    index: usize,
    is_last: bool,
    /// It is being written.
    is_running: bool,
    /// Nothing is being written anywhere.
    is_quiet: bool,
}

pub(super) fn show(ui: &mut Ui, state: &State, markdown: &mut Markdown, actions: &mut Vec<Action>) {
    let Some(conversation) = state.conversation().filter(|conversation| !conversation.turns.is_empty())
    else {
        return greet(ui, state);
    };
    ScrollArea::vertical().id_salt(conversation.id).stick_to_bottom(true).auto_shrink(false).show(ui, |ui| {
        let width = ui.available_width().min(WIDTH);
        let margin = ((ui.available_width() - width) / 2.0).max(0.0);
        Frame::new().inner_margin(Margin::symmetric(margin as i8, 0)).show(ui, |ui| {
            ui.set_max_width(width);
            turns(ui, conversation, state, markdown, actions);
        });
    });
}

fn greet(ui: &mut Ui, state: &State) {
    ui.vertical_centered(|ui| {
        ui.add_space(ui.available_height() * 0.35);
        ui.heading("What would you like to know?");
        ui.add_space(4.0);
        let text = match &state.model {
            ModelState::Ready(facts) => {
                format!("{} runs on this computer. What you write stays here.", facts.name)
            }
            ModelState::Loading { .. } => "The model is being loaded.".into(),
            ModelState::None | ModelState::Failed { .. } => "Choose a model to begin.".into(),
        };
        ui.weak(text);
    });
}

fn turns(
    ui: &mut Ui,
    conversation: &Conversation,
    state: &State,
    markdown: &mut Markdown,
    actions: &mut Vec<Action>,
) {
    for (index, turn) in conversation.turns.iter().enumerate() {
        let is_last = index + 1 == conversation.turns.len();
        let place = Place {
            conversation: conversation.id,
            index,
            is_last,
            is_running: is_last && state.is_replying_here(),
            is_quiet: state.running.is_none(),
        };
        ui.add_space(8.0);
        match turn.author {
            Author::User => question(ui, turn, &place, actions),
            Author::Assistant => reply(ui, turn, &place, markdown, actions),
        }
    }
    ui.add_space(12.0);
}

fn question(ui: &mut Ui, turn: &Turn, place: &Place, actions: &mut Vec<Action>) {
    ui.with_layout(Layout::top_down(Align::Max), |ui| {
        let width = ui.available_width() * 0.85;
        Frame::new()
            .fill(bubble(ui.visuals()))
            .corner_radius(10)
            .inner_margin(Margin::symmetric(12, 8))
            .show(ui, |ui| {
                ui.set_max_width(width);
                ui.add(Label::new(&turn.text).wrap().halign(Align::Min));
            });
        if place.is_quiet && ui.small_button("Edit").on_hover_text("Write it anew").clicked() {
            actions.push(Action::Edit(place.index));
        }
    });
}

fn reply(ui: &mut Ui, turn: &Turn, place: &Place, markdown: &mut Markdown, actions: &mut Vec<Action>) {
    let id = Id::unique((place.conversation, place.index));
    if !turn.reasoning.trim().is_empty() {
        let is_thinking = place.is_running && turn.text.is_empty();
        let title = if is_thinking { "Thinking" } else { "Thoughts" };
        CollapsingHeader::new(title).id_salt(id).show(ui, |ui| ui.weak(turn.reasoning.trim()));
    }
    if !turn.text.is_empty() {
        markdown.show(ui, id, &turn.text);
    } else if place.is_running {
        ui.spinner();
    }
    if place.is_running {
        return;
    }
    ui.horizontal(|ui| {
        if ui.small_button("Copy").clicked() {
            ui.ctx().copy_text(turn.text.clone());
        }
        if place.is_last
            && place.is_quiet
            && ui.small_button("Regenerate").on_hover_text("Another reply").clicked()
        {
            actions.push(Action::Regenerate);
        }
        if ui.small_button("Fork").on_hover_text("A copy of the conversation up to here").clicked() {
            actions.push(Action::Fork(place.index));
        }
        if let Some(outcome) = &turn.outcome {
            ui.label(RichText::new(summary(outcome)).small().weak());
        }
    });
}

fn summary(outcome: &Outcome) -> String {
    let Outcome { n_tokens, tokens_per_second, n_read, first_ms, cut_off } = outcome;
    let ending = cut_off.as_ref().map(|reason| format!(", {reason}")).unwrap_or_default();
    format!(
        "{n_tokens} tokens, {tokens_per_second:.1} tokens/s; {n_read} read in {:.1} s{ending}",
        first_ms / 1e3
    )
}
