//! The state by itself: no window, no model.

use super::*;
use crate::conversation::Outcome;
use crate::settings::Cache;

fn facts() -> ModelFacts {
    ModelFacts {
        source: "demo".into(),
        name: "demo".into(),
        summary: String::new(),
        context_length: 512,
        temperature: 0.7,
        top_k: 20,
        top_p: 0.8,
    }
}

fn ready() -> State {
    let mut state = State::new(Settings::default(), Contents::default());
    state.act(Action::LoadAgain);
    state.hear(Report::Model(ModelReport::Loaded(Box::new(facts()))));
    state
}

fn say(state: &mut State, text: &str) -> (u64, qwill::ChatRequest) {
    state.draft = text.into();
    let effects = state.act(Action::Send);
    let [Effect::Keep(_), Effect::Reply { id, request }] = &effects[..] else { panic!("{effects:?}") };
    (*id, (**request).clone())
}

fn outcome() -> Outcome {
    Outcome { n_tokens: 3, tokens_per_second: 9.0, n_read: 5, first_ms: 1.0, cut_off: None }
}

fn answer(state: &mut State, id: u64, text: &str) {
    state.hear(Report::Thought { id, text: "hm".into() });
    state.hear(Report::Text { id, text: text.into() });
    let effects = state.hear(Report::Done { id, outcome: outcome() });
    assert!(matches!(&effects[..], [Effect::Keep(_)]), "{effects:?}");
}

fn texts(state: &State) -> Vec<&str> {
    state.conversation().map_or(Vec::new(), |c| c.turns.iter().map(|turn| turn.text.as_str()).collect())
}

#[test]
fn a_conversation_goes_back_and_forth() {
    let mut state = ready();
    let (id, request) = say(&mut state, " Hello ");
    assert_eq!(request.messages, [qwill::Message::user("Hello")]);
    assert!(state.draft.is_empty() && state.is_replying_here());
    state.draft = "too early".into();
    assert!(state.act(Action::Send).is_empty() && state.act(Action::Regenerate).is_empty());
    answer(&mut state, id, "Hi!");
    assert_eq!(texts(&state), ["Hello", "Hi!"]);
    state.settings.system_prompt = "Be brief.".into();
    let (_, request) = say(&mut state, "And?");
    assert_eq!(request.messages.len(), 4);
    assert_eq!(state.conversations.len(), 1);
}

#[test]
fn nothing_is_sent_without_a_model_or_words() {
    let mut state = State { draft: "Hello".into(), ..State::default() };
    assert!(!state.can_send() && state.act(Action::Send).is_empty());
    let mut state = ready();
    state.draft = " \n".into();
    assert!(state.act(Action::Send).is_empty());
    assert_eq!(state.draft, " \n");
}

#[test]
fn a_reply_is_stopped_once_and_its_words_stay() {
    let mut state = ready();
    let (id, _) = say(&mut state, "Hello");
    assert!(matches!(state.act(Action::Stop)[..], [Effect::StopReply(stopped)] if stopped == id));
    assert!(state.act(Action::Stop).is_empty());
    state.hear(Report::Text { id, text: "Hi".into() });
    state.hear(Report::Done { id, outcome: Outcome { cut_off: Some("stopped".into()), ..outcome() } });
    assert_eq!(texts(&state), ["Hello", "Hi"]);
    assert!(state.running.is_none());
    // what comes late is of no reply that runs
    state.hear(Report::Text { id, text: "late".into() });
    assert_eq!(texts(&state), ["Hello", "Hi"]);
}

#[test]
fn a_reply_that_fails_leaves_the_question_and_the_reason() {
    let mut state = ready();
    let (id, _) = say(&mut state, "Hello");
    state.hear(Report::ReplyFailed { id, reason: "too long".into() });
    assert_eq!((texts(&state), state.notice.as_deref()), (vec!["Hello"], Some("too long")));
    state.act(Action::Dismiss);
    assert_eq!(state.notice, None);
    assert_eq!(state.act(Action::Regenerate).len(), 2);
}

#[test]
fn a_message_is_written_anew_and_what_followed_is_forgotten() {
    let mut state = ready();
    for (question, reply) in [("one", "1"), ("two", "2")] {
        let (id, _) = say(&mut state, question);
        answer(&mut state, id, reply);
    }
    state.act(Action::Fork(1));
    assert_eq!((texts(&state), state.conversations.len()), (vec!["one", "1"], 2));
    state.act(Action::Open(state.conversations[1].id));
    state.act(Action::EditLast);
    assert_eq!((state.draft.as_str(), state.editing), ("two", Some(2)));
    state.act(Action::CancelEdit);
    assert!(state.draft.is_empty());
    state.act(Action::Edit(0));
    let (id, request) = say(&mut state, "uno");
    assert_eq!(request.messages.len(), 1);
    answer(&mut state, id, "1!");
    assert_eq!(texts(&state), ["uno", "1!"]);
    let effects = state.act(Action::Regenerate);
    assert!(
        matches!(&effects[1], Effect::Reply { request, .. } if request.messages.len() == 1),
        "{effects:?}"
    );
}

#[test]
fn conversations_are_found_renamed_and_removed() {
    let mut state = ready();
    let (id, _) = say(&mut state, "apples");
    answer(&mut state, id, "red");
    state.act(Action::New);
    assert_eq!(state.conversation(), None);
    let (id, _) = say(&mut state, "pears");
    state.search = "RED".into();
    assert_eq!(state.found().map(|found| found.title.as_str()).collect::<Vec<_>>(), ["apples"]);
    let pears = state.open.unwrap();
    state.renaming = Some(Renaming { id: pears, title: " fruit ".into() });
    assert!(matches!(&state.act(Action::Rename)[..], [Effect::Keep(kept)] if kept.title == "fruit"));
    let effects = state.act(Action::Remove(pears));
    assert!(matches!(effects[..], [Effect::StopReply(_), Effect::Remove(removed)] if removed == pears));
    assert!(state.hear(Report::Done { id, outcome: outcome() }).is_empty());
    assert_eq!((state.open, state.conversations.len()), (None, 1));
}

#[test]
fn a_model_is_planned_loaded_and_loaded_again_for_another_context() {
    let mut state = ready();
    state.wanted_model = " a/b ".into();
    assert!(matches!(&state.act(Action::Plan)[..], [Effect::Plan { source, .. }] if source == "a/b"));
    let plan = Plan::Fits("1 GB".into());
    state.hear(Report::Model(ModelReport::Planned { source: "other".into(), plan: plan.clone() }));
    assert_eq!(state.plan, Some(Plan::Asked));
    state.hear(Report::Model(ModelReport::Planned { source: "a/b".into(), plan: plan.clone() }));
    assert_eq!(state.plan, Some(plan));
    let effects = state.act(Action::Load);
    assert!(
        matches!(&effects[..], [Effect::Load { source, .. }, Effect::KeepSettings(_)] if source == "a/b")
    );
    state.hear(Report::Model(ModelReport::Failed("no room".into())));
    assert!(matches!(&state.model, ModelState::Failed { source, .. } if source == "a/b"));
    let mut state = ready();
    let other = Settings { cache: Cache::Q8, ..state.settings.clone() };
    assert_eq!(state.act(Action::Choose(Box::new(other))).len(), 2);
    let mut state = ready();
    let other = Settings { system_prompt: "x".into(), ..state.settings.clone() };
    assert_eq!(state.act(Action::Choose(Box::new(other))).len(), 1);
}
