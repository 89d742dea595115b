//! Writes Lark.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Node, Rules};

/// All rules.
pub(super) fn print(rules: &Rules) -> Result<String, String> {
    let mut needs: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, node) in rules {
        let mut named = BTreeSet::new();
        note_rules(node, &mut named);
        if let Some(unknown) = named.iter().find(|named| !rules.contains_key(**named)) {
            return Err(format!("the rule \"{name}\" names \"{unknown}\", which is not there"));
        }
        needs.insert(name, named);
    }
    let printer = Printer { terminals: terminals(&needs) };
    let mut lark = format!("start: {}\n", printer.name("root"));
    for (name, node) in rules {
        // a string is never an error
        let _ = writeln!(lark, "{}: {}", printer.name(name), printer.node(node));
    }
    Ok(lark)
}

fn note_rules<'n>(node: &'n Node, named: &mut BTreeSet<&'n str>) {
    match node {
        Node::Either(nodes) | Node::All(nodes) => nodes.iter().for_each(|node| note_rules(node, named)),
        Node::Repeat(node, ..) => note_rules(node, named),
        Node::Rule(name) => drop(named.insert(name)),
        Node::Literal(_) | Node::Class(_) => {}
    }
}

/// The rules that are regular expressions: they do not come back to themselves, and need none that does.
fn terminals<'r>(needs: &BTreeMap<&'r str, BTreeSet<&'r str>>) -> BTreeSet<&'r str> {
    let mut n_open: BTreeMap<&str, usize> = needs.iter().map(|(name, needs)| (*name, needs.len())).collect();
    let mut needed_by: BTreeMap<&str, Vec<&'r str>> = BTreeMap::new();
    for (name, needs) in needs {
        needs.iter().for_each(|need| needed_by.entry(need).or_default().push(name));
    }
    let mut ready: Vec<&str> =
        needs.iter().filter(|(_, needs)| needs.is_empty()).map(|(name, _)| *name).collect();
    let mut found = BTreeSet::new();
    while let Some(name) = ready.pop() {
        found.insert(name);
        for user in needed_by.get(name).into_iter().flatten() {
            if let Some(n_open) = n_open.get_mut(user) {
                *n_open -= 1;
                if *n_open == 0 {
                    ready.push(user);
                }
            }
        }
    }
    found
}

struct Printer<'r> {
    terminals: BTreeSet<&'r str>,
}

impl Printer<'_> {
    /// Terminals are written in capitals.
    fn name(&self, name: &str) -> String {
        // GBNF's names differ in case and dashes, Lark's may not
        let plain: String = name
            .chars()
            .map(|c| match c {
                '-' => "_d".to_owned(),
                '_' => "_u".to_owned(),
                c if c.is_ascii_uppercase() => format!("_c{}", c.to_ascii_lowercase()),
                c => c.to_string(),
            })
            .collect();
        match self.terminals.contains(name) {
            true => format!("G_{}", plain.to_ascii_uppercase()),
            false => format!("g_{plain}"),
        }
    }

    fn node(&self, node: &Node) -> String {
        match node {
            Node::Either(nodes) => {
                let options: Vec<String> = nodes.iter().map(|node| self.node(node)).collect();
                format!("({})", options.join(" | "))
            }
            Node::All(nodes) if nodes.is_empty() => "\"\"".into(),
            Node::All(nodes) => nodes.iter().map(|node| self.node(node)).collect::<Vec<_>>().join(" "),
            Node::Literal(text) => serde_json::Value::from(text.as_str()).to_string(),
            Node::Class(class) => format!("/{class}/"),
            Node::Rule(name) => self.name(name),
            Node::Repeat(node, least, most) => format!("({}){}", self.node(node), repetition(*least, *most)),
        }
    }
}

fn repetition(least: u32, most: Option<u32>) -> String {
    match (least, most) {
        (0, None) => "*".into(),
        (1, None) => "+".into(),
        (0, Some(1)) => "?".into(),
        (least, None) => format!("{{{least},}}"),
        (least, Some(most)) => format!("{{{least},{most}}}"),
    }
}
