//! Messages in the shapes in which people send them, brought into the one that templates read.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use crate::{ChatInput, ChatTemplate};

impl ChatInput {
    /// Makes up for what OpenAI's interface and a template disagree on:
    ///
    /// - a message without content, or with `null`, has an empty one;
    /// - `developer` is `system`, and where the template would lose or refuse what stands beside another system message or
    ///   behind the first message, it becomes a part of the first one;
    /// - tool arguments that are JSON text become values, because most templates print them as JSON themselves;
    /// - results of tools stand in the order of their calls, because templates do not print their ids;
    /// - `function` messages and `function_call`, the older form of results and calls, become the newer one;
    /// - thoughts under another name get the one that templates read;
    /// - texts in parts become one text for a template that knows no parts.
    pub fn prepare_for(&mut self, template: &ChatTemplate) {
        let has_developer = self.messages.iter().any(|message| message["role"] == "developer");
        self.bring_into_shape();
        if !template.source().contains("tool_call_id") {
            sort_results(&mut self.messages);
        }
        self.flatten_for(template);
        if has_developer {
            self.keep_instructions(template);
        }
    }

    /// What needs no template to be known.
    pub(crate) fn bring_into_shape(&mut self) {
        self.messages.iter_mut().filter_map(Value::as_object_mut).for_each(shape);
    }

    /// Joins texts in parts where the template does not.
    fn flatten_for(&mut self, template: &ChatTemplate) {
        let mut reads: BTreeMap<String, bool> = BTreeMap::new();
        for message in self.messages.iter_mut().filter(|message| message["content"].is_array()) {
            let role = message["role"].as_str().unwrap_or_default();
            if *reads.entry(role.to_owned()).or_insert_with(|| template.reads_parts_of(role)) {
                continue;
            }
            if let Some(text) = joined_text(&message["content"]) {
                message["content"] = Value::String(text);
            }
        }
    }

    /// Puts the texts of all system messages into the first, unless the template prints them where they are.
    fn keep_instructions(&mut self, template: &ChatTemplate) {
        let is_system = |message: &Value| message["role"] == "system";
        let systems: Vec<usize> =
            (0..self.messages.len()).filter(|&index| is_system(&self.messages[index])).collect();
        if systems == [0] || template.prints_all(self, &systems) {
            return;
        }
        let contents = systems.iter().map(|&index| &self.messages[index]["content"]);
        let texts: Option<Vec<String>> = contents
            .map(|content| content.as_str().map(str::to_owned).or_else(|| joined_text(content)))
            .collect();
        // What is no text cannot be joined; the template says what it makes of it.
        let Some(texts) = texts else { return };
        let mut first = self.messages[systems[0]].clone();
        first["content"] = Value::String(texts.join("\n\n"));
        self.messages.retain(|message| !is_system(message));
        self.messages.insert(0, first);
    }
}

/// The text of a content that is a list of nothing but texts.
pub(crate) fn joined_text(content: &Value) -> Option<String> {
    let texts: Option<Vec<&str>> = content
        .as_array()?
        .iter()
        .map(|part| (part["type"] == "text").then(|| part["text"].as_str()).flatten())
        .collect();
    texts.map(|texts| texts.join("\n"))
}

fn shape(message: &mut Map<String, Value>) {
    let newer = match message.get("role").and_then(Value::as_str) {
        Some("developer") => Some("system"),
        Some("function") => Some("tool"),
        _ => None,
    };
    if let Some(role) = newer {
        message.insert("role".to_owned(), json!(role));
    }
    match message.get_mut("content") {
        None | Some(Value::Null) => drop(message.insert("content".to_owned(), json!(""))),
        Some(Value::Array(parts)) => parts.iter_mut().for_each(shape_part),
        Some(_) => {}
    }
    let thoughts = ["reasoning_content", "thinking", "reasoning"].into_iter().map(|key| message.get(key));
    if let Some(thoughts) = thoughts.flatten().find(|thoughts| !thoughts.is_null()).cloned() {
        message.insert("reasoning_content".to_owned(), thoughts);
    }
    let call = message.remove("function_call").filter(Value::is_object);
    if message.get("tool_calls").is_some_and(Value::is_null) {
        message.remove("tool_calls");
    }
    if let Some(call) = call
        && !message.contains_key("tool_calls")
    {
        message.insert("tool_calls".to_owned(), json!([{"type": "function", "function": call}]));
    }
    let calls = message.get_mut("tool_calls").and_then(Value::as_array_mut);
    for call in calls.into_iter().flatten() {
        let function = if call.get("function").is_some() { call.get_mut("function") } else { Some(call) };
        function.and_then(Value::as_object_mut).into_iter().for_each(shape_call);
    }
}

/// A refusal is what the assistant said.
fn shape_part(part: &mut Value) {
    if part["type"] == "refusal"
        && let Some(text) = part["refusal"].as_str()
    {
        *part = json!({"type": "text", "text": text});
    }
}

/// Arguments as a value, where they are JSON; none are an empty object.
fn shape_call(function: &mut Map<String, Value>) {
    if !function.contains_key("name") {
        return;
    }
    let arguments = match function.get("arguments") {
        None | Some(Value::Null) => Some(Map::new()),
        Some(Value::String(text)) if text.trim().is_empty() => Some(Map::new()),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        Some(_) => None,
    };
    if let Some(arguments) = arguments {
        function.insert("arguments".to_owned(), Value::Object(arguments));
    }
}

/// Puts the results behind each message with calls into the order of the calls, as far as they name them.
fn sort_results(messages: &mut [Value]) {
    let is_result = |message: &Value| message["role"] == "tool";
    let mut rest = messages;
    while let Some(at) = rest.iter().position(|message| message["tool_calls"].is_array()) {
        let (head, tail) = rest.split_at_mut(at + 1);
        let n_results = tail.iter().take_while(|message| is_result(message)).count();
        let (results, tail) = tail.split_at_mut(n_results);
        let calls = head[at]["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        let places = places_of(results, calls);
        let mut sorted: Vec<(usize, Value)> =
            places.into_iter().zip(results.iter_mut().map(Value::take)).collect();
        sorted.sort_by_key(|(place, _)| *place);
        results.iter_mut().zip(sorted).for_each(|(result, (_, value))| *result = value);
        rest = tail;
    }
}

/// Where each result belongs: with the call that it names, else with the first that nobody names.
fn places_of(results: &[Value], calls: &[Value]) -> Vec<usize> {
    let mut named: BTreeMap<&str, VecDeque<usize>> = BTreeMap::new();
    for (place, call) in calls.iter().enumerate() {
        named.entry(call["id"].as_str().unwrap_or_default()).or_default().push_back(place);
    }
    let mut free = vec![true; calls.len()];
    let mut places: Vec<Option<usize>> = Vec::with_capacity(results.len());
    for result in results {
        let id = result["tool_call_id"].as_str();
        let place = id.and_then(|id| named.get_mut(id)?.pop_front());
        place.into_iter().for_each(|place| free[place] = false);
        places.push(place);
    }
    let mut unnamed = (0..).filter(|&place| free.get(place) != Some(&false));
    places.into_iter().filter_map(|place| place.or_else(|| unnamed.next())).collect()
}
