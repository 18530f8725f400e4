//! Offered rate against cost and loss, as a picture: `target/bench/e2e.svg`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use plotters::coord::ranged1d::{DefaultFormatting, Ranged};
use plotters::prelude::*;

use super::Run;

const SIZE: (u32, u32) = (900, 760);
/// Colours that the colour-blind tell apart (Okabe and Ito 2008).
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

type Line = Vec<(f64, f64)>;

/// Draws cost above and loss below, a line for each collector.
///
/// # Errors
/// The file cannot be written.
pub(super) fn draw(runs: &[Run], path: &Path) -> io::Result<()> {
    let (mut cost, mut loss) = (BTreeMap::<&str, Line>::new(), BTreeMap::<&str, Line>::new());
    for run in runs {
        let rate = run.offered / 1000.0;
        cost.entry(&run.collector).or_default().push((rate, run.cpu_per_million()));
        if let Some(percent) = run.lost_percent() {
            // A logarithmic axis has no 0.
            loss.entry(&run.collector).or_default().push((rate, percent.max(0.01)));
        }
    }
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    let drawn = (|| {
        root.fill(&WHITE)?;
        let (above, below) = root.split_vertically(440);
        panel(&above, "CPU seconds per million flows", &cost, (0.1..50.0).log_scale())?;
        panel(&below, "flows lost, % (0.01 and below: none)", &loss, (0.01..100.0).log_scale())?;
        root.present()
    })();
    drawn.map_err(|error: DrawingAreaErrorKind<_>| io::Error::other(error.to_string()))
}

fn panel<Y, B: DrawingBackend>(
    area: &DrawingArea<B, plotters::coord::Shift>,
    title: &str,
    lines: &BTreeMap<&str, Line>,
    y: Y,
) -> Result<(), DrawingAreaErrorKind<B::ErrorType>>
where
    Y: plotters::coord::ranged1d::AsRangedCoord<Value = f64>,
    Y::CoordDescType: Ranged<FormatOption = DefaultFormatting, ValueType = f64>,
{
    let rates = lines.values().flatten().map(|(rate, _)| *rate);
    let (least, most) =
        rates.fold((f64::MAX, 1.0), |(least, most), rate| (rate.min(least), rate.max(most)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(56)
        .build_cartesian_2d((least * 0.9..most * 1.1).log_scale(), y)?;
    chart
        .configure_mesh()
        .x_desc("thousand flows per second offered")
        .x_label_formatter(&|rate| format!("{rate:.0}"))
        .y_label_formatter(&|value| format!("{value}"))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    for ((name, line), colour) in lines.iter().zip(COLOURS.into_iter().cycle()) {
        chart
            .draw_series(
                LineSeries::new(line.iter().copied(), colour.stroke_width(2)).point_size(4),
            )?
            .label(*name)
            .legend(move |(x, y)| Rectangle::new([(x, y - 4), (x + 12, y + 4)], colour.filled()));
    }
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .position(SeriesLabelPosition::UpperRight)
        .draw()
}
