//! Drawing the state.

mod bar;
mod composer;
mod keys;
mod markdown;
mod notice;
mod picker;
mod settings;
mod shortcuts;
mod sidebar;
mod style;
mod transcript;

use eframe::egui::{CentralPanel, Context, Frame, Id, Modal, Panel as Side, Response, Ui};

use self::markdown::Markdown;
use self::style::Look;
use crate::state::{Action, Panel, State};

/// What is kept from one frame to the next and is of no matter to anything else.
#[derive(Default)]
pub(crate) struct View {
    markdown: Markdown,
    look: Look,
    /// What gets the keyboard in the next frame.
    focus: Focus,
}

/// A field that is to get the keyboard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Focus {
    /// As a person has it.
    Kept,
    /// What is being written.
    #[default]
    Message,
    /// What is looked for.
    Search,
    /// A title that is being changed.
    Title,
    /// The name of a model.
    Model,
}

impl Focus {
    /// Gives a field the keyboard if it is the one.
    fn give(&mut self, to: Self, response: &Response) {
        if *self == to {
            response.request_focus();
            *self = Self::Kept;
        }
    }
}

impl View {
    /// Draws, and tells what a person did.
    pub(crate) fn show(&mut self, ui: &mut Ui, state: &mut State) -> Vec<Action> {
        self.look.apply(ui.ctx(), state.settings.theme);
        let mut actions = Vec::new();
        keys::read(ui.ctx(), state, &mut self.focus, &mut actions);
        picker::take_dropped(ui.ctx(), state, &mut actions);
        Side::left("conversations").default_size(230.0).min_size(160.0).show(ui, |ui| {
            sidebar::show(ui, state, &mut self.focus, &mut actions);
        });
        Side::top("bar").show(ui, |ui| bar::show(ui, state, &mut self.focus, &mut actions));
        Side::bottom("composer").show(ui, |ui| composer::show(ui, state, &mut self.focus, &mut actions));
        CentralPanel::default().show(ui, |ui| {
            notice::show(ui, state, &mut actions);
            transcript::show(ui, state, &mut self.markdown, &mut actions);
        });
        if let Some(panel) = state.panel {
            let modal =
                Modal::new(Id::unique("panel")).frame(Frame::window(ui.style())).show(ui.ctx(), |ui| {
                    match panel {
                        Panel::Settings => settings::show(ui, state, &mut actions),
                        Panel::Models => picker::show(ui, state, &mut self.focus, &mut actions),
                        Panel::Keys => shortcuts::show(ui, &mut actions),
                    }
                });
            if modal.should_close() {
                actions.push(Action::Show(None));
            }
        }
        if actions.iter().any(|action| {
            matches!(action, Action::New | Action::Edit(_) | Action::EditLast | Action::Open(_))
        }) {
            self.focus = Focus::Message;
        }
        actions
    }
}

/// Gives something that is drawn a name for those who do not see it.
fn name(ctx: &Context, response: &Response, name: &str) {
    ctx.accesskit_node_builder(response.id, |node| node.set_label(name));
}
