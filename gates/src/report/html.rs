//! A page that needs nothing else: for light and dark, narrow and wide, without
//! script; marks and words, not colour alone.

use std::fmt::Write as _;

use super::{escaped, facts, is_bad, is_good, level, line, more, name, rows, waivers};
use crate::verdict::{Level, Verdict};
use crate::words::Tongue;

/// Findings on the page.
const MOST: usize = 1_000;

const STYLE: &str = "\
:root{color-scheme:light dark;--bad:#b3261e;--good:#1b6e3c;--line:#8886}\
@media(prefers-color-scheme:dark){:root{--bad:#ffb4ab;--good:#8bd8a4}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;\
border-bottom:1px solid var(--line)}td{overflow-wrap:break-word}\
@media(max-width:40rem){tr{display:block;border-bottom:1px solid var(--line);padding:.3rem 0}\
td,th{display:block;border:0;padding:.1rem 0}}.bad{color:var(--bad)}.good{color:var(--good)}\
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}small{opacity:.8}code{overflow-wrap:anywhere}";

pub fn render(verdict: &Verdict, tongue: Tongue) -> String {
    let word = |en: &'static str, zh: &'static str| if tongue == Tongue::En { en } else { zh };
    let (lang, told) = (word("en", "zh-CN"), verdict.told());
    let told = escaped(told.to(tongue));
    let (class, mark) = if is_good(verdict.decision) { ("good", "✓") } else { ("bad", "✗") };
    let mut text = format!(
        "<!doctype html>\n<html lang=\"{lang}\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<title>{told}</title>\n<style>{STYLE}</style>\n<main>\n\
         <h1 class=\"{class}\">{mark} {told}</h1>\n<table>\n<tr><th>{}<th>{}<th>\n",
        word("Check", "检查"),
        word("Outcome", "结果")
    );
    for (checked, row) in verdict.checks.iter().zip(rows(verdict, tongue)) {
        let class = if is_bad(checked.outcome) { "bad" } else { "" };
        let [check, outcome, summary] = row.map(|cell| escaped(&cell));
        let _ = writeln!(text, "<tr><td>{check}<td class=\"{class}\">{outcome}<td>{summary}");
    }
    text.push_str("</table>\n");
    let findings = verdict.findings();
    if !findings.is_empty() {
        let heads = [word("Finding", "结果"), word("Why", "原因"), word("What to do", "处理")];
        let _ = writeln!(text, "<h2>{}</h2>\n<table>\n<tr><th>{}", word("What was found", "发现"), heads.join("<th>"));
    }
    for (check, finding) in findings.iter().take(MOST) {
        let class = if level(finding) >= Some(Level::Deferral) { "bad" } else { "" };
        let place =
            finding.file.as_ref().map(|file| format!("<br><small>{}</small>", escaped(file))).unwrap_or_default();
        let _ = writeln!(
            text,
            "<tr><td class=\"{class}\">{}/{}<td>{}{place}<td>{}",
            name(*check),
            escaped(&finding.id),
            escaped(&line(finding, tongue)),
            if finding.stands() { escaped(finding.next.to(tongue)) } else { String::new() }
        );
    }
    if !findings.is_empty() {
        text.push_str("</table>\n");
    }
    if findings.len() > MOST {
        let _ = writeln!(text, "<p>{}", escaped(&more(findings.len() - MOST, tongue)));
    }
    let waivers = waivers(verdict, tongue);
    if !waivers.is_empty() {
        let _ = writeln!(text, "<h2>{}</h2>\n<ul>", word("Waivers", "豁免"));
        for line in waivers {
            let _ = writeln!(text, "<li>{}", escaped(&line));
        }
        text.push_str("</ul>\n");
    }
    let _ = writeln!(text, "<h2>{}</h2>\n<table>", word("Of what, and by which policy", "对象与策略"));
    for (key, value) in facts(verdict, tongue) {
        let _ = writeln!(text, "<tr><th>{key}<td><code>{}</code>", escaped(&value));
    }
    text + "</table>\n</main>\n</html>\n"
}
