//! One plot as SVG, whose colours are the page's: drawn in stand-ins that become classes.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::{
    ChartBuilder, Circle, Color as _, IntoDrawingArea as _, IntoFont as _, LineSeries, RGBColor,
    Rectangle, SVGBackend, ShapeStyle,
};

use super::axis::Axis;
use super::markup::{classed, escaped};

/// The library draws to whole units, so one is a quarter of a pixel on a phone.
const UNITS: u32 = 4;
/// Width and height in pixels of a phone; a wide screen shows plots side by side, not larger, so
/// that text stays as it is.
const SIZE: (u32, u32) = (340, 250);
/// Height of text in pixels, and what the library divides it by.
const TEXT: f64 = 12.5 * 1.24;
/// The width of a bar; the next one stands at a distance of 1.
const BAR: f64 = 0.7;
/// The width of a whisker, as a part of the plot's.
const WHISKER: f64 = 0.008;
/// Colours of lines that the page has; more lines begin again.
pub(crate) const COLOURS: usize = 6;
/// Stands for the colour of text.
const INK: RGBColor = RGBColor(0, 0, 250);
/// Stands for the colour of the lines behind.
const RULE: RGBColor = RGBColor(0, 0, 251);

/// What is drawn, and what is said of it to those who do not see it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// What it shows.
    pub(crate) title: String,
    /// What the axes are.
    pub(crate) caption: String,
    /// What one sees, in a sentence.
    pub(crate) description: String,
    /// To the right.
    pub(crate) x: Axis,
    /// Upwards.
    pub(crate) y: Axis,
    /// In the order of their colours.
    pub(crate) lines: Vec<Line>,
}

/// One line of a plot.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Line {
    /// What it is.
    pub(crate) name: String,
    /// From left to right.
    pub(crate) points: Vec<(f64, f64)>,
    /// Least and most at each point, the ends of a whisker; none for no whiskers.
    pub(crate) spread: Vec<(f64, f64)>,
    /// How the points are drawn.
    pub(crate) mark: Mark,
}

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Joined: for many points.
    #[default]
    Line,
    /// Joined, and each is also a dot: for few points that were measured one by one.
    Dots,
    /// Each is a bar from zero.
    Bar,
}

/// An axis as the library has it.
struct Ruler(Axis);

impl Plot {
    /// The SVG, whose title and description have names that begin with `id`.
    pub(super) fn svg(&self, id: &str) -> Result<String, String> {
        let mut svg = String::new();
        self.draw(&mut svg).map_err(|error| format!("{}: {error}", self.title))?;
        let (open, drawing) = svg.split_once(">\n").ok_or("the library drew nothing")?;
        debug_assert!(open.starts_with("<svg "), "{open}");
        let (width, height) = (SIZE.0 * UNITS, SIZE.1 * UNITS);
        Ok(format!(
            "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\" \
             xmlns=\"http://www.w3.org/2000/svg\">\n\
             <title id=\"{id}-title\">{}</title>\n\
             <desc id=\"{id}-description\">{}</desc>\n{}",
            escaped(&self.title),
            escaped(&self.description),
            classed(drawing, stand_ins()),
        ))
    }

    fn draw(&self, svg: &mut String) -> Result<(), Box<dyn std::error::Error + '_>> {
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let backend = SVGBackend::with_string(svg, (SIZE.0 * UNITS, SIZE.1 * UNITS));
        let area = backend.into_drawing_area();
        let text = ("sans-serif", TEXT * f64::from(UNITS)).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .margin_top(10 * UNITS)
            .margin_right(18 * UNITS)
            .x_label_area_size(24 * UNITS)
            .y_label_area_size(54 * UNITS)
            .build_cartesian_2d(Ruler(self.x.clone()), Ruler(self.y.clone()))
            .map_err(|error| failed(&error))?;
        chart
            .configure_mesh()
            .axis_style(RULE.stroke_width(UNITS))
            .max_light_lines(0)
            .bold_line_style(RULE.stroke_width(UNITS / 2))
            .label_style(text)
            .set_all_tick_mark_size(4 * UNITS)
            .draw()
            .map_err(|error| failed(&error))?;
        for (number, line) in self.lines.iter().enumerate() {
            let colour = stand_in(number);
            let place = |(x, y): (f64, f64)| (self.x.place(x), self.y.place(y));
            let points: Vec<_> = line.points.iter().copied().map(place).collect();
            if line.mark == Mark::Bar {
                let bars = points.iter().map(|(x, y)| {
                    let corners = [(x - BAR / 2.0, self.y.place(0.0)), (x + BAR / 2.0, *y)];
                    Rectangle::new(corners, colour.filled())
                });
                chart.draw_series(bars).map_err(|error| failed(&error))?;
            } else {
                let style = ShapeStyle::from(colour).stroke_width(2 * UNITS);
                let series = LineSeries::new(points.iter().copied(), style);
                chart.draw_series(series).map_err(|error| failed(&error))?;
            }
            if line.mark == Mark::Dots || (line.mark == Mark::Line && points.len() == 1) {
                let dots = points.iter().map(|at| Circle::new(*at, 4 * UNITS, colour.filled()));
                chart.draw_series(dots).map_err(|error| failed(&error))?;
            }
            // filled, since a line's dashes would cut them up
            let style = if line.mark == Mark::Bar { INK } else { colour }.filled();
            let half = (self.x.range.end - self.x.range.start) * WHISKER / 2.0;
            let whiskers = line.points.iter().zip(&line.spread).map(|((x, _), (least, most))| {
                let (below, above) = (place((*x, *least)), place((*x, *most)));
                Rectangle::new([(below.0 - half, below.1), (above.0 + half, above.1)], style)
            });
            chart.draw_series(whiskers).map_err(|error| failed(&error))?;
        }
        area.present().map_err(|error| failed(&error))?;
        Ok(())
    }
}

impl Ranged for Ruler {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, place: &f64, pixels: (i32, i32)) -> i32 {
        let Range { start, end } = self.0.range;
        let share = (place - start) / (end - start);
        let pixel = f64::from(pixels.0) + share * f64::from(pixels.1 - pixels.0);
        #[expect(clippy::cast_possible_truncation, reason = "a place is within its axis")]
        let pixel = pixel.round() as i32;
        pixel
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        self.0.ticks.iter().map(|tick| tick.0).take(hint.max_num_points()).collect()
    }

    fn range(&self) -> Range<f64> {
        self.0.range.clone()
    }
}

impl ValueFormatter<f64> for Ruler {
    fn format_ext(&self, place: &f64) -> String {
        self.0.label(*place)
    }
}

/// Stands for the colour of line `number`.
fn stand_in(number: usize) -> RGBColor {
    RGBColor(0, 0, u8::try_from(number % COLOURS + 1).expect("there are few colours"))
}

/// Every stand-in as SVG writes it, and its class on the page.
fn stand_ins() -> Vec<(String, String)> {
    let colours = (0..COLOURS).map(|number| (stand_in(number), format!("c{number}")));
    let all = colours.chain([(INK, "ink".to_owned()), (RULE, "rule".to_owned())]);
    all.map(|(RGBColor(r, g, b), class)| (format!("#{r:02X}{g:02X}{b:02X}"), class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::axis::number;

    #[test]
    fn is_well_formed_and_has_no_colour_of_its_own() {
        let line = |number: usize| Line {
            name: number.to_string(),
            points: vec![(0.0, 1.0), (1.0, 3.0), (2.0, 2.0)],
            spread: vec![(0.5, 1.5), (2.0, 4.0), (2.0, 2.0)],
            mark: [Mark::Line, Mark::Dots, Mark::Bar][number % 3],
        };
        let plot = Plot {
            title: "a < b & \"c\"".to_owned(),
            caption: String::new(),
            description: "<script>".to_owned(),
            x: Axis::linear(2.0, number),
            y: Axis::linear(4.0, number),
            lines: (0..=COLOURS).map(line).collect(),
        };
        let svg = plot.svg("p").unwrap();
        let tree = roxmltree::Document::parse(&svg).unwrap();
        let svg_name = |name| ("http://www.w3.org/2000/svg", name);
        let all = |name| tree.descendants().filter(move |node| node.has_tag_name(svg_name(name)));
        assert_eq!(all("title").next().unwrap().text(), Some("a < b & \"c\""));
        assert_eq!(all("desc").next().unwrap().text(), Some("<script>"));
        let class = |node: &roxmltree::Node<'_, '_>, name| {
            node.attribute("class").is_some_and(|class| class.contains(name))
        };
        let drawn = |name, colour| all(name).filter(|node| class(node, colour)).count();
        assert_eq!((drawn("polyline", "c0"), drawn("polyline", "c2")), (2, 0));
        assert_eq!((drawn("rect", "c0"), drawn("rect", "ink")), (2 * 3, 2 * 3), "whiskers");
        assert_eq!((drawn("circle", "c1"), drawn("circle", "c2")), (3, 0));
        assert_eq!(drawn("rect", "c2"), 3, "bars");
        assert!(!svg.contains('#'), "{svg}");
    }
}
