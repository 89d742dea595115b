//! What the editor offers while a line is typed: names of commands, of files, of settings.

use std::borrow::Cow;

use console::Style;
use qwill::hub::{Hub, HubOptions};
use rustyline::completion::{Completer, FilenameCompleter, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::commands::{Argument, COMMANDS, Command};
use super::params::PARAMS;
use super::texts::goes_on;

pub(super) struct ChatHelper {
    files: FilenameCompleter,
    has_colours: bool,
}

impl ChatHelper {
    pub(super) fn new(has_colours: bool) -> Self {
        Self { files: FilenameCompleter::new(), has_colours }
    }

    fn styled<'t>(&self, text: &'t str, style: Style) -> Cow<'t, str> {
        match self.has_colours {
            true => style.force_styling(true).apply_to(text).to_string().into(),
            false => text.into(),
        }
    }
}

/// Those that a text begins, each with a space behind it.
fn matching<'n>(names: impl IntoIterator<Item = &'n str>, begun: &str) -> Vec<Pair> {
    let names = names.into_iter().filter(|name| name.starts_with(begun));
    names.map(|name| Pair { display: name.to_owned(), replacement: format!("{name} ") }).collect()
}

impl Completer for ChatHelper {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = &line[..pos];
        if !typed.starts_with('/') {
            return Ok((pos, Vec::new()));
        }
        let Some((word, argument)) = typed.split_once(' ') else {
            let names = COMMANDS
                .iter()
                .flat_map(|command| [command.name].into_iter().chain(command.aliases.iter().copied()));
            return Ok((0, matching(names, typed)));
        };
        let found = COMMANDS.iter().find(|command| command.name == word || command.aliases.contains(&word));
        let start = pos - argument.len();
        match found.map(|command| command.argument) {
            Some(Argument::Model) if !argument.starts_with(['.', '/', '~']) => {
                let cached = Hub::new(HubOptions::from_env()).cached_models().unwrap_or_default();
                let names: Vec<String> = cached.iter().map(|model| model.id.to_string()).collect();
                let names = names.iter().map(String::as_str).chain(["demo"]);
                Ok((start, matching(names, argument)))
            }
            Some(Argument::File | Argument::Model) => self.files.complete(line, pos, context),
            Some(Argument::Choice(choices)) => Ok((start, matching(choices.iter().copied(), argument))),
            Some(Argument::Setting) => Ok((start, matching(PARAMS, argument))),
            _ => Ok((pos, Vec::new())),
        }
    }
}

/// The rest of a command's name, and what may follow it.
pub(super) struct CommandHint {
    shown: String,
    n_name: usize,
}

impl Hint for CommandHint {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        Some(&self.shown[..self.n_name]).filter(|name| !name.is_empty())
    }
}

impl Hinter for ChatHelper {
    type Hint = CommandHint;

    fn hint(&self, line: &str, pos: usize, _: &Context<'_>) -> Option<CommandHint> {
        if pos < line.len() || line.len() < 2 || !line.starts_with('/') {
            return None;
        }
        let typed = line.strip_suffix(' ').unwrap_or(line);
        let rest = |command: &Command| {
            // behind the space only the argument is missing
            let rest = command.name.strip_prefix(typed).filter(|rest| rest.is_empty() || typed == line)?;
            let gap = if typed == line { " " } else { "" };
            let shown = format!("{rest}{gap}{}", command.argument.shown());
            Some(CommandHint { shown, n_name: rest.len() })
        };
        COMMANDS.iter().find_map(rest)
    }
}

impl Highlighter for ChatHelper {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        self.styled(prompt, Style::new().bold().cyan())
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        self.styled(hint, Style::new().dim())
    }
}

impl Validator for ChatHelper {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match goes_on(context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Helper for ChatHelper {}

#[cfg(test)]
mod tests {
    use rustyline::history::DefaultHistory;

    use super::*;

    #[test]
    fn commands_and_arguments_are_completed() {
        let history = DefaultHistory::new();
        let context = Context::new(&history);
        let helper = ChatHelper::new(false);
        let offered = |line: &str| {
            let (start, pairs) = helper.complete(line, line.len(), &context).unwrap();
            let lines = pairs.iter().map(|pair| format!("{}{}", &line[..start], pair.replacement));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(offered("/und"), ["/undo "]);
        assert_eq!(offered("/thinking o"), ["/thinking on ", "/thinking off "]);
        assert_eq!(offered("/set top"), ["/set top_k ", "/set top_p "]);
        assert!(offered("/").len() > 10);
        assert!(offered("Hello /un").is_empty());
        let folder = env!("CARGO_MANIFEST_DIR");
        assert_eq!(offered(&format!("/load {folder}/Car")), [format!("/load {folder}/Cargo.toml")]);
    }

    #[test]
    fn hints_say_what_follows() {
        let history = DefaultHistory::new();
        let hint = |line: &str| {
            let hint = ChatHelper::new(false).hint(line, line.len(), &Context::new(&history));
            hint.map(|hint| (hint.display().to_owned(), hint.completion().map(str::to_owned)))
        };
        assert_eq!(hint("/sa"), Some(("ve FILE".into(), Some("ve".into()))));
        assert_eq!(hint("/save "), Some(("FILE".into(), None)));
        assert_eq!(hint("/save x"), None);
        assert_eq!(hint("Hello"), None);
    }
}
