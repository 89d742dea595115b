//! A picture as SVG, an element a line.

/// Which point of a text lies where it is put.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Title,
    Heading,
    Label,
}

/// What marks a point: series differ in it as well as in their colour.
#[derive(Clone, Copy)]
pub(super) enum Mark {
    Circle,
    Square,
    Triangle,
    Diamond,
}

/// A picture that grows element by element.
pub(super) struct Svg {
    elements: Vec<String>,
}

impl Svg {
    pub(super) fn new() -> Self {
        Self { elements: Vec::new() }
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.elements.push(format!(
            r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}"/>"#
        ));
    }

    /// A line through some points, lighter than their marks.
    pub(super) fn path(&mut self, points: &[(f64, f64)], colour: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.elements.push(format!(
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.5" stroke-opacity="0.45"/>"#,
            points.join(" ")
        ));
    }

    /// A mark; `about` is what a pointer above it is told.
    pub(super) fn mark(&mut self, mark: Mark, (x, y): (f64, f64), colour: &str, about: &str) {
        let shape = match mark {
            Mark::Circle => format!(r#"circle cx="{x:.1}" cy="{y:.1}" r="5""#),
            Mark::Square => polygon((x, y), &[(-4.5, -4.5), (4.5, -4.5), (4.5, 4.5), (-4.5, 4.5)]),
            Mark::Triangle => polygon((x, y), &[(0.0, -6.0), (5.5, 4.5), (-5.5, 4.5)]),
            Mark::Diamond => polygon((x, y), &[(0.0, -6.5), (6.5, 0.0), (0.0, 6.5), (-6.5, 0.0)]),
        };
        let name = shape.split(' ').next().unwrap_or_default();
        let about = escaped(about);
        self.elements
            .push(format!(r#"<{shape} fill="{colour}" stroke="white"><title>{about}</title></{name}>"#));
    }

    pub(super) fn text(&mut self, kind: Type, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        let (look, anchor, text) = (kind.look(), anchor.name(), escaped(text));
        self.elements
            .push(format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" {look}>{text}</text>"#));
    }

    /// A label that reads upwards, with its middle at a point.
    pub(super) fn upright(&mut self, (x, y): (f64, f64), text: &str) {
        let (look, text) = (Type::Label.look(), escaped(text));
        self.elements.push(format!(
            r#"<text transform="translate({x:.1} {y:.1}) rotate(-90)" text-anchor="middle" {look}>{text}</text>"#
        ));
    }

    /// The whole picture, on white: a page's own colours do not reach into pictures.
    pub(super) fn finish(&self, width: f64, height: f64, title: &str) -> String {
        let title = escaped(title);
        let mut lines = vec![
            format!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" fill="{INK}">"#
            ),
            format!("<title>{title}</title>"),
            r#"<rect width="100%" height="100%" rx="6" fill="white"/>"#.to_owned(),
        ];
        lines.extend(self.elements.iter().cloned());
        lines.push("</svg>\n".into());
        lines.join("\n")
    }
}

/// What text is written in.
const INK: &str = "#24292f";

impl Type {
    fn look(self) -> &'static str {
        match self {
            Self::Title => r#"font-size="16" font-weight="600""#,
            Self::Heading => r#"font-size="13" font-weight="600""#,
            Self::Label => r#"font-size="12""#,
        }
    }
}

impl Anchor {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Middle => "middle",
            Self::End => "end",
        }
    }
}

fn polygon((x, y): (f64, f64), corners: &[(f64, f64)]) -> String {
    let corners: Vec<String> =
        corners.iter().map(|(dx, dy)| format!("{:.1},{:.1}", x + dx, y + dy)).collect();
    format!(r#"polygon points="{}""#, corners.join(" "))
}

/// Text as XML takes it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
