//! Pictures of results: SVG that stands alone, and pages around it. They follow
//! the reader's light or dark setting, fit a phone, and say the same without
//! colour: losses are hatched, values are written in, lines are labelled.
//!
//! Nothing is computed here but places on paper.

mod cash_flow;
mod curtailment;
mod heatmap;
mod page;
mod svg;

pub use cash_flow::cash_flow;
pub use curtailment::curtailment;
pub use heatmap::heatmap;
pub use page::Page;

/// A dollar amount as short as people say it: `1.25M`, `-340k`, `12.5`.
pub(crate) fn short(pico: i128) -> String {
    const SIZES: [(i128, &str); 4] = [(1_000_000_000, "B"), (1_000_000, "M"), (1000, "k"), (1, "")];
    const ONE: i128 = 1_000_000_000_000;
    // What three digits would round up is said in the next size.
    let size = SIZES.into_iter().find(|(size, _)| pico.abs() * 10_000 >= size * ONE * 9995);
    let (size, mark) = size.unwrap_or((1, ""));
    let value = crate::Exact::fraction(pico, ONE * size).unwrap_or_else(crate::Exact::zero);
    let decimals = [(100, 0), (10, 1)].into_iter().find(|(least, _)| pico.abs() >= least * size * ONE);
    let text = value.text(decimals.map_or(2, |(_, decimals)| decimals));
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        let of = |micro: i128| short(micro * 1_000_000);
        for (micro, text) in [
            (0, "0"),
            (500_000, "0.5"),
            (12_340_000, "12.3"),
            (123_400_000, "123"),
            (999_700_000, "1k"),
            (1_250_000_000, "1.25k"),
            (-340_000_000_000, "-340k"),
            (7_097_074_360_002, "7.1M"),
            (2_000_000_000_000_000, "2B"),
        ] {
            assert_eq!(of(micro), text);
        }
    }
}
