//! The program between its parts: takes in reports, draws the state, has done what a person wants.

use std::path::Path;
use std::sync::mpsc::Receiver;

use eframe::egui::Ui;
use qwill::gpu::HostDevice;

use crate::args::Args;
use crate::settings::Settings;
use crate::shelf::Shelf;
use crate::state::{Action, Effect, ModelState, Report, State};
use crate::view::View;
use crate::worker::Worker;

/// The program, without its window.
pub struct App {
    /// What is shown.
    pub state: State,
    worker: Worker,
    reports: Receiver<Report>,
    view: View,
    /// A message for the model when it is there.
    say: Option<String>,
}

impl App {
    /// Begins: reads what is kept in the folder, and has the model loaded onto the device.
    pub fn new(folder: &Path, device: HostDevice, args: &Args) -> Self {
        let (mut settings, problem) = match Settings::read(&folder.join("settings.json")) {
            Ok(settings) => (settings, None),
            Err(problem) => (Settings::default(), Some(problem)),
        };
        if args.model.is_some() {
            settings.model.clone_from(&args.model);
        }
        let mut state = State::new(settings, Shelf::new(&folder.join("conversations")).read());
        if problem.is_some() {
            state.notice = problem;
        }
        let (worker, reports) = Worker::new(folder, device);
        let mut app = Self { state, worker, reports, view: View::default(), say: args.say.clone() };
        app.act(Action::LoadAgain);
        app
    }

    /// Says what is to be done when there is something new to show.
    pub fn wake_by(&self, wake: impl Fn() + Send + 'static) {
        self.worker.wake_by(wake);
    }

    /// The device that is drawn and computed on.
    pub fn device(&self) -> &HostDevice {
        self.worker.device()
    }

    /// What is kept of what was drawn goes with the window that it was drawn in.
    pub fn forget_drawn(&mut self) {
        self.view = View::default();
    }

    /// Takes in what has happened, without waiting for anything.
    pub fn catch_up(&mut self) {
        while let Ok(report) = self.reports.try_recv() {
            let effects = self.state.hear(report);
            self.perform(effects);
        }
        if matches!(self.state.model, ModelState::Ready(_))
            && let Some(text) = self.say.take()
        {
            self.state.draft = text;
            self.act(Action::Send);
        }
    }

    /// Does what a person wants.
    pub fn act(&mut self, action: Action) {
        let effects = self.state.act(action);
        self.perform(effects);
    }

    /// Draws, and does what the person wants who looks at it.
    pub fn show(&mut self, ui: &mut Ui) {
        self.catch_up();
        for action in self.view.show(ui, &mut self.state) {
            self.act(action);
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.worker.perform(effect);
        }
    }
}
