//! What is left of a budget over time, as points and as a picture.

use std::fmt::Write;

use jiff::Timestamp;

use crate::backtest::evaluated;
use crate::history::History;
use crate::objective::Objective;
use crate::share::hundredths;
use crate::window::Window;

/// What was left at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: Timestamp,
    /// How much, in hundredths of a percent; below zero when overspent.
    pub left: i64,
}

/// At most `count` points over the part of the window that history covers,
/// oldest first. A month is drawn from its beginning; rolling days over their
/// length.
pub fn points(objective: &Objective, history: &History, count: usize) -> Vec<Point> {
    let Some((first, last)) = history.ends() else { return Vec::new() };
    let Ok(end) = Timestamp::from_second(last) else { return Vec::new() };
    let from = objective.window.at(end).from.as_second().max(first);
    let parts = i64::try_from(count.max(2) - 1).unwrap_or(1);
    let at = |n: i64| from + (last - from) * n / parts;
    (0..=parts)
        .filter_map(|n| evaluated(objective, history, at(n)))
        .map(|evaluation| Point { at: evaluation.now, left: evaluation.budget.remaining_share() })
        .collect()
}

/// Rows of block characters, the highest first: what is left, from the least
/// (or zero) to everything, with the percentages at the side.
pub fn blocks(points: &[Point], rows: usize) -> Vec<String> {
    const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let rows_wide = i64::try_from(rows.max(1)).unwrap_or(1);
    let most = points.iter().map(|point| point.left).max().unwrap_or(0).clamp(0, 10_000).max(1);
    let top = if most > 5_000 { 10_000 } else { most };
    (0..rows_wide)
        .rev()
        .map(|row| {
            let floor = top * row / rows_wide;
            let ceiling = top * (row + 1) / rows_wide;
            let line: String = points
                .iter()
                .map(|point| {
                    let filled = (point.left - floor).clamp(0, ceiling - floor) * 8 / (ceiling - floor).max(1);
                    // What is overspent shows at the bottom.
                    if point.left <= 0 && row == 0 {
                        '×'
                    } else {
                        usize::try_from(filled).ok().and_then(|at| EIGHTHS.get(at)).copied().unwrap_or(' ')
                    }
                })
                .collect();
            format!("{:>6} % │{line}", hundredths(ceiling))
        })
        .collect()
}

const WIDTH: i64 = 760;
const HEIGHT: i64 = 320;
const LEFT: i64 = 60;
const BOTTOM: i64 = 40;
const STYLE: &str = "\
svg{font:13px system-ui,sans-serif;background:#fff;color:#1b1f24}text{fill:currentColor}\
.grid{stroke:#8884;stroke-width:1}.zero{stroke:#c0392b;stroke-width:1.5}\
.area{fill:#2f7ed833}.line{fill:none;stroke:#2f7ed8;stroke-width:2}.even{stroke:#888;stroke-dasharray:4 4}\
@media(prefers-color-scheme:dark){svg{background:#14181d;color:#e6e9ed}}";

/// The points as a picture with a title: what is left, the line of an even
/// spending for months, and zero.
pub fn svg(objective: &Objective, title: &str, points: &[Point]) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return String::new() };
    let least = points.iter().map(|point| point.left).min().unwrap_or(0).min(0);
    let (from, to) = (first.at.as_second(), last.at.as_second());
    let end = match objective.window {
        Window::Month { .. } => objective.window.at(last.at).to.as_second(),
        Window::Rolling { .. } => to,
    };
    let x = |second: i64| LEFT + (second - from) * (WIDTH - LEFT - 20) / (end - from).max(1);
    let y = |left: i64| 40 + (10_000 - left) * (HEIGHT - 40 - BOTTOM) / (10_000 - least).max(1);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>{0}</title><style>{STYLE}</style>\n<text x=\"{LEFT}\" y=\"22\" font-weight=\"600\">{0}</text>\n",
        escaped(title)
    );
    let mut marks = vec![10_000, 7_500, 5_000, 2_500, 0];
    marks.extend((least < 0).then_some(least));
    for mark in marks {
        let class = if mark == 0 { "zero" } else { "grid" };
        let (right, at) = (WIDTH - 20, y(mark));
        let _ = writeln!(text, "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at}\" y2=\"{at}\"/>");
        let label = format!("{} %", mark / 100);
        let _ = writeln!(text, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{label}</text>", LEFT - 8, at + 4);
    }
    if matches!(objective.window, Window::Month { .. }) {
        let _ = writeln!(
            text,
            "<line class=\"even\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            x(objective.window.at(last.at).from.as_second().max(from)),
            y(10_000),
            x(end),
            y(0)
        );
    }
    let path: Vec<String> =
        points.iter().map(|point| format!("{},{}", x(point.at.as_second()), y(point.left))).collect();
    let path = path.join(" ");
    let _ = writeln!(text, "<polygon class=\"area\" points=\"{},{} {path} {},{}\"/>", x(from), y(0), x(to), y(0));
    let _ = writeln!(text, "<polyline class=\"line\" points=\"{path}\"/>");
    for (point, anchor) in [(first, "start"), (last, "end")] {
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            x(point.at.as_second()),
            HEIGHT - 14,
            point.at.strftime("%Y-%m-%d %H:%MZ")
        );
    }
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-weight=\"600\">{} %</text>",
        x(to),
        (y(last.left) - 8).max(36),
        hundredths(last.left)
    );
    text.push_str("</svg>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Counts;
    use crate::objective::Reach;
    use crate::objective::tests::{AVAILABILITY, LATENCY, spec};

    fn drawn(yaml: &str) -> (Objective, Vec<Point>) {
        let objective = Objective::parse("ns", "a<b", &spec(yaml), &Reach::Everything).unwrap();
        let start = "2026-11-02T00:00:00Z".parse::<Timestamp>().unwrap().as_second();
        let history = History::new((1..=2_000).map(|n| {
            let bad = if (800..820).contains(&n) { 60 } else { 0 };
            (start + n * 600, Counts { total: 600, bad, measured: 600 })
        }));
        let points = points(&objective, &history, 60);
        (objective, points)
    }

    #[test]
    fn points_go_from_everything_to_what_is_left() {
        let (objective, points) = drawn(AVAILABILITY);
        assert_eq!(points.len(), 60);
        assert_eq!(points[0].left, 10_000);
        // 1,200 bad of 1.2 million in 13.9 days: 20 of 21.6 minutes.
        assert_eq!(points[59].left, 741);
        assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        let rows = blocks(&points, 8);
        assert_eq!(rows.len(), 8);
        assert!(rows[0].starts_with("100.00 % │█") && rows[7].contains('▄'), "{rows:#?}");
        let picture = svg(&objective, "ns/a<b", &points);
        assert!(picture.contains("ns/a&lt;b") && picture.contains("7.41 %") && !picture.contains("class=\"even\""));
    }

    #[test]
    fn a_month_shows_an_even_spending_and_what_is_overspent() {
        let (objective, points) = drawn(&LATENCY.replace("\"95\"", "\"99.99\""));
        assert!(points[59].left < 0);
        assert!(blocks(&points, 4)[3].contains('×'));
        let picture = svg(&objective, "t", &points);
        assert!(picture.contains("class=\"even\"") && picture.contains(&hundredths(points[59].left)));
    }
}
