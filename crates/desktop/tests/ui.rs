//! The window's inside without a window: the demo answers, and everything is found by its name, as screen readers find it.

use std::time::{Duration, Instant};

use eframe::egui::{Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use pollster::block_on;
use qwill::gpu::{HostDevice, wanted, wgpu};
use qwill_desktop::app::App;
use qwill_desktop::args::Args;
use qwill_desktop::conversation::{Author, Conversation, Turn};
use qwill_desktop::settings::{self, Settings};
use qwill_desktop::shelf::Shelf;
use qwill_desktop::state::{ModelState, Panel, State};
use tempfile::TempDir;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program, drawn to nowhere.
struct Desk {
    harness: Harness<'static, App>,
    folder: TempDir,
}

impl Desk {
    fn open(folder: TempDir) -> Self {
        let instance = wgpu::Instance::default();
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())).unwrap();
        let (device, queue) = block_on(adapter.request_device(&wanted(&adapter))).unwrap();
        let host = HostDevice::new(&adapter, &device, &queue);
        let settings = Settings { theme: settings::Theme::Light, ..Settings::default() };
        settings.write(&folder.path().join("settings.json")).unwrap();
        let args = Args { model: Some("demo".into()), ..Args::default() };
        let app = App::new(folder.path(), host, &args);
        let builder = Harness::builder().with_size([1000.0, 700.0]).with_theme(Theme::Light);
        let harness = builder.build_ui_state(|ui, app: &mut App| app.show(ui), app);
        let mut desk = Self { harness, folder };
        desk.wait("the model", |state| matches!(state.model, ModelState::Ready(_)));
        desk
    }

    fn state(&self) -> &State {
        &self.harness.state().state
    }

    /// Draws until something is so.
    fn wait(&mut self, what: &str, is_so: impl Fn(&State) -> bool) {
        let begun = Instant::now();
        while !is_so(self.state()) {
            assert!(begun.elapsed() < PATIENCE, "{what} did not come: {:?}", self.state());
            std::thread::sleep(Duration::from_millis(5));
            self.harness.step();
        }
        self.harness.run_steps(2);
    }

    fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.harness.run_steps(2);
    }

    fn click(&mut self, name: &str) {
        self.harness.get_by_label(name).click();
        self.harness.run_steps(3);
    }

    fn write(&mut self, text: &str) {
        self.harness.get_by_label("Message").type_text(text);
        self.harness.run_steps(2);
    }

    fn sees(&self, text: &str) -> bool {
        self.harness.query_all_by_label_contains(text).next().is_some()
    }

    fn replies(&self) -> Vec<&Turn> {
        let turns = self.state().conversation().map(|open| &open.turns[..]).unwrap_or_default();
        turns.iter().filter(|turn| turn.author == Author::Assistant).collect()
    }
}

#[test]
fn a_person_asks_and_reads_with_nothing_but_the_keyboard() {
    let mut desk = Desk::open(TempDir::new().unwrap());
    desk.write("What is 17 + 25?");
    desk.press(Modifiers::SHIFT, Key::Enter);
    assert_eq!(desk.state().draft, "What is 17 + 25?\n");
    desk.press(Modifiers::NONE, Key::Enter);
    desk.wait("the reply", |state| state.running.is_none() && state.open.is_some());
    let reply = desk.replies()[0].clone();
    assert!(reply.text.contains("42") && !reply.reasoning.is_empty(), "{reply:?}");
    assert!(reply.outcome.as_ref().is_some_and(|outcome| outcome.tokens_per_second > 0.0), "{reply:?}");
    assert!(desk.sees("tokens/s"));
    // thoughts are folded until somebody wants to see them
    let thought = reply.reasoning.trim().lines().next().unwrap().to_owned();
    assert!(desk.sees("Thoughts") && !desk.sees(&thought));
    desk.click("Thoughts");
    desk.harness.run_steps(20);
    assert!(desk.sees(&thought));
    // the same question in other words
    desk.press(Modifiers::COMMAND, Key::E);
    assert_eq!(desk.state().draft, "What is 17 + 25?");
    desk.press(Modifiers::NONE, Key::Escape);
    assert_eq!((desk.state().draft.as_str(), desk.state().editing), ("", None));
    desk.press(Modifiers::COMMAND, Key::R);
    desk.wait("another reply", |state| state.running.is_none());
    assert_eq!(desk.replies().len(), 1);
    desk.press(Modifiers::COMMAND, Key::N);
    assert!(desk.state().open.is_none() && desk.sees("What would you like to know?"));
    let kept = desk.folder.path().join("conversations");
    drop(desk.harness);
    let kept = Shelf::new(&kept).read();
    assert_eq!((kept.conversations.len(), kept.conversations[0].turns.len()), (1, 2), "{kept:?}");
}

#[test]
fn a_reply_is_stopped_and_its_words_stay() {
    let mut desk = Desk::open(TempDir::new().unwrap());
    desk.write("Tell me a story about a fox.");
    desk.press(Modifiers::NONE, Key::Enter);
    desk.wait("the first word", |state| {
        state.conversation().is_some_and(|open| {
            open.turns.last().is_some_and(|turn| turn.text.len() + turn.reasoning.len() > 3)
        })
    });
    desk.press(Modifiers::NONE, Key::Escape);
    desk.wait("the end", |state| state.running.is_none());
    let outcome = desk.replies()[0].outcome.clone().unwrap();
    assert_eq!(outcome.cut_off.as_deref(), Some("stopped"), "{outcome:?}");
    assert!(desk.sees("stopped") && desk.sees("Send"));
}

#[test]
fn everything_has_a_name_and_a_key() {
    let folder = TempDir::new().unwrap();
    let shelf = Shelf::new(&folder.path().join("conversations"));
    for (id, question) in [(1, "apples"), (2, "pears")] {
        let mut kept = Conversation::new(id);
        kept.ask(question);
        kept.turns.push(Turn { text: "| a | b |\n|---|---|\n| `1` | 2 |".into(), ..Turn::assistant() });
        shelf.write(&kept).unwrap();
    }
    let mut desk = Desk::open(folder);
    desk.press(Modifiers::COMMAND, Key::ArrowDown);
    desk.press(Modifiers::COMMAND, Key::ArrowDown);
    assert_eq!(desk.state().open, Some(1));
    desk.harness.check_accessibility();
    desk.press(Modifiers::COMMAND, Key::F);
    desk.harness.get_by_label("Search conversations").type_text("pear");
    desk.harness.run_steps(2);
    assert_eq!(desk.state().search, "pear");
    assert_eq!(desk.state().found().count(), 1);
    for (key, panel) in [(Key::Comma, Panel::Settings), (Key::O, Panel::Models)] {
        desk.press(Modifiers::COMMAND, key);
        desk.harness.run_steps(5);
        assert_eq!(desk.state().panel, Some(panel));
        desk.harness.check_accessibility();
        desk.press(Modifiers::NONE, Key::Escape);
        assert_eq!(desk.state().panel, None);
    }
    let is_dark = |desk: &Desk| desk.harness.ctx.theme() == Theme::Dark;
    assert!(!is_dark(&desk));
    desk.click("Dark");
    assert!(is_dark(&desk));
    desk.click("Light");
    assert!(!is_dark(&desk));
}

#[test]
fn what_does_not_load_is_told_with_a_way_out() {
    let mut desk = Desk::open(TempDir::new().unwrap());
    desk.press(Modifiers::COMMAND, Key::O);
    desk.harness.run_steps(3);
    desk.harness.get_by_label("Name of the model").type_text("nothing.gguf");
    desk.harness.run_steps(2);
    desk.click("Does it fit?");
    desk.wait("an answer", |state| !matches!(state.plan, None | Some(qwill_desktop::state::Plan::Asked)));
    assert!(desk.sees("There is no file or folder"));
    desk.click("Load");
    desk.wait("the failure", |state| matches!(state.model, ModelState::Failed { .. }));
    assert!(desk.sees("There is no file or folder") && desk.sees("Try again"));
    desk.harness.state_mut().state.wanted_model = "demo".into();
    desk.click("Choose another model");
    desk.click("Load");
    desk.wait("the demo", |state| matches!(state.model, ModelState::Ready(_)));
}
