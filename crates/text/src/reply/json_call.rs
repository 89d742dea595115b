//! One call in JSON.

use super::mender::{Malformed, Member, Mender, mend, text_of};
use super::progress::{CallPiece, tell_arguments};
use super::tools::Tools;

/// Under which keys models write arguments; the first is the right one.
const ARGUMENTS: [&str; 6] = ["arguments", "parameters", "args", "params", "input", "kwargs"];
/// What else calls have that is not an argument.
const ASIDE: [&str; 4] = ["name", "id", "type", "index"];

/// Reads one call while it is written.
#[derive(Clone, Debug)]
pub(super) struct JsonCall {
    mender: Mender,
    /// Where in the mended text the arguments begin that were told, and up to where they were.
    told: Option<(usize, usize)>,
}

impl Default for JsonCall {
    fn default() -> Self {
        Self { mender: Mender::new(), told: None }
    }
}

impl JsonCall {
    pub(super) fn is_done(&self) -> bool {
        self.mender.is_done()
    }

    pub(super) fn push(
        &mut self,
        c: char,
        tools: &Tools,
        pieces: &mut Vec<CallPiece>,
    ) -> Result<(), Malformed> {
        self.mender.push(c)?;
        if self.told.is_none()
            && let Some((name, start)) = self.begun(tools)
        {
            pieces.push(CallPiece::Name(name));
            self.told = Some((start, start));
        }
        self.tell(pieces);
        Ok(())
    }

    /// A tag may end the call here.
    pub(super) fn may_end(&self) -> bool {
        !self.mender.is_in_text()
    }

    /// Nothing follows: brackets that were not closed are.
    pub(super) fn end(&mut self, pieces: &mut Vec<CallPiece>) -> Result<(), Malformed> {
        self.mender.end()?;
        self.tell(pieces);
        Ok(())
    }

    /// The name and the begin of the arguments, as soon as both are certain: the tool is on offer, and there is an argument.
    fn begun(&self, tools: &Tools) -> Option<(String, usize)> {
        let (last, before) = self.mender.members().split_last()?;
        let written = self.mender.out()[last.start..].strip_prefix('{')?;
        if last.end.is_some() || !ARGUMENTS.contains(&&*last.key) || written.trim_start().is_empty() {
            return None;
        }
        let name = self.name().filter(|name| tools.is_declared(name))?;
        let is_arguments = |member: &Member| is_arguments(&member.key, &name, tools);
        (is_arguments(last) && !before.iter().any(is_arguments)).then_some((name, last.start))
    }

    /// Tells what came of arguments that were begun.
    fn tell(&mut self, pieces: &mut Vec<CallPiece>) {
        let Some((start, told)) = &mut self.told else { return };
        let member = self.mender.members().iter().find(|member| member.start == *start);
        let end = member.and_then(|member| member.end).unwrap_or(self.mender.out().len());
        tell_arguments(&self.mender.out()[*told..end], pieces);
        *told = end;
    }

    fn name(&self) -> Option<String> {
        let member = self.mender.members().iter().find(|member| member.key == "name")?;
        text_of(self.value(member)).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    /// A member's value, if it is complete.
    fn value(&self, member: &Member) -> &str {
        member.end.map_or("", |end| &self.mender.out()[member.start..end])
    }

    /// The call is complete: what was not told yet, or that it is none.
    pub(super) fn finish(self, tools: &Tools) -> Result<Vec<CallPiece>, Malformed> {
        let Some(name) = self.name() else { return self.nested()?.finish(tools) };
        let arguments = self.arguments(&name, tools)?;
        Ok(if self.told.is_some() {
            vec![]
        } else {
            vec![CallPiece::Name(name), CallPiece::Arguments(arguments)]
        })
    }

    /// OpenAI's own shape has name and arguments under `function`.
    fn nested(&self) -> Result<Self, Malformed> {
        let member = self.mender.members().iter().find(|member| member.key == "function").ok_or(Malformed)?;
        let call = Self { mender: mend(self.value(member)).ok_or(Malformed)?, told: None };
        if call.name().is_some() { Ok(call) } else { Err(Malformed) }
    }

    /// The arguments as a JSON object, wherever the model wrote them: they must not vanish.
    fn arguments(&self, name: &str, tools: &Tools) -> Result<String, Malformed> {
        let members = self.mender.members().iter().filter(|member| !ASIDE.contains(&&*member.key));
        let (named, others): (Vec<_>, Vec<_>) =
            members.partition(|member| is_arguments(&member.key, name, tools));
        let mut objects =
            named.iter().map(|member| object_of(self.value(member))).collect::<Result<Vec<_>, _>>()?;
        let empty = objects.first().cloned();
        objects.retain(|object| !is_empty(object));
        match (objects.len(), objects.pop()) {
            (1, Some(arguments)) => return Ok(arguments),
            (0, _) => {}
            _ => return Err(Malformed),
        }
        if !others.is_empty() && others.iter().all(|member| tools.declares(name, &member.key) == Some(true)) {
            let fields = others.iter().map(|m| format!("{}: {}", serde_json::json!(m.key), self.value(m)));
            return Ok(format!("{{{}}}", fields.collect::<Vec<_>>().join(", ")));
        }
        match (empty, &others[..]) {
            // Said to be empty, or nothing is said.
            (Some(empty), _) => Ok(empty),
            (None, []) => Ok("{}".to_owned()),
            (None, [only]) if self.value(only).starts_with('{') => Ok(self.value(only).to_owned()),
            _ => Err(Malformed),
        }
    }
}

/// Whether arguments lie under this key; a tool may have a parameter of that name, which then is meant.
fn is_arguments(key: &str, tool: &str, tools: &Tools) -> bool {
    key == ARGUMENTS[0] || ARGUMENTS.contains(&key) && tools.declares(tool, key) != Some(true)
}

fn is_empty(object: &str) -> bool {
    object.trim_start_matches('{').trim_start() == "}"
}

/// A value as an object: it may be in a text, and nothing at all is an empty one.
fn object_of(value: &str) -> Result<String, Malformed> {
    match value.chars().next() {
        Some('{') => Ok(value.to_owned()),
        Some('"') => {
            let text = text_of(value).ok_or(Malformed)?;
            match text.trim() {
                "" | "null" | "None" => Ok("{}".to_owned()),
                text if text.starts_with('{') => {
                    mend(text).map(|mender| mender.out().to_owned()).ok_or(Malformed)
                }
                _ => Err(Malformed),
            }
        }
        _ if value == "null" => Ok("{}".to_owned()),
        Some('[') if value[1..].trim_start() == "]" => Ok("{}".to_owned()),
        _ => Err(Malformed),
    }
}
