//! Tools, and whether they are called.

use qwill::ToolChoice;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::fields::{Fields, shown};

/// Tools in OpenAI's shape.
pub(super) fn tools(tools: Value) -> Result<Option<Vec<Value>>, Failure> {
    let tools = match tools {
        Value::Null => return Ok(None),
        Value::Array(tools) => tools,
        other => return Err(Failure::invalid(format!("tools must be a list, not {}", shown(&other)))),
    };
    let read = |(index, tool)| {
        let mut fields = Fields::at(format!("tools[{index}]"), tool)?;
        fields.only("type", &[json!("custom")])?;
        let name: String = fields.need("name", "a text")?;
        let description = fields.text("description")?;
        let schema: Value = fields.need("input_schema", "a JSON schema")?;
        let strict = fields.flag("strict")?;
        fields.ignore(&[
            "cache_control",
            "input_examples",
            "eager_input_streaming",
            "allowed_callers",
            "defer_loading",
        ]);
        fields.end()?;
        let mut function = json!({"name": name, "description": description, "parameters": schema});
        if strict {
            function["strict"] = true.into();
        }
        Ok(json!({"type": "function", "function": function}))
    };
    tools.into_iter().enumerate().map(read).collect::<Result<Vec<_>, _>>().map(Some)
}

/// Whether tools are called, and whether several may be.
pub(super) fn choice(fields: Option<Fields>) -> Result<(Option<ToolChoice>, Option<bool>), Failure> {
    let Some(mut fields) = fields else { return Ok((None, None)) };
    let kind: String = fields.need("type", "\"auto\", \"any\", \"tool\" or \"none\"")?;
    let choice = match kind.as_str() {
        "auto" => ToolChoice::Auto,
        "any" => ToolChoice::Required,
        "none" => ToolChoice::None,
        "tool" => ToolChoice::Named(fields.need("name", "a tool's name")?),
        other => {
            return Err(Failure::invalid(format!(
                "tool_choice.type must be \"auto\", \"any\", \"tool\" or \"none\", not \"{other}\""
            )));
        }
    };
    let only_one = fields.flag("disable_parallel_tool_use")?;
    fields.end()?;
    Ok((Some(choice), only_one.then_some(false)))
}
