//! `qwill run`: one reply.

use std::io::Read;

use pollster::block_on;
use qwill::{ChatReply, ChatRequest, Control, KvType, Message, Usage};
use serde_json::{Value, json};

use crate::args::{ReplyArgs, RunArgs};
use crate::failure::{Failure, about};
use crate::format;
use crate::reply_view::{Rendering, stream};
use crate::terminal::{note, say};

/// The text of an argument, or standard input for "-".
pub(crate) fn text_or_stdin(argument: &str) -> Result<String, Failure> {
    if argument != "-" {
        return Ok(argument.to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

/// A request with everything that the reply's arguments say, and the system message.
pub(crate) fn request(args: &ReplyArgs) -> Result<ChatRequest, Failure> {
    let tools = match &args.tools {
        None => None,
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|e| about(path, e))?;
            let parsed: Value = serde_json::from_slice(&bytes).map_err(|e| about(path, e))?;
            match parsed {
                Value::Array(tools) => Some(tools),
                _ => return Err(about(path, "a JSON array of tools is needed")),
            }
        }
    };
    Ok(ChatRequest {
        tools,
        tool_choice: args.tool_choice.as_deref().map(format::tool_choice),
        response_format: format::response_format(&args.format)?,
        regex: args.format.regex.clone(),
        grammar: format::grammar(&args.format)?,
        sampling: args.sampling.options(),
        logit_bias: Some(args.logit_bias.iter().map(|arg| (arg.id, arg.bias)).collect()),
        max_tokens: args.max_tokens,
        stop: args.stop.clone(),
        enable_thinking: args.no_think.then_some(false),
        thinking_budget: args.thinking_budget,
        chat_template: args.chat_template.clone(),
        split_special_tokens: args.no_split_special_tokens.then_some(false),
        speculation: args.speculate.map(Into::into),
        ..ChatRequest::new(args.system.iter().map(Message::system))
    })
}

/// One line of figures.
pub(crate) fn summary(reply: &ChatReply) -> String {
    let guesses = reply.timings.draft_n.map_or(String::new(), |n_guessed| {
        format!(" ({} of {n_guessed} guessed right)", reply.timings.draft_n_accepted.unwrap_or(0))
    });
    format!(
        "{} prompt tokens ({} cached), first token after {:.0} ms; {} tokens at {:.1} a second{guesses}; {}",
        reply.usage.prompt_tokens,
        reply.usage.cached_tokens,
        reply.timings.prefill_ms,
        reply.usage.completion_tokens,
        reply.timings.decode_tps,
        json!(reply.finish_reason).as_str().unwrap_or_default()
    )
}

pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    let mut request = request(&args.reply)?;
    let prompt = text_or_stdin(&args.prompt)?;
    if args.raw {
        request.prompt = Some(prompt);
        request.suffix.clone_from(&args.suffix);
    } else {
        request.messages.push(Message::user(prompt));
    }
    request.echo = args.echo.then_some(true);
    request.logprobs = args.logprobs.map(|_| true);
    request.top_logprobs = args.logprobs;
    let model = crate::model::load(&args.model, KvType::F16)?;
    if args.n != 1 {
        request.n = Some(args.n);
        let replies = block_on(model.choices(&request)?.replies())?;
        return print_choices(&replies, args);
    }
    if !args.json {
        let reply = stream(&model, &request, Rendering::AsWritten, || Control::Continue)?;
        note(&summary(&reply));
        return Ok(());
    }
    let reply = block_on(model.chat_with(&request, &mut |_| Control::Continue))?;
    say!("{}", serde_json::to_string(&reply)?);
    Ok(())
}

/// All choices at once: one JSON object, or one text below the other.
fn print_choices(replies: &[ChatReply], args: &RunArgs) -> Result<(), Failure> {
    if args.json {
        say!("{}", json!({"choices": replies, "usage": Usage::of_choices(replies)}));
        return Ok(());
    }
    for (index, reply) in replies.iter().enumerate() {
        note(&format!("choice {index}: {}", summary(reply)));
        say!("{}", reply.text);
    }
    Ok(())
}
