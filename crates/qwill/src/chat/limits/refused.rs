//! A build that follows no formats.

use super::{Limits, Thoughts};
use crate::chat::{ResponseFormat, ToolChoice};
use crate::{ChatRequest, Error, Model};

impl Model {
    /// What limits the reply to a request: nothing can.
    pub(crate) fn limits(
        &self,
        request: &ChatRequest,
        _: Thoughts,
        _: &[u32],
    ) -> Result<Option<Limits>, Error> {
        let has_format = !matches!(request.response_format, None | Some(ResponseFormat::Text));
        let must_call = matches!(request.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
        let asked = [
            ("response_format", has_format),
            ("regex", request.regex.is_some()),
            ("grammar", request.grammar.is_some()),
            ("tool_choice", must_call),
            ("parallel_tool_calls", request.parallel_tool_calls == Some(false)),
        ];
        match asked.into_iter().find(|(_, is_asked)| *is_asked) {
            Some((name, _)) => Err(Error::Request(format!(
                "{name} needs qwill's feature \"grammar\", which this build does not have"
            ))),
            None => Ok(None),
        }
    }
}
