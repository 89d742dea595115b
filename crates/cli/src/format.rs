//! What the text of a reply must be, from the command line.

use std::path::Path;

use qwill::{GrammarText, ResponseFormat, ToolChoice};

use crate::args::FormatArgs;
use crate::failure::{Failure, about};

/// `--json-schema`: JSON, or a file with JSON.
pub(crate) fn response_format(args: &FormatArgs) -> Result<Option<ResponseFormat>, Failure> {
    let Some(schema) = &args.json_schema else { return Ok(None) };
    let path = Path::new(schema);
    let schema = match schema.trim_start().starts_with('{') {
        true => serde_json::from_str(schema).map_err(|error| about(Path::new("--json-schema"), error))?,
        false => {
            let bytes = std::fs::read(path).map_err(|error| about(path, error))?;
            serde_json::from_slice(&bytes).map_err(|error| about(path, error))?
        }
    };
    Ok(Some(ResponseFormat::schema(schema)))
}

/// `--grammar`
pub(crate) fn grammar(args: &FormatArgs) -> Result<Option<GrammarText>, Failure> {
    let Some(path) = &args.grammar else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| about(path, error))?;
    Ok(Some(GrammarText::guess(text)))
}

/// `--tool-choice`
pub(crate) fn tool_choice(choice: &str) -> ToolChoice {
    match choice {
        "auto" => ToolChoice::Auto,
        "none" => ToolChoice::None,
        "required" => ToolChoice::Required,
        name => ToolChoice::Named(name.to_owned()),
    }
}
