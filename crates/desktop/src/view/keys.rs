//! The keyboard.

use eframe::egui::{Context, Key, KeyboardShortcut, Modifiers};

use super::Focus;
use crate::state::{Action, Panel, State};

/// What a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    New,
    Search,
    Message,
    Settings,
    Models,
    Keys,
    Regenerate,
    EditLast,
    Next,
    Previous,
}

const CTRL: Modifiers = Modifiers::COMMAND;

/// The keys, in the order in which people are told of them.
const KEYS: [(Modifiers, Key, Means, &str); 10] = [
    (CTRL, Key::N, Means::New, "New conversation"),
    (CTRL, Key::F, Means::Search, "Search conversations"),
    (CTRL, Key::L, Means::Message, "Write a message"),
    (CTRL, Key::E, Means::EditLast, "Write the last question anew"),
    (CTRL, Key::R, Means::Regenerate, "Another reply to the last question"),
    (CTRL, Key::O, Means::Models, "Choose a model"),
    (CTRL, Key::Comma, Means::Settings, "Settings"),
    (CTRL, Key::ArrowDown, Means::Next, "The next conversation"),
    (CTRL, Key::ArrowUp, Means::Previous, "The conversation before"),
    (Modifiers::NONE, Key::F1, Means::Keys, "These keys"),
];

/// The keys and what they do, for people.
pub(super) fn all(ctx: &Context) -> Vec<(String, &'static str)> {
    let fixed =
        [("Enter", "Send"), ("Shift+Enter", "A new line"), ("Esc", "Stop the reply, close what is open")];
    let fixed = fixed.into_iter().map(|(keys, what)| (keys.to_owned(), what));
    let named = KEYS
        .into_iter()
        .map(|(modifiers, key, _, what)| (ctx.format_shortcut(&KeyboardShortcut::new(modifiers, key)), what));
    fixed.chain(named).collect()
}

/// Turns keys into what they do.
pub(super) fn read(ctx: &Context, state: &State, focus: &mut Focus, actions: &mut Vec<Action>) {
    if state.panel.is_none() && state.renaming.is_none() {
        let is_needed = state.running.is_some() || state.editing.is_some();
        if is_needed && ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            actions.push(if state.running.is_some() { Action::Stop } else { Action::CancelEdit });
        }
    }
    for (modifiers, key, means, _) in KEYS {
        if !ctx.input_mut(|input| input.consume_key(modifiers, key)) {
            continue;
        }
        match means {
            Means::New => actions.push(Action::New),
            Means::Search => *focus = Focus::Search,
            Means::Message => *focus = Focus::Message,
            Means::Settings => actions.push(toggle(state, Panel::Settings)),
            Means::Models => {
                *focus = Focus::Model;
                actions.push(toggle(state, Panel::Models));
            }
            Means::Keys => actions.push(toggle(state, Panel::Keys)),
            Means::Regenerate => actions.push(Action::Regenerate),
            Means::EditLast => actions.push(Action::EditLast),
            Means::Next => actions.extend(neighbour(state, 1)),
            Means::Previous => actions.extend(neighbour(state, -1)),
        }
    }
}

fn toggle(state: &State, panel: Panel) -> Action {
    Action::Show(if state.panel == Some(panel) { None } else { Some(panel) })
}

/// The conversation so many places further down the list.
fn neighbour(state: &State, step: isize) -> Option<Action> {
    let ids: Vec<u64> = state.found().map(|conversation| conversation.id).collect();
    let here = ids.iter().position(|&id| Some(id) == state.open);
    let there = match here {
        Some(here) => here.checked_add_signed(step)?,
        None => 0,
    };
    ids.get(there).map(|&id| Action::Open(id))
}
