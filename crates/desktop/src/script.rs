//! A person's hands, for tests and pictures: `--script "model;say=Hello;reply;shot=picture.png"`.

use std::collections::VecDeque;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eframe::egui::{ColorImage, Context, ScreenshotCallback, ViewportCommand};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use crate::app::App;
use crate::settings::{Settings, Theme};
use crate::state::{Action, ModelState, Panel};

/// One thing that is done, or waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    /// Wait until the model is there, or is not going to be.
    Model,
    /// Write a message and send it.
    Say(String),
    /// Write something, and do not send it.
    Write(String),
    /// Wait until the reply has so many letters, or has ended.
    Letters(usize),
    /// Wait until the reply has ended.
    Reply,
    /// Stop the reply.
    Stop,
    Show(Option<Panel>),
    Theme(Theme),
    /// Load another model.
    Load(String),
    /// Wait some milliseconds.
    Wait(u64),
    /// Draw without pause from here on, and note how long frames take while a reply is made.
    Measure,
    /// Write how long they took.
    Frames(PathBuf),
    /// Write a picture of the window.
    Shot(PathBuf),
    /// Take the device away.
    Lose,
}

/// What is still to be done. In the end the window closes.
#[derive(Debug)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    /// When the step began that is waited for.
    begun: Option<Instant>,
    picture: Option<Arc<AtomicBool>>,
    is_measuring: bool,
    last_frame: Option<Instant>,
    frames: Vec<Duration>,
}

impl Script {
    /// Understands steps that are separated by semicolons.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let steps = text.split(';').map(str::trim).filter(|step| !step.is_empty()).map(parse);
        Ok(Self {
            steps: steps.collect::<Result<_, _>>()?,
            begun: None,
            picture: None,
            is_measuring: false,
            last_frame: None,
            frames: Vec::new(),
        })
    }

    /// Goes on, as far as nothing has to be waited for, one step a frame.
    pub(crate) fn advance(&mut self, ctx: &Context, app: &mut App) {
        self.measure(app);
        ctx.request_repaint_after(Duration::from_millis(if self.is_measuring { 0 } else { 20 }));
        let Some(step) = self.steps.front().cloned() else {
            return ctx.send_viewport_cmd(ViewportCommand::Close);
        };
        let begun = *self.begun.get_or_insert_with(Instant::now);
        if self.perform(&step, begun, ctx, app) {
            self.begun = None;
            self.steps.pop_front();
        }
    }

    /// Whether the device is to be taken away now.
    pub(crate) fn takes_device(&mut self) -> bool {
        let takes = self.steps.front() == Some(&Step::Lose);
        if takes {
            self.steps.pop_front();
            self.begun = None;
        }
        takes
    }

    /// Whether it is done.
    fn perform(&mut self, step: &Step, begun: Instant, ctx: &Context, app: &mut App) -> bool {
        let state = &mut app.state;
        match step {
            Step::Model => return matches!(state.model, ModelState::Ready(_) | ModelState::Failed { .. }),
            Step::Say(text) => {
                state.draft.clone_from(text);
                app.act(Action::Send);
            }
            Step::Write(text) => state.draft.clone_from(text),
            Step::Letters(n) => {
                let reply = state.conversation().and_then(|conversation| conversation.turns.last());
                let n_letters = reply.map_or(0, |turn| turn.text.len() + turn.reasoning.len());
                return n_letters >= *n || state.running.is_none();
            }
            Step::Reply => return state.running.is_none(),
            Step::Stop => app.act(Action::Stop),
            Step::Show(panel) => app.act(Action::Show(*panel)),
            Step::Theme(theme) => {
                let settings = Settings { theme: *theme, ..state.settings.clone() };
                app.act(Action::Choose(Box::new(settings)));
            }
            Step::Load(source) => {
                state.wanted_model.clone_from(source);
                app.act(Action::Load);
            }
            Step::Wait(ms) => return begun.elapsed() >= Duration::from_millis(*ms),
            Step::Measure => self.is_measuring = true,
            Step::Frames(path) => self.write_frames(path),
            Step::Shot(path) => return self.shoot(ctx, path),
            // the window does it, before it draws
            Step::Lose => return false,
        }
        true
    }

    fn measure(&mut self, app: &App) {
        let now = Instant::now();
        let last = self.last_frame.replace(now);
        if let (true, true, Some(last)) = (self.is_measuring, app.state.running.is_some(), last) {
            self.frames.push(now - last);
        }
    }

    fn write_frames(&mut self, path: &Path) {
        self.is_measuring = false;
        self.frames.sort();
        let n = self.frames.len();
        let at = |share: usize| self.frames.get((n * share / 100).min(n.saturating_sub(1)));
        let ms = |share| at(share).map(|time: &Duration| time.as_secs_f64() * 1e3);
        let text = serde_json::json!({"frames": n, "p50_ms": ms(50), "p95_ms": ms(95), "max_ms": ms(100)});
        report(path, std::fs::write(path, format!("{text}\n")));
    }

    /// Whether the picture is there.
    fn shoot(&mut self, ctx: &Context, path: &Path) -> bool {
        if let Some(taken) = &self.picture {
            let is_taken = taken.load(Ordering::Relaxed);
            if is_taken {
                self.picture = None;
            }
            return is_taken;
        }
        let taken = Arc::new(AtomicBool::new(false));
        self.picture = Some(taken.clone());
        let path = path.to_owned();
        let write = move |picture: Arc<ColorImage>| {
            report(&path, write_png(&path, &picture));
            taken.store(true, Ordering::Relaxed);
        };
        ctx.send_viewport_cmd(ViewportCommand::Screenshot(ScreenshotCallback::new(write)));
        false
    }
}

fn report(path: &Path, written: std::io::Result<()>) {
    if let Err(error) = written {
        eprintln!("{} was not written: {error}", path.display());
    }
}

fn write_png(path: &Path, picture: &ColorImage) -> std::io::Result<()> {
    let out = BufWriter::new(File::create(path)?);
    let bytes: Vec<u8> = picture.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    let [width, height] = picture.size.map(|n| n as u32);
    PngEncoder::new_with_quality(out, CompressionType::Best, FilterType::Adaptive)
        .write_image(&bytes, width, height, ExtendedColorType::Rgb8)
        .map_err(std::io::Error::other)
}

fn parse(step: &str) -> Result<Step, String> {
    let (name, value) = step.split_once('=').unwrap_or((step, ""));
    let number = || value.parse().map_err(|_| format!("\"{value}\" in \"{step}\" is no number"));
    Ok(match (name, value) {
        ("model", "") => Step::Model,
        ("say", text) => Step::Say(text.to_owned()),
        ("write", text) => Step::Write(text.to_owned()),
        ("letters", _) => Step::Letters(number()? as usize),
        ("reply", "") => Step::Reply,
        ("stop", "") => Step::Stop,
        ("show", "settings") => Step::Show(Some(Panel::Settings)),
        ("show", "models") => Step::Show(Some(Panel::Models)),
        ("show", "keys") => Step::Show(Some(Panel::Keys)),
        ("show", "nothing") => Step::Show(None),
        ("theme", "light") => Step::Theme(Theme::Light),
        ("theme", "dark") => Step::Theme(Theme::Dark),
        ("load", source) => Step::Load(source.to_owned()),
        ("wait", _) => Step::Wait(number()?),
        ("measure", "") => Step::Measure,
        ("frames", path) => Step::Frames(path.into()),
        ("shot", path) => Step::Shot(path.into()),
        ("lose", "") => Step::Lose,
        _ => return Err(format!("\"{step}\" is no step of a script")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_read_and_what_is_no_step_is_named() {
        let script = Script::parse("model; say=a=b;letters=20;show=nothing;").unwrap();
        let steps = [Step::Model, Step::Say("a=b".into()), Step::Letters(20), Step::Show(None)];
        assert_eq!(script.steps, steps);
        assert!(Script::parse("model;dance").unwrap_err().contains("\"dance\""));
        assert!(Script::parse("wait=x").unwrap_err().contains("\"x\""));
    }
}
