//! A chat window for qwill's models, drawn on the device that they run on.
//!
//! [`State`](state::State) is what the window shows and what may be done about it: it takes [`Action`](state::Action)s of a
//! person and [`Report`](state::Report)s of the work, and answers with [`Effect`](state::Effect)s. It draws nothing and waits
//! for nothing. The [`Worker`](worker::Worker) has effects done on threads of their own, [`App`](app::App) draws the state,
//! and [`window`] opens the window with its device.

pub mod app;
pub mod args;
pub mod conversation;
pub mod folders;
mod script;
pub mod settings;
pub mod shelf;
pub mod source;
pub mod state;
mod view;
pub mod window;
pub mod worker;
