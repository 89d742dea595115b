//! How fast decoding and prompts are over the size of models, a series a device.

mod axis;
mod svg;

use super::records::{Run, Shown};
use super::tables::figure;
use axis::Axis;
use std::collections::BTreeMap;
use svg::{Anchor, Mark, Svg, Type};

const WIDTH: f64 = 840.0;
/// Where the panels lie from top to bottom.
const TOP: f64 = 76.0;
const BOTTOM: f64 = 330.0;
/// Where the panels lie from left to right.
const LEFT_PANEL: (f64, f64) = (64.0, 404.0);
const RIGHT_PANEL: (f64, f64) = (484.0, 824.0);
const LEGEND: f64 = 392.0;
const LEGEND_LINE: f64 = 22.0;
const GRID: &str = "#d8dee4";
const FRAME: &str = "#6e7781";

/// Colours that those who see fewer of them tell apart too (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"];
const MARKS: [Mark; 4] = [Mark::Circle, Mark::Square, Mark::Triangle, Mark::Diamond];

/// The runs on one device, by the size of their models.
struct Series<'r> {
    device: &'r str,
    colour: &'static str,
    mark: Mark,
    runs: Vec<&'r Run>,
}

/// What a panel shows of a run, at the least depth.
struct Panel {
    heading: &'static str,
    value: fn(&Run) -> f64,
    /// As a mark of its axis says it.
    shown: fn(f64) -> String,
    axis: fn(&mut dyn Iterator<Item = f64>, f64, f64) -> Axis,
    label: &'static str,
}

const PANELS: [((f64, f64), Panel); 2] = [
    (
        LEFT_PANEL,
        Panel {
            heading: "Decoding",
            value: |run| run.shallowest().bandwidth_share,
            shown: |share| format!("{}%", short(share * 100.0)),
            axis: |values, from, to| Axis::linear(values, from, to),
            label: "share of copy bandwidth",
        },
    ),
    (
        RIGHT_PANEL,
        Panel {
            heading: "Prompt",
            value: |run| run.shallowest().prefill_tps.median,
            shown: rate_tick,
            axis: |values, from, to| Axis::logarithmic(values, from, to),
            label: "tokens/s",
        },
    ),
];

/// Draws the runs as SVG.
pub(super) fn draw(shown: &Shown) -> String {
    let title = match shown {
        _ if shown.runs().is_empty() => "Nothing has been measured yet",
        Shown::Gpus(_) => "Speed on GPUs",
        Shown::Software(_) => "Software devices only: no GPU has been measured yet",
    };
    let mut svg = Svg::new();
    svg.text(Type::Title, Anchor::Middle, (WIDTH / 2.0, 30.0), title);
    let series = series(shown.runs());
    for (place, panel) in PANELS {
        draw_panel(&mut svg, &panel, place, &series);
    }
    let height = draw_legend(&mut svg, &series);
    svg.finish(WIDTH, height, title)
}

fn series<'r>(runs: &[&'r Run]) -> Vec<Series<'r>> {
    let mut devices: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs {
        devices.entry(&run.device).or_default().push(run);
    }
    let looks = COLOURS.into_iter().cycle().zip(MARKS.into_iter().cycle());
    let series = devices.into_iter().zip(looks).map(|((device, mut runs), (colour, mark))| {
        runs.sort_by_key(|run| run.bench.weight_bytes_per_token);
        Series { device, colour, mark, runs }
    });
    series.collect()
}

fn draw_panel(svg: &mut Svg, panel: &Panel, (left, right): (f64, f64), series: &[Series]) {
    // What was not measured is 0, such as decoding in a run of prompts only.
    let drawn = |run: &&&Run| (panel.value)(run) > 0.0 && run.bench.weight_bytes_per_token > 0;
    let all = || series.iter().flat_map(|series| &series.runs).filter(drawn);
    let across = Axis::logarithmic(all().map(|run| size(run)), left, right);
    let up = (panel.axis)(&mut all().map(|run| (panel.value)(run)), BOTTOM, TOP);

    svg.text(Type::Heading, Anchor::Middle, ((left + right) / 2.0, TOP - 12.0), panel.heading);
    for value in up.ticks() {
        let y = up.place(value);
        svg.line((left, y), (right, y), GRID);
        svg.text(Type::Label, Anchor::End, (left - 7.0, y + 4.0), &(panel.shown)(value));
    }
    for value in across.ticks() {
        let x = across.place(value);
        svg.line((x, BOTTOM), (x, BOTTOM + 5.0), FRAME);
        svg.text(Type::Label, Anchor::Middle, (x, BOTTOM + 19.0), &size_tick(value));
    }
    svg.line((left, TOP), (left, BOTTOM), FRAME);
    svg.line((left, BOTTOM), (right, BOTTOM), FRAME);
    svg.upright((left - 48.0, (TOP + BOTTOM) / 2.0), panel.label);
    svg.text(Type::Label, Anchor::Middle, ((left + right) / 2.0, BOTTOM + 38.0), "weights read a token");

    for Series { device, colour, mark, runs } in series {
        let place = |run: &Run| (across.place(size(run)), up.place((panel.value)(run)));
        let runs: Vec<&&Run> = runs.iter().filter(drawn).collect();
        let points: Vec<_> = runs.iter().map(|run| place(run)).collect();
        svg.path(&points, colour);
        for (run, point) in runs.iter().zip(points) {
            let about = format!("{}, {device}: {}", run.bench.model, (panel.shown)((panel.value)(run)));
            svg.mark(*mark, point, colour, &about);
        }
    }
}

/// Returns the height of the picture with the legend.
fn draw_legend(svg: &mut Svg, series: &[Series]) -> f64 {
    // Two columns, unless a name is too long for half of the picture.
    let columns = if series.iter().all(|series| series.device.chars().count() <= 52) { 2 } else { 1 };
    for (at, series) in series.iter().enumerate() {
        let (column, line) = (at % columns, at / columns);
        let x = [LEFT_PANEL.0, RIGHT_PANEL.0][column];
        let y = LEGEND + LEGEND_LINE * line as f64;
        svg.mark(series.mark, (x, y), series.colour, series.device);
        svg.text(Type::Label, Anchor::Start, (x + 14.0, y + 4.0), series.device);
    }
    LEGEND + 4.0 + LEGEND_LINE * series.len().div_ceil(columns) as f64
}

fn size(run: &Run) -> f64 {
    run.bench.weight_bytes_per_token as f64
}

fn size_tick(bytes: f64) -> String {
    scaled(bytes, &[(1e9, " GB"), (1e6, " MB"), (1e3, " kB")])
        .unwrap_or_else(|| format!("{} B", short(bytes)))
}

fn rate_tick(rate: f64) -> String {
    scaled(rate, &[(1e6, "M"), (1e3, "k")]).unwrap_or_else(|| short(rate))
}

/// In the first unit that it is not less than.
fn scaled(value: f64, units: &[(f64, &str)]) -> Option<String> {
    // Powers of ten may be a bit less than they should be.
    let (unit, name) = units.iter().find(|(unit, _)| value > unit * 0.999)?;
    Some(format!("{}{name}", short(value / unit)))
}

/// A figure without places that are 0.
fn short(value: f64) -> String {
    let text = figure(value);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::fabricated;
    use super::super::records::Records;
    use super::*;
    use std::path::Path;

    fn texts(svg: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let texts =
            document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "text")));
        texts.filter_map(|node| node.text().map(str::to_owned)).collect()
    }

    #[test]
    fn plot_of_the_present_records_is_a_picture_with_words() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/bench");
        let records = Records::read(&dir).unwrap();
        let texts = texts(&draw(&records.shown()));
        let wanted = ["weights read a token", "share of copy bandwidth", "tokens/s"];
        assert!(wanted.iter().all(|text| texts.iter().any(|it| it == text)), "{texts:?}");
        for run in records.shown().runs() {
            assert!(texts.contains(&run.device), "no legend for {}", run.device);
        }
    }

    #[test]
    fn title_says_what_is_shown() {
        let mut records = Records::of(&[("h100-speed", &fabricated::speed())]);
        assert_eq!(texts(&draw(&records.shown()))[0], "Speed on GPUs");
        records.runs[0].bench.capabilities += ", software";
        assert!(texts(&draw(&records.shown()))[0].starts_with("Software devices only"));
        records.runs.clear();
        assert_eq!(texts(&draw(&records.shown()))[0], "Nothing has been measured yet");
    }

    #[test]
    fn names_are_escaped_and_zeros_left_out() {
        let mut records = Records::of(&[("h100-speed", &fabricated::speed())]);
        records.runs[0].device = "A <b> & c".into();
        records.runs[0].bench.results[0].prefill_tps.median = 0.0;
        let svg = draw(&records.shown());
        assert!(texts(&svg).contains(&"A <b> & c".to_owned()));
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }

    #[test]
    fn sizes_and_figures_are_short() {
        assert_eq!(
            [2e6, 1e9, 500e6, 10f64.powi(9) * 0.9999999].map(size_tick),
            ["2 MB", "1 GB", "500 MB", "1 GB"]
        );
        assert_eq!([0.2, 5000.0, 2e6].map(rate_tick), ["0.2", "5k", "2M"]);
        assert_eq!([0.2, 1000.0, 12.5].map(short), ["0.2", "1000", "12.5"]);
    }
}
