//! What a client sees of replies that models write with mistakes, from the tokens on: streamed or not, whatever the tags are
//! in the vocabulary.

use std::sync::Arc;

use pollster::block_on;
use qwill::weights::MemorySource;
use qwill::{
    ChatEvent, ChatReply, ChatRequest, Control, FinishReason, LoadOptions, Model, ModelFiles,
    SamplingOptions, ToolCall,
};
use qwill_testkit::replies::ReplyCase;
use qwill_testkit::scripted::{PromptEnd, Script, TagKind, scripted_gguf};
use serde_json::{Value, json};

fn load(gguf: Vec<u8>) -> Model {
    let files = ModelFiles::from_sources("scripted", vec![Arc::new(MemorySource::new("s.gguf", gguf))]);
    let options = LoadOptions { context_length: Some(1024), ..LoadOptions::default() };
    block_on(Model::load(files, &options, &mut |_| Control::Continue)).unwrap()
}

fn greedy(tools: Vec<Value>) -> ChatRequest {
    ChatRequest { tools: Some(tools), sampling: SamplingOptions::greedy(), ..ChatRequest::user("Hi") }
}

fn calls(calls: &[ToolCall]) -> Value {
    let parsed =
        |call: &ToolCall| json!([call.name, serde_json::from_str::<Value>(&call.arguments).unwrap()]);
    calls.iter().map(parsed).collect()
}

/// The reply, and what its events come to.
fn streamed(model: &Model, request: &ChatRequest) -> (ChatReply, String, String, Vec<ToolCall>, usize) {
    let (mut text, mut reasoning, mut begun, mut told, mut parts) =
        (String::new(), String::new(), vec![], vec![], 0);
    let reply = block_on(model.chat_with(request, |event| {
        match event {
            ChatEvent::Content { text: more } => text += &more,
            ChatEvent::Reasoning { text: more } => reasoning += &more,
            ChatEvent::ToolCallDelta(delta) => {
                parts += 1;
                begun.extend(delta.name.map(|name| ToolCall { name, arguments: String::new() }));
                begun[delta.call].arguments += &delta.arguments;
            }
            ChatEvent::ToolCall(call) => {
                assert_eq!(begun.last(), Some(&call), "the parts are the call");
                told.push(call);
            }
            _ => {}
        }
        Control::Continue
    }));
    (reply.unwrap(), text, reasoning, told, parts)
}

#[test]
fn replies_of_every_kind_are_taken_apart() {
    for (index, case) in ReplyCase::of_each_kind().iter().enumerate() {
        let tags = [TagKind::UserDefined, TagKind::Spelled][index % 2];
        let model = load(case.model(tags));
        let (reply, text, reasoning, told, _) = streamed(&model, &greedy(case.tools()));
        assert_eq!(case.difference(&text, &reasoning, &calls(&told)), None);
        assert_eq!((reply.text, reply.reasoning, &reply.tool_calls), (text, reasoning, &told));
        let wanted = if told.is_empty() { FinishReason::Stop } else { FinishReason::ToolCalls };
        assert_eq!(reply.finish_reason, wanted, "{}", case.name());
    }
}

#[test]
fn arguments_stream_while_they_are_written() {
    let tools = vec![json!({"type": "function", "function": {"name": "write", "parameters": {
        "properties": {"text": {"type": "string"}}}}})];
    for reply in [
        "<tool_call>\n{\"name\": \"write\", \"arguments\": {\"text\": \"abcdefghijklmnopqrstuvwxyz\"}}\n</tool_call>",
        "<tool_call>\n<function=write>\n<parameter=text>\nabcdefghijklmnopqrstuvwxyz\n</parameter>\n</function>\n</tool_call>",
    ] {
        let script = Script { reply, piece: 3, tags: TagKind::UserDefined, prompt_end: PromptEnd::Reply };
        let (reply, .., told, parts) = streamed(&load(scripted_gguf(&script)), &greedy(tools.clone()));
        assert_eq!(calls(&told), json!([["write", {"text": "abcdefghijklmnopqrstuvwxyz"}]]));
        assert!(parts > 8, "{parts} parts of {:?}", reply.tool_calls);
    }
}

#[test]
fn control_tokens_are_tags_and_never_shown() {
    let reply =
        "<think>\nhm\n</think>\n\nSo:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>";
    let script = Script { reply, piece: 2, tags: TagKind::Control, prompt_end: PromptEnd::Reply };
    let (reply, text, reasoning, told, _) = streamed(&load(scripted_gguf(&script)), &greedy(vec![]));
    assert_eq!((text.as_str(), reasoning.as_str()), ("So:", "hm"));
    assert_eq!((calls(&told), reply.finish_reason), (json!([["f", {}]]), FinishReason::ToolCalls));
}

#[test]
fn thoughts_end_at_the_token_where_there_is_one() {
    // A token is said once, so the second is spelled.
    let reply = "<think>\na</think>b </think> c";
    for (tags, wanted) in
        [(TagKind::UserDefined, ("a", "b </think> c")), (TagKind::Spelled, ("a", "b </think> c"))]
    {
        let script = Script { reply, piece: 2, tags, prompt_end: PromptEnd::Reply };
        let (_, text, reasoning, ..) = streamed(&load(scripted_gguf(&script)), &greedy(vec![]));
        assert_eq!((reasoning.as_str(), text.as_str()), wanted);
    }
    let script =
        Script { reply: "aaa </think> b", piece: 3, tags: TagKind::Unused, prompt_end: PromptEnd::Thoughts };
    let (_, text, reasoning, ..) = streamed(&load(scripted_gguf(&script)), &greedy(vec![]));
    assert_eq!((reasoning.as_str(), text.as_str()), ("aaa </think> b", ""));
}

#[test]
fn a_limit_inside_a_call_leaves_its_text() {
    let reply = "A\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"a\": \"bcdefghijk\"}}\n</tool_call>";
    let script = Script { reply, piece: 3, tags: TagKind::Spelled, prompt_end: PromptEnd::Reply };
    let tools = vec![json!({"function": {"name": "f", "parameters": {}}})];
    let request = ChatRequest { max_tokens: Some(17), ..greedy(tools) };
    let (reply_found, text, _, told, parts) = streamed(&load(scripted_gguf(&script)), &request);
    assert_eq!((reply_found.finish_reason, told.len()), (FinishReason::Length, 0));
    assert!(parts > 0 && reply.starts_with(&text) && text.contains("\"a\": \"b"), "{parts} parts, {text:?}");
}
