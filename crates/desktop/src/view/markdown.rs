//! Markdown with code.

use eframe::egui::{Id, Ui};
use egui_commonmark::{CommonMarkCache, CommonMarkViewer};

/// Draws Markdown.
#[derive(Default)]
pub(super) struct Markdown(CommonMarkCache);

impl Markdown {
    /// Draws a text; `id` tells it from others.
    pub(super) fn show(&mut self, ui: &mut Ui, id: Id, text: &str) {
        CommonMarkViewer::new().indentation_spaces(2).show_with_id(id, ui, &mut self.0, text);
    }
}
