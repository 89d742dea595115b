//! Tools for Qwen1, which learned no tags for them: it is asked in prose to write thoughts, an
//! action and its input (ReAct, Yao et al. 2022), in the words of Qwen1's own documentation.

use std::collections::VecDeque;

use serde_json::Value;

use crate::messages::joined_text;
use crate::template::python_json;
use crate::{ChatInput, Error, GenerationPrompt};

/// Where a reply that calls a tool must end: from here on the model would make up the result.
pub const REACT_STOP: &str = "Observation:";

/// A message of nothing but text, as Qwen1 knows them.
pub(crate) struct Message {
    pub(crate) role: String,
    pub(crate) text: String,
}

/// A conversation without tools and in plain texts.
pub(crate) struct Flat {
    pub(crate) messages: Vec<Message>,
    pub(crate) generation_prompt: GenerationPrompt,
}

/// Writes tools into the last question, and calls with their results into the assistant's messages.
///
/// After a tool's result the model goes on in the same message, with its next thought.
pub(crate) fn flatten(chat: &ChatInput) -> Result<Flat, Error> {
    let tools = chat.tools.as_deref().unwrap_or_default();
    let question = chat.messages.iter().rposition(|message| message["role"] == "user");
    let mut writer = Writer::default();
    for (at, message) in chat.messages.iter().enumerate() {
        let text = text_of(message)?;
        match message["role"].as_str() {
            Some("tool" | "function") => writer.result(message["tool_call_id"].as_str(), &text)?,
            Some("assistant") => writer.assistant(message, text)?,
            Some("user") if Some(at) == question && !tools.is_empty() => {
                writer.push("user", instructions(tools)? + &text);
            }
            Some("developer") => writer.push("system", text),
            Some(role) => writer.push(role, text),
            None => return Err(Error::Conversation(format!("message {at} has no role"))),
        }
    }
    writer.flush();
    let mut generation_prompt = chat.add_generation_prompt;
    if writer.observed && generation_prompt == GenerationPrompt::Add {
        writer.append("\nThought:");
        generation_prompt = GenerationPrompt::Continue;
    }
    Ok(Flat { messages: writer.messages, generation_prompt })
}

/// What stands before a question that may be answered with tools.
fn instructions(tools: &[Value]) -> Result<String, Error> {
    let tools: Vec<&Value> = tools.iter().map(|tool| tool.get("function").unwrap_or(tool)).collect();
    let mut names = Vec::new();
    let mut descriptions = Vec::new();
    for tool in tools {
        let text = |keys: &[&str]| keys.iter().find_map(|key| tool[*key].as_str());
        let name = text(&["name_for_model", "name"])
            .ok_or_else(|| Error::Conversation(format!("a tool has no name: {tool}")))?;
        let title = text(&["name_for_human"]).unwrap_or(name);
        let description = text(&["description_for_model", "description"]).unwrap_or_default();
        let parameters = match &tool["parameters"] {
            Value::Null => "[]".to_owned(),
            parameters => python_json(parameters)?,
        };
        names.push(name);
        descriptions.push(format!(
            "{name}: Call this tool to interact with the {title} API. What is the {title} API useful for? {description} Parameters: {parameters} Format the arguments as a JSON object."
        ));
    }
    let (descriptions, names) = (descriptions.join("\n\n"), names.join(","));
    Ok(format!(
        "Answer the following questions as best you can. You have access to the following tools:\n\n{descriptions}\n\nUse the following format:\n\nQuestion: the input question you must answer\nThought: you should always think about what to do\nAction: the action to take, should be one of [{names}]\nAction Input: the input to the action\nObservation: the result of the action\n... (this Thought/Action/Action Input/Observation can be repeated zero or more times)\nThought: I now know the final answer\nFinal Answer: the final answer to the original input question\n\nBegin!\n\nQuestion: "
    ))
}

/// A call whose result is still to come.
struct Call {
    id: Option<String>,
    text: String,
}

#[derive(Default)]
struct Writer {
    messages: Vec<Message>,
    pending: VecDeque<Call>,
    /// The last message ends in a tool's result.
    observed: bool,
}

impl Writer {
    fn push(&mut self, role: &str, text: String) {
        self.flush();
        self.observed = false;
        self.messages.push(Message { role: role.to_owned(), text });
    }

    fn append(&mut self, text: &str) {
        if let Some(last) = self.messages.last_mut() {
            last.text.push_str(text);
        }
    }

    fn assistant(&mut self, message: &Value, text: String) -> Result<(), Error> {
        let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        self.flush();
        let thought = message["reasoning_content"].as_str().map(str::trim).filter(|t| !t.is_empty());
        let written = match calls.first() {
            None if !self.observed => {
                self.push("assistant", text);
                return Ok(());
            }
            None => {
                let thought = thought.unwrap_or("I now know the final answer");
                format!("Thought: {thought}\nFinal Answer: {text}")
            }
            Some(first) => {
                let spoken = Some(text.trim()).filter(|text| !text.is_empty());
                match thought.or(spoken) {
                    Some(thought) => format!("Thought: {thought}"),
                    None => format!("Thought: I should use {}.", name_and_arguments(first)?.0),
                }
            }
        };
        if self.observed {
            self.append(&format!("\n{written}"));
            self.observed = false;
        } else {
            self.push("assistant", written);
        }
        for call in calls {
            let (name, arguments) = name_and_arguments(call)?;
            let text = format!("\nAction: {name}\nAction Input: {arguments}");
            self.pending.push_back(Call { id: call["id"].as_str().map(str::to_owned), text });
        }
        Ok(())
    }

    /// A result belongs to the call with its id, or else to the first that has none yet.
    fn result(&mut self, id: Option<&str>, text: &str) -> Result<(), Error> {
        let named = self.pending.iter().position(|call| id.is_some() && call.id.as_deref() == id);
        if let Some(call) = self.pending.remove(named.unwrap_or(0)) {
            self.append(&call.text);
        } else if !self.observed {
            return Err(Error::Conversation(
                "a tool's result must follow the assistant's message that calls the tool".to_owned(),
            ));
        }
        self.append(&format!("\n{REACT_STOP} {text}"));
        self.observed = true;
        Ok(())
    }

    /// Writes the calls that got no result.
    fn flush(&mut self) {
        while let Some(call) = self.pending.pop_front() {
            self.append(&call.text);
            self.observed = false;
        }
    }
}

fn name_and_arguments(call: &Value) -> Result<(&str, String), Error> {
    let function = call.get("function").unwrap_or(call);
    let name = function["name"]
        .as_str()
        .ok_or_else(|| Error::Conversation(format!("a tool call has no name: {call}")))?;
    let arguments = match &function["arguments"] {
        Value::Null => "{}".to_owned(),
        Value::String(text) => text.trim().to_owned(),
        arguments => python_json(arguments)?,
    };
    Ok((name, arguments))
}

/// The text of a message; one that only calls tools has none.
fn text_of(message: &Value) -> Result<String, Error> {
    match &message["content"] {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        content => joined_text(content)
            .ok_or_else(|| Error::Conversation("Qwen1 needs messages whose content is text".to_owned())),
    }
}
