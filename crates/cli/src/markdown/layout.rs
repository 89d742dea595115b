//! Markdown as pieces of text with styles, in the order of the source.

use std::ops::Range;

use console::Style;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::table::Table;

const BULLET: &str = "• ";

/// What a piece shows.
pub(super) enum Content<'s> {
    /// The source itself.
    Verbatim,
    /// Something else in place of the source.
    Given(String),
    /// A line of a block of code, with its end.
    CodeLine(CowStr<'s>),
    Table(Table),
}

/// A piece of text in one style.
pub(super) struct Piece<'s> {
    pub(super) source: Range<usize>,
    pub(super) content: Content<'s>,
    pub(super) style: Style,
    /// Index of its block.
    pub(super) block: usize,
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
    Text,
    Code { language: String },
    Table,
}

/// A paragraph, a heading, a block of code: what begins on a line of its own.
pub(super) struct Block {
    pub(super) start: usize,
    pub(super) kind: Kind,
    /// Before its first line: bullets and bars.
    pub(super) lead: String,
    /// Before its other lines.
    pub(super) margin: String,
    /// An empty line comes before it.
    pub(super) gap: bool,
}

/// A list item or a quotation.
struct Container {
    start: usize,
    /// Before the first line in it; nothing when that has been written.
    first: Option<String>,
    rest: String,
}

pub(super) struct Layout<'s> {
    pub(super) pieces: Vec<Piece<'s>>,
    pub(super) blocks: Vec<Block>,
    /// Where blocks that are in no other begin and end.
    outermost: Vec<Range<usize>>,
}

impl<'s> Layout<'s> {
    pub(super) fn of(source: &'s str) -> Self {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_MATH;
        let mut builder = Builder::new(source);
        for (event, range) in Parser::new_ext(source, options).into_offset_iter() {
            builder.take(event, range);
        }
        builder.layout
    }

    /// Bytes of the source that no later text can change, of which all is shown.
    pub(super) fn done(&self, source: &str, shown: usize) -> usize {
        let mut pairs = self.outermost.windows(2).rev();
        let last = pairs.find(|pair| pair[1].start < shown);
        // the line ends stay: they tell whether the next block has a gap before it
        last.map_or(0, |pair| source[..pair[0].end].trim_end().len())
    }
}

struct Builder<'s> {
    source: &'s str,
    layout: Layout<'s>,
    containers: Vec<Container>,
    /// Next number of each list that is open.
    lists: Vec<Option<u64>>,
    styles: Vec<Style>,
    /// Whether inline text belongs to the last block.
    is_open: bool,
    depth: usize,
    table: Option<Table>,
    /// Address and first piece of links that are open.
    links: Vec<(String, usize)>,
}

fn plain() -> Style {
    Style::new().force_styling(true)
}

fn dim() -> Style {
    plain().dim()
}

impl<'s> Builder<'s> {
    fn new(source: &'s str) -> Self {
        Self {
            source,
            layout: Layout { pieces: Vec::new(), blocks: Vec::new(), outermost: Vec::new() },
            containers: Vec::new(),
            lists: Vec::new(),
            styles: Vec::new(),
            is_open: false,
            depth: 0,
            table: None,
            links: Vec::new(),
        }
    }

    fn style(&self) -> Style {
        self.styles.last().cloned().unwrap_or_else(plain)
    }

    fn take(&mut self, event: Event<'s>, range: Range<usize>) {
        match event {
            Event::Start(tag) => {
                if self.depth == 0 {
                    self.layout.outermost.push(range.clone());
                }
                self.depth += 1;
                self.start(tag, range);
            }
            Event::End(tag) => {
                self.depth = self.depth.saturating_sub(1);
                self.end(tag, range);
            }
            Event::Text(text) if self.is_code() => self.code(text, range),
            Event::Text(text) | Event::Html(text) | Event::InlineHtml(text) => self.text(text, range),
            Event::Code(text) => self.given(text.into_string(), range, self.style().cyan()),
            Event::InlineMath(_) | Event::DisplayMath(_) => {
                let text = self.source[range.clone()].to_owned();
                self.given(text, range, self.style().cyan());
            }
            Event::SoftBreak | Event::HardBreak => self.given("\n".into(), range, plain()),
            Event::TaskListMarker(is_done) => {
                self.open_for_inline(&range);
                // the box stands in place of the bullet
                if let Some(block) = self.layout.blocks.last_mut() {
                    block.lead.truncate(block.lead.strip_suffix(BULLET).map_or(block.lead.len(), str::len));
                }
                let mark = if is_done { "☑ " } else { "☐ " };
                self.given(mark.into(), range, self.style());
            }
            Event::Rule => {
                if self.depth == 0 {
                    self.layout.outermost.push(range.clone());
                }
                self.block(Kind::Text, range.start);
                self.push(range, Content::Table(Table::rule()), dim());
                self.is_open = false;
            }
            Event::FootnoteReference(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'s>, range: Range<usize>) {
        match tag {
            Tag::Paragraph | Tag::HtmlBlock => self.block(Kind::Text, range.start),
            Tag::Heading { level, .. } => {
                self.block(Kind::Text, range.start);
                let style = plain().bold().magenta();
                self.styles.push(if level == HeadingLevel::H1 { style.underlined() } else { style });
            }
            Tag::BlockQuote(_) => {
                self.is_open = false;
                let bar = dim().apply_to("│").to_string() + " ";
                self.containers.push(Container { start: range.start, first: Some(bar.clone()), rest: bar });
            }
            Tag::List(first) => {
                self.is_open = false;
                self.lists.push(first);
            }
            Tag::Item => {
                self.is_open = false;
                let first = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => BULLET.to_owned(),
                };
                let rest = " ".repeat(first.chars().count());
                self.containers.push(Container { start: range.start, first: Some(first), rest });
            }
            Tag::CodeBlock(kind) => {
                let language = match &kind {
                    CodeBlockKind::Fenced(info) => info.split_whitespace().next().unwrap_or_default(),
                    CodeBlockKind::Indented => "",
                };
                self.block(Kind::Code { language: language.to_owned() }, range.start);
                if let CodeBlockKind::Fenced(_) = kind {
                    let length = self.source[range.clone()].find('\n').map_or(range.len(), |at| at + 1);
                    let fence = self.source[range.start..range.start + length].trim_end();
                    let source = range.start..range.start + length;
                    self.push(source, Content::Given(format!("{fence}\n")), dim());
                }
            }
            Tag::Table(alignments) => {
                self.block(Kind::Table, range.start);
                self.table = Some(Table::new(alignments));
            }
            Tag::TableHead => {
                self.table.iter_mut().for_each(Table::begin_row);
                self.styles.push(plain().bold());
            }
            Tag::TableRow => self.table.iter_mut().for_each(Table::begin_row),
            Tag::TableCell => self.table.iter_mut().for_each(Table::begin_cell),
            Tag::Emphasis => self.styles.push(self.style().italic()),
            Tag::Strong => self.styles.push(self.style().bold()),
            Tag::Strikethrough => self.styles.push(self.style().strikethrough()),
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push((dest_url.into_string(), self.layout.pieces.len()));
                self.styles.push(self.style().underlined());
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd, range: Range<usize>) {
        match tag {
            TagEnd::Heading(_) => {
                self.styles.pop();
                self.is_open = false;
            }
            TagEnd::Paragraph | TagEnd::HtmlBlock | TagEnd::List(_) => {
                self.is_open = false;
                if let TagEnd::List(_) = tag {
                    self.lists.pop();
                }
            }
            TagEnd::BlockQuote(_) | TagEnd::Item => {
                self.is_open = false;
                self.containers.pop();
            }
            TagEnd::CodeBlock => {
                self.close_code(&range);
                self.is_open = false;
            }
            TagEnd::Table => {
                if let Some(table) = self.table.take() {
                    self.push(range, Content::Table(table), plain());
                }
                self.is_open = false;
            }
            TagEnd::TableHead | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => {
                self.styles.pop();
            }
            TagEnd::Link | TagEnd::Image => {
                self.styles.pop();
                if let Some((address, first)) = self.links.pop() {
                    let pieces = self.layout.pieces.get(first..).unwrap_or_default();
                    let name: String =
                        pieces.iter().map(|piece| &self.source[piece.source.clone()]).collect();
                    let begin = pieces.last().map_or(range.start, |piece| piece.source.end);
                    if name != address && !address.is_empty() && self.table.is_none() {
                        self.given(format!(" ({address})"), begin..range.end, dim());
                    }
                }
            }
            _ => {}
        }
    }

    fn is_code(&self) -> bool {
        self.is_open && self.layout.blocks.last().is_some_and(|block| matches!(block.kind, Kind::Code { .. }))
    }

    /// Begins a block.
    fn block(&mut self, kind: Kind, start: usize) {
        let begin = self.containers.iter().find(|container| container.first.is_some());
        let begin = begin.map_or(start, |container| container.start.min(start));
        let margin: String = self.containers.iter().map(|container| container.rest.as_str()).collect();
        let lead = |container: &mut Container| container.first.take().unwrap_or(container.rest.clone());
        let lead: String = self.containers.iter_mut().map(lead).collect();
        let before = self.source[..begin].bytes().rev().take_while(|byte| b" \t\r\n>".contains(byte));
        let gap = before.filter(|byte| *byte == b'\n').count() > 1;
        self.layout.blocks.push(Block { start, kind, lead, margin, gap });
        self.is_open = true;
    }

    fn push(&mut self, source: Range<usize>, content: Content<'s>, style: Style) {
        let block = self.layout.blocks.len().saturating_sub(1);
        self.layout.pieces.push(Piece { source, content, style, block });
    }

    fn text(&mut self, text: CowStr<'s>, mut range: Range<usize>) {
        // LaTeX between \( and \), or \[ and \], is no escape
        let is_math = text.starts_with(['(', ')', '[', ']']) && self.source[..range.start].ends_with('\\');
        let is_verbatim = self.source.get(range.clone()) == Some(&*text);
        range.start -= usize::from(is_math);
        if self.table.is_some() || !is_verbatim {
            return self.given(text.into_string(), range, self.style());
        }
        self.open_for_inline(&range);
        self.push(range, Content::Verbatim, self.style());
    }

    fn given(&mut self, text: String, range: Range<usize>, style: Style) {
        if let Some(table) = &mut self.table {
            return table.add(&text, &style);
        }
        self.open_for_inline(&range);
        self.push(range, Content::Given(text), style);
    }

    /// Items of tight lists have text without a paragraph.
    fn open_for_inline(&mut self, range: &Range<usize>) {
        if !self.is_open {
            self.block(Kind::Text, range.start);
        }
    }

    fn code(&mut self, text: CowStr<'s>, range: Range<usize>) {
        // pieces end where lines do, whatever comes in one event
        let mut at = range.start;
        let n_lines = text.split_inclusive('\n').count();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let end = if index + 1 == n_lines { range.end } else { at + line.len() };
            self.push(at..end, Content::CodeLine(line.to_owned().into()), plain());
            at = end;
        }
    }

    /// The closing fence, if it is there.
    fn close_code(&mut self, range: &Range<usize>) {
        let whole = self.source[range.clone()].trim_end();
        let Some((before, last)) = whole.rsplit_once('\n') else { return };
        let fence = last.trim_matches([' ', '\t', '>']);
        if fence.len() >= 3 && fence.chars().all(|c| c == '`' || c == '~') && whole.starts_with(&fence[..1]) {
            let start = range.start + before.len() + 1;
            self.push(start..range.start + whole.len(), Content::Given(fence.to_owned()), dim());
        }
    }
}
