//! How everything looks.

use eframe::egui::{
    Color32, Context, CornerRadius, FontId, Margin, Stroke, TextStyle, Theme as Shade, ThemePreference, Vec2,
    Visuals,
};

use crate::settings::Theme;

/// The look that was applied last.
#[derive(Debug, Default)]
pub(super) struct Look(Option<Theme>);

impl Look {
    /// Applies a look, if it is another one.
    pub(super) fn apply(&mut self, ctx: &Context, theme: Theme) {
        if self.0 == Some(theme) {
            return;
        }
        if self.0.is_none() {
            dress(ctx);
        }
        ctx.set_theme(match theme {
            Theme::System => ThemePreference::System,
            Theme::Light => ThemePreference::Light,
            Theme::Dark => ThemePreference::Dark,
        });
        self.0 = Some(theme);
    }
}

fn dress(ctx: &Context) {
    ctx.all_styles_mut(|style| {
        style.spacing.item_spacing = Vec2::new(8.0, 6.0);
        style.spacing.button_padding = Vec2::new(10.0, 5.0);
        style.spacing.window_margin = Margin::same(16);
        for (text, size) in [(TextStyle::Body, 15.0), (TextStyle::Button, 14.5), (TextStyle::Small, 12.5)] {
            style.text_styles.insert(text, FontId::proportional(size));
        }
        style.text_styles.insert(TextStyle::Heading, FontId::proportional(20.0));
        style.text_styles.insert(TextStyle::Monospace, FontId::monospace(13.5));
    });
    for shade in [Shade::Light, Shade::Dark] {
        ctx.set_visuals_of(shade, visuals(shade));
    }
}

fn visuals(shade: Shade) -> Visuals {
    let mut visuals = match shade {
        Shade::Light => Visuals::light(),
        Shade::Dark => Visuals::dark(),
    };
    let gray = Color32::from_gray;
    let (panel, field, text) = match shade {
        Shade::Light => (gray(0xfa), gray(0xff), gray(0x20)),
        Shade::Dark => (gray(0x1c), gray(0x14), gray(0xdc)),
    };
    (visuals.panel_fill, visuals.window_fill, visuals.extreme_bg_color) = (panel, panel, field);
    visuals.override_text_color = Some(text);
    let round = CornerRadius::same(6);
    let line = if shade == Shade::Light { gray(0xd4) } else { gray(0x38) };
    let widgets = &mut visuals.widgets;
    widgets.inactive.bg_stroke = Stroke::new(1.0, line);
    for widget in [&mut widgets.inactive, &mut widgets.hovered, &mut widgets.active, &mut widgets.open] {
        widget.corner_radius = round;
    }
    visuals.window_corner_radius = CornerRadius::same(10);
    visuals
}

/// Behind what a person wrote.
pub(super) fn bubble(visuals: &Visuals) -> Color32 {
    if visuals.dark_mode { Color32::from_rgb(0x2b, 0x36, 0x48) } else { Color32::from_rgb(0xe3, 0xec, 0xfb) }
}

/// Around what went wrong.
pub(super) fn alarm(visuals: &Visuals) -> (Color32, Stroke) {
    let (fill, line) = if visuals.dark_mode {
        (Color32::from_rgb(0x42, 0x24, 0x24), Color32::from_rgb(0xb0, 0x50, 0x50))
    } else {
        (Color32::from_rgb(0xfd, 0xec, 0xea), Color32::from_rgb(0xd0, 0x70, 0x68))
    };
    (fill, Stroke::new(1.0, line))
}
