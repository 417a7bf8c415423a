//! Draws what `loadtest/versus` measured as bars, an SVG that is readable on light and on dark.
//!
//! `bars UNIT <FILE >FILE.svg`: a line is PANEL, NAME, MEDIAN, LEAST, MOST, tabs between them;
//! lines of one panel stand together. The scale is logarithmic, since ten times are common.

use std::error::Error;
use std::io::Read as _;

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

const WIDTH: u32 = 720;
/// Of a bar with the gap behind it.
const BAR_HEIGHT: u32 = 20;
/// Of a panel's title and scale.
const PANEL_HEIGHT: u32 = 60;
const NAMES_WIDTH: u32 = 110;
/// Of the number behind the longest bar.
const NUMBER_WIDTH: u32 = 70;
/// The one that is compared with the others.
const OURS: &str = "mercury";
const OURS_COLOUR: RGBColor = RGBColor(0xd9, 0x48, 0x0f);
const OTHERS_COLOUR: RGBColor = RGBColor(0x74, 0x8c, 0xab);
/// Stands for the text's colour, which depends on the reader's theme.
const TEXT: RGBColor = RGBColor(1, 2, 3);
const TEXT_IN_SVG: &str = "#010203";
const THEMES: &str = "<style>svg{color:#1f2328}\
    @media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'b, SVGBackend<'a>, Cartesian2d<LogCoord<f64>, RangedCoordf64>>;

/// One server's figure in one panel.
struct Bar {
    panel: String,
    name: String,
    median: f64,
    least: f64,
    most: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let unit = std::env::args().nth(1).ok_or("bars UNIT <FILE >FILE.svg")?;
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let bars = text.lines().map(bar).collect::<Result<Vec<_>, _>>()?;
    let panels: Vec<&[Bar]> = bars.chunk_by(|one, next| one.panel == next.panel).collect();
    let scale = scale(&bars).ok_or("no bars to draw")?;
    let heights: Vec<u32> = panels.iter().map(|bars| height(bars)).collect();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, heights.iter().sum()));
        let mut rest = area.into_drawing_area();
        for (bars, height) in panels.iter().zip(heights) {
            let (panel, below) = rest.split_vertically(height);
            draw(&panel, bars, scale, &unit).map_err(|error| error.to_string())?;
            rest = below;
        }
        rest.present().map_err(|error| error.to_string())?;
    }
    println!("{}", themed(&svg));
    Ok(())
}

/// One line, read.
fn bar(line: &str) -> Result<Bar, String> {
    let wrong = || format!("not a panel, a name and three numbers above 0: {line}");
    let fields: Vec<&str> = line.split('\t').collect();
    let [panel, name, numbers @ ..] = fields.as_slice() else { return Err(wrong()) };
    let numbers: Vec<f64> = numbers.iter().filter_map(|number| number.parse().ok()).collect();
    match *numbers {
        [median, least, most] if 0.0 < least && least <= median && median <= most => {
            Ok(Bar { panel: (*panel).to_owned(), name: (*name).to_owned(), median, least, most })
        }
        _ => Err(wrong()),
    }
}

fn height(bars: &[Bar]) -> u32 {
    PANEL_HEIGHT + BAR_HEIGHT * u32::try_from(bars.len()).unwrap_or(u32::MAX / BAR_HEIGHT / 2)
}

/// From which to which figure all panels reach, in whole powers of ten.
fn scale(bars: &[Bar]) -> Option<(f64, f64)> {
    let least = bars.iter().map(|bar| bar.least).reduce(f64::min)?;
    let most = bars.iter().map(|bar| bar.most).reduce(f64::max)?;
    Some((10_f64.powf(least.log10().floor()), 10_f64.powf(most.log10().ceil())))
}

fn draw(
    area: &Area<'_>,
    bars: &[Bar],
    (from, to): (f64, f64),
    unit: &str,
) -> Result<(), Box<dyn Error>> {
    let title = format!("{}: {unit}, log scale", bars[0].panel);
    let rows = f64::from(u32::try_from(bars.len())?);
    // the first line is the upper one
    let mut chart = ChartBuilder::on(area)
        .margin_right(NUMBER_WIDTH)
        .caption(title, ("sans-serif", 19).into_font().color(&TEXT))
        .x_label_area_size(24)
        .y_label_area_size(NAMES_WIDTH)
        .build_cartesian_2d((from..to).log_scale(), rows..0.0)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .axis_style(TEXT.mix(0.3))
        .bold_line_style(TEXT.mix(0.2))
        .light_line_style(TRANSPARENT)
        .label_style(("sans-serif", 15).into_font().color(&TEXT))
        .x_label_formatter(&|value| value.to_string())
        .draw()?;
    for (row, bar) in (0_u32..).map(f64::from).zip(bars) {
        draw_bar(&mut chart, area, row, bar, from)?;
    }
    Ok(())
}

/// The bar up to the median, a thin line from the least to the most, and the number behind it.
fn draw_bar(
    chart: &mut Chart<'_, '_>,
    area: &Area<'_>,
    row: f64,
    bar: &Bar,
    from: f64,
) -> Result<(), Box<dyn Error>> {
    let colour = if bar.name == OURS { OURS_COLOUR } else { OTHERS_COLOUR };
    let ends = [(from, row + 0.15), (bar.median, row + 0.85)];
    let spread = vec![(bar.least, row + 0.5), (bar.most, row + 0.5)];
    chart.draw_series([Rectangle::new(ends, colour.filled())])?;
    chart.draw_series([PathElement::new(spread, TEXT.stroke_width(1))])?;
    let style = ("sans-serif", 16).into_font().color(&TEXT);
    let place = |value| chart.backend_coord(&(value, row + 0.2));
    let ((left, top), (right, _)) = (place(from), place(bar.most));
    let origin = area.get_base_pixel();
    let (left, right, top) = (left - origin.0, right - origin.0, top - origin.1);
    area.draw_text(&bar.name, &style, (left - i32::try_from(NAMES_WIDTH)? + 8, top))?;
    area.draw_text(&number(bar.median), &style, (right + 6, top))?;
    Ok(())
}

/// Three digits that count.
fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// With the text in the colour of the reader's theme.
fn themed(svg: &str) -> String {
    let (head, body) = svg.split_at(svg.find('>').map_or(0, |end| end + 1));
    format!("{head}{THEMES}{}", body.replace(TEXT_IN_SVG, "currentColor"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_has_no_place_on_the_scale() {
        assert!(bar("a\tb\t2\t1\t3").is_ok());
        for line in ["", "a\tb", "a\tb\t2\t1", "a\tb\t2\t0\t3", "a\tb\t4\t1\t3", "a\tb\tx\t1\t3"] {
            assert!(bar(line).is_err(), "{line}");
        }
    }

    #[test]
    fn reaches_over_all_that_it_shows() {
        let bars = ["a\tb\t0.2\t0.11\t0.3", "a\tc\t2\t1\t30"].map(|line| bar(line).unwrap());
        let (from, to) = scale(&bars).unwrap();
        assert!((from - 0.1).abs() < 1e-9 && (to - 100.0).abs() < 1e-9, "{from} to {to}");
        assert!(scale(&[]).is_none());
    }

    #[test]
    fn takes_the_colour_of_the_theme() {
        let svg = themed("<svg a=\"b\">\n<text fill=\"#010203\"/></svg>");
        assert!(svg.starts_with("<svg a=\"b\"><style>"), "{svg}");
        assert!(svg.ends_with("<text fill=\"currentColor\"/></svg>"), "{svg}");
    }
}
