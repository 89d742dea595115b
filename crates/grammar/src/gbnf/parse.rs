//! Reads GBNF.

use std::iter::Peekable;
use std::str::Chars;

use super::{Node, Rules};

/// Groups in groups, at most.
const DEEPEST: usize = 100;

struct Reader<'t> {
    rest: Peekable<Chars<'t>>,
    line: usize,
    depth: usize,
}

/// Reads all rules.
pub(super) fn parse(text: &str) -> Result<Rules, String> {
    let mut reader = Reader { rest: text.chars().peekable(), line: 1, depth: 0 };
    let mut rules = Rules::new();
    reader.skip_lines();
    while reader.rest.peek().is_some() {
        let name = reader.name()?;
        reader.skip_blanks();
        for expected in "::=".chars() {
            reader.expect(expected)?;
        }
        reader.skip_lines();
        let node = reader.either()?;
        if rules.insert(name.clone(), node).is_some() {
            return Err(reader.fail(&format!("the rule \"{name}\" is there twice")));
        }
        reader.skip_lines();
    }
    Ok(rules)
}

impl Reader<'_> {
    fn fail(&self, what: &str) -> String {
        format!("line {}: {what}", self.line)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    fn expect(&mut self, expected: char) -> Result<(), String> {
        match self.next() {
            Some(found) if found == expected => Ok(()),
            Some(found) => Err(self.fail(&format!("\"{expected}\" is missing before \"{found}\""))),
            None => Err(self.fail(&format!("\"{expected}\" is missing at the end"))),
        }
    }

    /// Skips blanks and comments, not line breaks.
    fn skip_blanks(&mut self) {
        while let Some(&next) = self.rest.peek() {
            match next {
                ' ' | '\t' | '\r' => drop(self.next()),
                '#' => {
                    while self.rest.peek().is_some_and(|&c| c != '\n') {
                        self.next();
                    }
                }
                _ => return,
            }
        }
    }

    fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.rest.peek() != Some(&'\n') {
                return;
            }
            self.next();
        }
    }

    /// What lies between the parts of a rule: in groups also line breaks.
    fn skip(&mut self) {
        if self.depth > 0 { self.skip_lines() } else { self.skip_blanks() }
    }

    fn name(&mut self) -> Result<String, String> {
        let mut name = String::new();
        while let Some(&next) = self.rest.peek().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(**c)) {
            name.push(next);
            self.next();
        }
        match (name.is_empty(), self.rest.peek().copied()) {
            (false, _) => Ok(name),
            (true, Some(found)) => Err(self.fail(&format!("a rule's name is missing before \"{found}\""))),
            (true, None) => Err(self.fail("a rule's name is missing at the end")),
        }
    }

    fn either(&mut self) -> Result<Node, String> {
        let mut options = vec![self.all()?];
        while self.rest.peek() == Some(&'|') {
            self.next();
            self.skip_lines();
            options.push(self.all()?);
        }
        Ok(if options.len() == 1 { options.remove(0) } else { Node::Either(options) })
    }

    fn all(&mut self) -> Result<Node, String> {
        let mut parts = Vec::new();
        loop {
            self.skip();
            let Some(&next) = self.rest.peek() else { break };
            let part = match next {
                '|' | ')' | '\n' => break,
                '"' => Node::Literal(self.literal()?),
                '[' => Node::Class(self.class()?),
                '.' => {
                    self.next();
                    Node::Class(r"[^\n]|\n".into())
                }
                '(' => self.group()?,
                _ => Node::Rule(self.name()?),
            };
            parts.push(self.repeated(part)?);
        }
        Ok(Node::All(parts))
    }

    fn group(&mut self) -> Result<Node, String> {
        self.next();
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fail(&format!("groups are nested more than {DEEPEST} deep")));
        }
        self.skip_lines();
        let inner = self.either()?;
        self.skip_lines();
        self.expect(')')?;
        self.depth -= 1;
        Ok(inner)
    }

    fn repeated(&mut self, node: Node) -> Result<Node, String> {
        let (least, most) = match self.rest.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                self.next();
                return self.counted(node);
            }
            _ => return Ok(node),
        };
        self.next();
        Ok(Node::Repeat(Box::new(node), least, most))
    }

    /// `m}`, `m,}`, `m,n}`
    fn counted(&mut self, node: Node) -> Result<Node, String> {
        let least = self.number()?.ok_or_else(|| self.fail("a number is missing behind \"{\""))?;
        self.skip_blanks();
        let most = match self.rest.peek() {
            Some(',') => {
                self.next();
                self.number()?
            }
            _ => Some(least),
        };
        self.skip_blanks();
        self.expect('}')?;
        if most.is_some_and(|most| most < least) {
            return Err(self.fail("a repetition has a smaller most than least"));
        }
        Ok(Node::Repeat(Box::new(node), least, most))
    }

    fn number(&mut self) -> Result<Option<u32>, String> {
        self.skip_blanks();
        let mut digits = String::new();
        while let Some(&digit) = self.rest.peek().filter(|c| c.is_ascii_digit()) {
            digits.push(digit);
            self.next();
        }
        match digits.parse::<u32>() {
            Ok(number) if number <= 10_000 => Ok(Some(number)),
            _ if digits.is_empty() => Ok(None),
            _ => Err(self.fail(&format!("{digits} repetitions are more than 10000"))),
        }
    }

    fn literal(&mut self) -> Result<String, String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some('"') => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some('\n') | None => return Err(self.fail("a text has no closing quote")),
                Some(c) => text.push(c),
            }
        }
    }

    /// A class as a regular expression has it: what is special there is escaped.
    fn class(&mut self) -> Result<String, String> {
        self.next();
        let mut class = String::from("[");
        if self.rest.peek() == Some(&'^') {
            self.next();
            class.push('^');
        }
        let mut previous = None;
        let mut is_range = false;
        loop {
            let found = match self.next() {
                Some(']') => break,
                Some('-') if previous.is_some() && !is_range && self.rest.peek() != Some(&']') => {
                    is_range = true;
                    class.push('-');
                    continue;
                }
                Some('\\') => self.escape()?,
                None => return Err(self.fail("a class of characters has no \"]\"")),
                Some(c) => c,
            };
            if is_range && previous.is_some_and(|previous| previous > found) {
                return Err(self.fail(&format!(
                    "a class of characters ends its range at \"{found}\", before it begins"
                )));
            }
            previous = (!is_range).then_some(found);
            is_range = false;
            class.push_str(&format!("\\u{{{:x}}}", u32::from(found)));
        }
        if class.trim_start_matches(['[', '^']).is_empty() {
            return Err(self.fail("a class of characters is empty"));
        }
        Ok(class + "]")
    }

    fn escape(&mut self) -> Result<char, String> {
        let n_digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some(c @ ('\\' | '"' | '[' | ']' | '-' | '^')) => return Ok(c),
            Some(c) => return Err(self.fail(&format!("\"\\{c}\" means nothing"))),
            None => return Err(self.fail("the text ends behind \"\\\"")),
        };
        let digits: String = (0..n_digits).filter_map(|_| self.next()).collect();
        let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        code.ok_or_else(|| self.fail(&format!("\"{digits}\" is no character's code")))
    }
}
