//! Lines that begin with a slash.

/// What stands behind a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Argument {
    None,
    /// A text, which may be left out.
    Text(&'static str),
    /// A file, which may not.
    File,
    /// One of these.
    Choice(&'static [&'static str]),
    /// A model, which may be left out.
    Model,
    /// A setting and its value, which may be left out.
    Setting,
}

impl Argument {
    pub(super) fn shown(self) -> String {
        match self {
            Self::None => String::new(),
            Self::Text(name) => format!("[{name}]"),
            Self::File => "FILE".into(),
            Self::Choice(choices) => choices.join("|"),
            Self::Model => "[MODEL]".into(),
            Self::Setting => "[NAME VALUE]".into(),
        }
    }
}

/// A command and what it does.
pub(super) struct Command {
    pub(super) name: &'static str,
    /// As users of other programs know it.
    pub(super) aliases: &'static [&'static str],
    pub(super) argument: Argument,
    pub(super) help: &'static str,
}

const fn command(
    name: &'static str,
    aliases: &'static [&'static str],
    argument: Argument,
    help: &'static str,
) -> Command {
    Command { name, aliases, argument, help }
}

pub(super) const COMMANDS: [Command; 16] = [
    command("/help", &["/?"], Argument::None, "this list"),
    command("/new", &["/clear", "/reset"], Argument::None, "start over"),
    command("/undo", &[], Argument::None, "forget your last message and the reply to it"),
    command("/regenerate", &["/retry"], Argument::None, "have your last message answered again"),
    command(
        "/fork",
        &[],
        Argument::None,
        "go on with a copy; /back returns to the conversation as it is now",
    ),
    command("/back", &[], Argument::None, "return to where the last copy was made"),
    command("/save", &[], Argument::File, "save the conversation, with what the model has read of it"),
    command("/load", &[], Argument::File, "go on with a saved one"),
    command("/read", &[], Argument::File, "say what a file says"),
    command("/system", &[], Argument::Text("TEXT"), "show or change the system message"),
    command("/model", &[], Argument::Model, "show the model, or go on with another one"),
    command(
        "/params",
        &["/set"],
        Argument::Setting,
        "show or change how replies are made; the value \"default\" resets",
    ),
    command("/thinking", &[], Argument::Choice(&["on", "off"]), "switch thoughts"),
    command("/tool", &[], Argument::Text("TEXT"), "answer the call of a tool"),
    command("/tokens", &[], Argument::None, "how much of the context the conversation takes"),
    command("/exit", &["/quit", "/bye"], Argument::None, "end (or Ctrl-D)"),
];

/// What a line is.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'l> {
    Message(&'l str),
    /// Name of a command, and what stands behind it.
    Command(&'static str, &'l str),
    /// The word that is no command.
    Unknown(&'l str),
}

/// Qwen3 knows these words itself.
const OF_THE_MODEL: [&str; 2] = ["/think", "/no_think"];

/// A message that begins with a slash has a space before it, or a path's other slash in its first word.
pub(super) fn read(line: &str) -> Line<'_> {
    let text = line.trim();
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    if let Some(command) = COMMANDS.iter().find(|one| one.name == word || one.aliases.contains(&word)) {
        return Line::Command(command.name, rest.trim());
    }
    let is_word = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    let is_meant = line.strip_prefix('/').is_some_and(|_| word.strip_prefix('/').is_some_and(is_word));
    if is_meant && !OF_THE_MODEL.contains(&word) { Line::Unknown(word) } else { Line::Message(text) }
}

/// What `/help` prints.
pub(super) fn help() -> String {
    let usages = COMMANDS.map(|command| format!("{} {}", command.name, command.argument.shown()));
    let width = usages.iter().map(String::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for (command, usage) in COMMANDS.iter().zip(&usages) {
        let aliases = command.aliases.join(", ");
        let aliases = if aliases.is_empty() { aliases } else { format!(" (also {aliases})") };
        lines.push(format!("{usage:width$}  {}{aliases}", command.help));
    }
    lines.push(String::new());
    lines.push(
        "A line that ends in \\ goes on in the next one, as does Alt-Enter; \"\"\" begins and ends a text of"
            .into(),
    );
    lines.push("several lines. Ctrl-C stops a reply, Ctrl-R searches what you typed before.".into());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_commands_or_messages() {
        for (line, wanted) in [
            ("/undo", Line::Command("/undo", "")),
            ("  /save  a b.session ", Line::Command("/save", "a b.session")),
            ("/clear", Line::Command("/new", "")),
            ("/set temperature 0", Line::Command("/params", "temperature 0")),
            ("/undoo", Line::Unknown("/undoo")),
            ("Hello /undo", Line::Message("Hello /undo")),
            (" /undoo", Line::Message("/undoo")),
            ("/usr/bin is what?", Line::Message("/usr/bin is what?")),
            ("What now? /no_think", Line::Message("What now? /no_think")),
            ("/no_think Hello", Line::Message("/no_think Hello")),
            ("/", Line::Message("/")),
        ] {
            assert_eq!(read(line), wanted, "{line}");
        }
    }
}
