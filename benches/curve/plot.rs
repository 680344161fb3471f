//! Plots with logarithmic axes, as SVG.

use std::fmt::Write as _;

/// Lines over two axes, both logarithmic.
pub struct Plot {
    pub title: String,
    pub across: &'static str,
    pub lines: Vec<Line>,
}

/// One line; its colour is that of its family, so that what belongs together looks alike.
pub struct Line {
    pub name: String,
    pub family: usize,
    pub dashed: bool,
    /// A count, and a time in seconds.
    pub points: Vec<(usize, f64)>,
}

/// Seen well on white and on black.
const COLOURS: [&str; 5] = ["#3b82c4", "#d9822b", "#3f9b5c", "#c0504d", "#8e6bbf"];
/// The plane, and what is left of it and above for words.
const WIDTH: f64 = 470.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const TOP: f64 = 34.0;

/// What a reader's light or dark page asks for.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#333}\
                     .grid{stroke:#8888;stroke-width:.5}.title{font-weight:600}\
                     polyline{fill:none;stroke-width:2}\
                     @media (prefers-color-scheme:dark){text{fill:#ddd}}";

/// A logarithmic axis in whole decades.
struct Axis {
    low: i32,
    high: i32,
    length: f64,
}

impl Axis {
    fn over(values: impl Iterator<Item = f64> + Clone, length: f64) -> Self {
        let low = values.clone().fold(f64::INFINITY, f64::min).log10().floor() as i32;
        let high = values.fold(0.0, f64::max).log10().ceil() as i32;
        Self { low, high: high.max(low + 1), length }
    }

    fn at(&self, value: f64) -> f64 {
        (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low) * self.length
    }

    fn decades(&self) -> impl Iterator<Item = f64> {
        (self.low..=self.high).map(|power| 10_f64.powi(power))
    }
}

impl Plot {
    pub fn to_svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let across = Axis::over(points.clone().map(|(count, _)| *count as f64), WIDTH);
        let up = Axis::over(points.map(|(_, time)| *time), HEIGHT);
        let (width, height) = (LEFT + WIDTH + 216.0, TOP + HEIGHT + 48.0);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n",
            self.title
        );
        text(&mut svg, LEFT, 20.0, "start", " class=\"title\"", &self.title);
        for value in across.decades() {
            let x = LEFT + across.at(value);
            grid(&mut svg, [x, TOP, x, TOP + HEIGHT]);
            text(&mut svg, x, TOP + HEIGHT + 18.0, "middle", "", &count(value));
        }
        for value in up.decades() {
            let y = TOP + HEIGHT - up.at(value);
            grid(&mut svg, [LEFT, y, LEFT + WIDTH, y]);
            text(&mut svg, LEFT - 8.0, y + 4.0, "end", "", &time(value));
        }
        text(&mut svg, LEFT + WIDTH / 2.0, TOP + HEIGHT + 40.0, "middle", "", self.across);
        for (nth, line) in self.lines.iter().enumerate() {
            let place = |(count, time): &(usize, f64)| {
                let x = LEFT + across.at(*count as f64);
                format!("{x:.1},{:.1}", TOP + HEIGHT - up.at(*time))
            };
            let points: Vec<_> = line.points.iter().map(place).collect();
            line.draw(&mut svg, &points.join(" "));
            let (x, y) = (LEFT + WIDTH + 12.0, TOP + 10.0 + 20.0 * nth as f64);
            line.draw(&mut svg, &format!("{x},{y} {},{y}", x + 22.0));
            text(&mut svg, x + 28.0, y + 4.0, "start", "", &line.name);
        }
        svg.push_str("</svg>\n");
        svg
    }
}

impl Line {
    fn draw(&self, svg: &mut String, points: &str) {
        let colour = COLOURS[self.family % COLOURS.len()];
        let dashes = if self.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
        writeln!(svg, "<polyline points=\"{points}\" stroke=\"{colour}\"{dashes}/>").unwrap();
    }
}

fn grid(svg: &mut String, [x1, y1, x2, y2]: [f64; 4]) {
    let line = format!("x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"");
    writeln!(svg, "<line class=\"grid\" {line}/>").unwrap();
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, said: &str) {
    let place = format!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{class}");
    writeln!(svg, "<text {place}>{said}</text>").unwrap();
}

fn count(value: f64) -> String {
    crate::samples::grouped(value.round() as usize)
}

fn time(seconds: f64) -> String {
    match seconds * 1e6 {
        ..0.9 => format!("{:.0} ns", seconds * 1e9),
        ..900.0 => format!("{:.0} µs", seconds * 1e6),
        ..900_000.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.0} s"),
    }
}
