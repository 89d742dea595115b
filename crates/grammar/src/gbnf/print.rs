//! Writes Lark.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{Node, Rules};

/// All rules that the root needs.
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
    let printer = Printer { kinds: rules.keys().map(|name| (&**name, Kind::of(name, &needs))).collect() };
    let mut lark = format!("start: {}\n", printer.name("root"));
    for (name, node) in rules {
        let body = match printer.kinds[&**name] {
            Kind::Terminal => format!("/{}/", printer.regex(node, rules)),
            Kind::Rule => printer.rule(node),
        };
        // a string is never an error
        let _ = writeln!(lark, "{}: {body}", printer.name(name));
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

/// How a rule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It comes back to itself, or needs one that does.
    Rule,
    /// It is a regular expression.
    Terminal,
}

impl Kind {
    fn of(name: &str, needs: &BTreeMap<&str, BTreeSet<&str>>) -> Self {
        let reached_from = |start: &str| {
            let mut reached: BTreeSet<&str> = BTreeSet::new();
            let mut open: Vec<&str> = needs[start].iter().copied().collect();
            while let Some(next) = open.pop() {
                if reached.insert(next) {
                    open.extend(&needs[next]);
                }
            }
            reached
        };
        let comes_back = |name: &str| reached_from(name).contains(name);
        let is_rule = comes_back(name) || reached_from(name).into_iter().any(comes_back);
        if is_rule { Self::Rule } else { Self::Terminal }
    }
}

struct Printer<'r> {
    kinds: BTreeMap<&'r str, Kind>,
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
        match self.kinds[name] {
            Kind::Rule => format!("g_{plain}"),
            Kind::Terminal => format!("G_{}", plain.to_ascii_uppercase()),
        }
    }

    fn rule(&self, node: &Node) -> String {
        match node {
            Node::Either(nodes) => {
                let options: Vec<String> = nodes.iter().map(|node| self.rule(node)).collect();
                format!("({})", options.join(" | "))
            }
            Node::All(nodes) if nodes.is_empty() => "\"\"".into(),
            Node::All(nodes) => nodes.iter().map(|node| self.rule(node)).collect::<Vec<_>>().join(" "),
            Node::Literal(text) => serde_json::Value::from(text.as_str()).to_string(),
            Node::Class(class) => format!("/{class}/"),
            Node::Rule(name) => self.name(name),
            Node::Repeat(node, least, most) => format!("({}){}", self.rule(node), repetition(*least, *most)),
        }
    }

    fn regex(&self, node: &Node, rules: &Rules) -> String {
        match node {
            Node::Either(nodes) => {
                let options: Vec<String> = nodes.iter().map(|node| self.regex(node, rules)).collect();
                format!("({})", options.join("|"))
            }
            Node::All(nodes) => nodes.iter().map(|node| self.regex(node, rules)).collect(),
            Node::Literal(text) => text.chars().map(|c| format!("\\u{{{:x}}}", u32::from(c))).collect(),
            Node::Class(class) => format!("({class})"),
            Node::Rule(name) => format!("({})", self.regex(&rules[name], rules)),
            Node::Repeat(node, least, most) => {
                format!("({}){}", self.regex(node, rules), repetition(*least, *most))
            }
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
