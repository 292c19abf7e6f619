//! A page around a picture: what it says, its figures, and what it rests on.

use super::svg::{STYLE, escaped};
use crate::{Language, Sentence};

/// Everything on the page. Texts are in the page's language.
#[derive(Clone, Debug)]
pub struct Page {
    /// Title.
    pub title: Sentence,
    /// What is to be seen, and what to heed.
    pub sentences: Vec<Sentence>,
    /// The picture, as SVG.
    pub picture: String,
    /// Figures: name and value.
    pub figures: Vec<(Sentence, String)>,
    /// What it rests on: name and value.
    pub assumptions: Vec<(Sentence, String)>,
}

impl Page {
    /// The page, whole in one file: no script, nothing fetched.
    pub fn html(&self, language: Language) -> String {
        let table = |heading: (&str, &str), rows: &[(Sentence, String)]| {
            let row = |(name, value): &(Sentence, String)| {
                // What is short stays on one line.
                let class = if value.chars().count() > 26 { " class=\"long\"" } else { "" };
                format!(
                    "<tr><th scope=\"row\">{}</th><td{class}>{}</td></tr>",
                    escaped(&name.to(language)),
                    escaped(value)
                )
            };
            let rows: String = rows.iter().map(row).collect();
            format!("<h2>{}</h2><table>{rows}</table>", language.pick(heading.0, heading.1))
        };
        let sentences: String =
            self.sentences.iter().map(|sentence| format!("<p>{}</p>", escaped(&sentence.to(language)))).collect();
        format!(
            "<!doctype html>\n<html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{STYLE}{PAGE}</style></head>\
             <body><main><h1>{title}</h1>{sentences}<figure>{picture}</figure>{figures}{assumptions}</main></body></html>\n",
            lang = language.pick("en", "zh-Hans"),
            title = escaped(&self.title.to(language)),
            picture = self.picture.trim_end(),
            figures = table(("Figures", "数字"), &self.figures),
            assumptions = table(("What it rests on", "计算依据"), &self.assumptions),
        )
    }
}

const PAGE: &str = "\
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Noto Sans',\
'Noto Sans CJK SC','Microsoft YaHei',sans-serif}main{max-width:640px;margin:0 auto;padding:12px}\
h1{font-size:1.3rem;margin:.4em 0}h2{font-size:1.05rem;margin:1.4em 0 .3em}figure{margin:12px 0}\
table{width:100%;border-collapse:collapse}th,td{text-align:left;padding:4px 0;border-bottom:1px solid var(--line);\
font-weight:400;vertical-align:top}td{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap;\
padding-left:12px}.long{white-space:normal;overflow-wrap:anywhere}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_whole_and_nothing_in_it_is_taken_for_markup() {
        let both = |text: &str| Sentence { en: text.to_owned(), zh: format!("中{text}") };
        let page = Page {
            title: both("<b>"),
            sentences: vec![both("one & two")],
            picture: "<svg></svg>\n".to_owned(),
            figures: vec![(both("profit"), "<1>".to_owned())],
            assumptions: vec![(both("price"), "2".to_owned())],
        };
        let english = page.html(Language::English);
        assert!(english.contains("&lt;b&gt;") && english.contains("&lt;1&gt;") && english.contains("one &amp; two"));
        assert!(english.contains("lang=\"en\"") && !english.contains("http:") && !english.contains("<script"));
        assert!(page.html(Language::Chinese).contains("<h2>数字</h2>"));
    }
}
