//! What runs next, when many texts share one model.
//!
//! A [`Scheduler`] takes [`Request`]s, hands out [`Step`](qwill_models::step::Step)s, takes their answers and tells in
//! [`Event`]s what came of them. It knows tokens and page numbers: no device, no text, no clock, and it never waits, so
//! that all it does can be tested without a model.
//!
//! - `Pool` counts who uses which page, `PrefixIndex` knows what is in them, `Memory` is both: what a new text has in
//!   common with what was read before is not read again.
//! - `Sequence` is a text with what was drawn for it, `Running` one that has a slot and pages.
//! - `Guesser` guesses tokens of texts that repeat themselves ([`Speculation`]).
//! - `Scheduler` moves texts between waiting and running. Older requests go before younger ones wherever something is
//!   scarce; therefore the oldest always gets on, and everyone is the oldest at some time.

mod constraint;
mod event;
mod limits;
mod memory;
mod pool;
mod prefix;
mod request;
mod running;
mod scheduler;
mod sequence;
mod speculation;

pub use constraint::Constraint;
pub use event::{End, Event, Usage, What};
pub use limits::{BadLimits, Limits, Reading};
pub use request::{Refused, Request, RequestId, Rows, Task, Wanted};
pub use scheduler::{Adopted, Scheduler, Text};
pub use speculation::Speculation;
