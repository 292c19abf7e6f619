//! The few shapes that pictures are made of. Lengths are whole tenths of the
//! picture's unit.

use std::fmt::Write;

use crate::Exact;

/// Width of every picture, units. Letters are 14 high, which is eleven pixels
/// when the picture is as wide as a phone.
pub(super) const WIDTH: i64 = 480;

/// Colours by light and dark, and shapes by class.
pub(super) const STYLE: &str = "\
:root{--paper:#fff;--ink:#1b1f24;--faint:#8a929c;--line:#d5dae0;--loss3:#b3261e;--loss2:#dd6b5d;--loss1:#f2b8ae;\
--none:#eceff2;--gain1:#b5d9c1;--gain2:#5fae7d;--gain3:#1d7044;--mark:#7a4a00}\
@media(prefers-color-scheme:dark){:root{--paper:#14181d;--ink:#e8ebee;--faint:#8f99a4;--line:#343b43;--loss3:#ff8a7a;\
--loss2:#b8503f;--loss1:#6a322a;--none:#262c33;--gain1:#22513a;--gain2:#3d8f63;--gain3:#7fd6a4;--mark:#ffc46b}}\
svg{font:14px system-ui,-apple-system,'Noto Sans','Noto Sans CJK SC','Microsoft YaHei',sans-serif;display:block;\
width:100%;height:auto}rect{shape-rendering:crispEdges}text{fill:var(--ink)}.faint{fill:var(--faint)}.axis{stroke:var(--faint);fill:none}\
.grid{stroke:var(--line)}.paper{fill:var(--paper)}.zero{stroke:var(--ink);stroke-width:2.5;fill:none}\
.mark{stroke:var(--mark);stroke-width:2;fill:none}.on{paint-order:stroke;stroke:var(--paper);stroke-width:3px;\
stroke-linejoin:round}.hatch path{stroke:var(--ink);stroke-width:1}.l3{fill:var(--loss3)}.l2{fill:var(--loss2)}\
.l1{fill:var(--loss1)}.n{fill:var(--none)}.g1{fill:var(--gain1)}.g2{fill:var(--gain2)}.g3{fill:var(--gain3)}";

/// A picture under way.
pub(super) struct Svg {
    body: String,
    height: i64,
}

/// A length in tenths, as it is written.
fn length(tenths: i64) -> String {
    let sign = if tenths < 0 { "-" } else { "" };
    let (whole, part) = (tenths.abs() / 10, tenths.abs() % 10);
    if part == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

/// `text` as it may stand in a document.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Where a text is held.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty picture of a height, units.
    pub(super) fn new(height: i64) -> Self {
        Self { body: String::new(), height }
    }

    pub(super) fn rectangle(&mut self, class: &str, (x, y): (i64, i64), (width, height): (i64, i64)) {
        let [x, y, width, height] = [x, y, width, height].map(length);
        let _ =
            write!(self.body, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    }

    /// The same, hatched: for losses, where colours cannot be told apart.
    pub(super) fn hatched(&mut self, (x, y): (i64, i64), (width, height): (i64, i64)) {
        let [x, y, width, height] = [x, y, width, height].map(length);
        let _ =
            write!(self.body, "<rect fill=\"url(#hatch)\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    }

    pub(super) fn line(&mut self, class: &str, points: &[(i64, i64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", length(*x), length(*y))).collect();
        let _ = write!(self.body, "<polyline class=\"{class}\" fill=\"none\" points=\"{}\"/>", points.join(" "));
    }

    /// A filled shape.
    pub(super) fn area(&mut self, class: &str, points: &[(i64, i64)]) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{},{}", length(*x), length(*y))).collect();
        let _ = write!(self.body, "<polygon class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (i64, i64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let ([x, y], text) = ([x, y].map(length), escaped(text));
        let _ = write!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>");
    }

    /// Whatever `draw` adds, cut off outside the rectangle.
    pub(super) fn clipped(&mut self, (x, y): (i64, i64), (width, height): (i64, i64), draw: impl FnOnce(&mut Self)) {
        let [x, y, width, height] = [x, y, width, height].map(length);
        let _ = write!(
            self.body,
            "<clipPath id=\"plot\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/></clipPath>\
             <g clip-path=\"url(#plot)\">"
        );
        draw(self);
        self.body.push_str("</g>");
    }

    /// The document; `title` is what is read out where nothing can be seen.
    pub(super) fn finish(self, title: &str) -> String {
        let (height, title, body) = (self.height, escaped(title), self.body);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\"><title>{title}</title>\
             <style>{STYLE}</style><defs><pattern id=\"hatch\" class=\"hatch\" width=\"6\" height=\"6\" \
             patternUnits=\"userSpaceOnUse\"><path d=\"M0 6L6 0\"/></pattern></defs>\
             <rect class=\"paper\" width=\"{WIDTH}\" height=\"{height}\"/>{body}</svg>\n"
        )
    }
}

/// Tenths of a unit between `from` and `to` at which `value` lies when `first`
/// lies at `from` and `last` at `to`.
pub(super) fn place(value: i128, (first, last): (i128, i128), (from, to): (i64, i64)) -> i64 {
    let part = Exact::fraction(value - first, last - first).unwrap_or_else(Exact::zero);
    let tenths = (part * Exact::whole(i128::from(to - from))).text(0).parse::<i64>().unwrap_or_default();
    // Far outside is as good as a little outside.
    from + tenths.clamp(-100_000, 100_000)
}

/// Four to seven round values from `least` to `most`.
pub(super) fn ticks(least: i128, most: i128) -> Vec<i128> {
    let span = (most - least).max(1);
    let mut step = 1_i128;
    while step * 10 < span {
        step *= 10;
    }
    let steps = [1, 2, 5, 10, 20].map(|times| step * times / 10);
    let step = steps.into_iter().find(|step| *step > 0 && span / step <= 6);
    let step = step.unwrap_or(span);
    (least.div_euclid(step)..=most.div_euclid(step))
        .map(|at| at * step)
        .filter(|at| (least..=most).contains(at))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(ticks(0, 100), [0, 20, 40, 60, 80, 100]);
        assert_eq!(ticks(-37, 61), [-20, 0, 20, 40, 60]);
        assert_eq!(ticks(400_000, 1_600_000), [400_000, 600_000, 800_000, 1_000_000, 1_200_000, 1_400_000, 1_600_000]);
        assert_eq!(ticks(5, 5), [5]);
    }

    #[test]
    fn places_are_between_their_ends() {
        assert_eq!(place(5, (0, 10), (100, 200)), 150);
        assert_eq!(place(0, (0, 0), (100, 200)), 100);
        assert_eq!(place(i128::from(i64::MAX), (0, 1), (0, 10)), 0, "what does not fit is not drawn");
        assert_eq!(place(1_000_000, (0, 1), (0, 10)), 100_000);
        assert_eq!(length(-15), "-1.5");
        assert_eq!(escaped("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
