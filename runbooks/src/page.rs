//! Pages as HTML: nothing is loaded from elsewhere, nothing runs.

use hashinsight_crds::text::Language;
use pulldown_cmark::{Parser, html};

use crate::Runbook;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.6 system-ui,sans-serif;max-width:44rem;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem;overflow-wrap:anywhere}h2{font-size:1.05rem;margin:1.4rem 0 .2rem}\
pre{overflow-x:auto;padding:.8rem;border:1px solid #8886;border-radius:6px;user-select:all}\
li{margin:.3rem 0}nav{display:flex;gap:1rem}";

fn document(title: &str, language: Language, navigation: &str, body: &str) -> String {
    let code = match language {
        Language::English => "en",
        Language::Chinese => "zh",
    };
    format!(
        "<!doctype html>\n<html lang=\"{code}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>{title}</title>\
         <style>{STYLE}</style></head>\n<body><nav>{navigation}</nav>\n<main>{body}</main></body></html>\n"
    )
}

/// The other language, as a link to `address` and its name.
fn other(language: Language, address: &str) -> String {
    match language {
        Language::English => format!("<a href=\"{address}?lang=zh\" lang=\"zh\">中文</a>"),
        Language::Chinese => format!("<a href=\"{address}?lang=en\" lang=\"en\">English</a>"),
    }
}

const fn query(language: Language) -> &'static str {
    match language {
        Language::English => "?lang=en",
        Language::Chinese => "?lang=zh",
    }
}

pub fn of(page: Runbook, language: Language) -> String {
    let mut body = String::new();
    html::push_html(&mut body, Parser::new(page.text(language)));
    let (name, all) = (
        page.name(),
        match language {
            Language::English => "All runbooks",
            Language::Chinese => "全部运行手册",
        },
    );
    let navigation = format!("<a href=\"./{}\">{all}</a>{}", query(language), other(language, name));
    document(name, language, &navigation, &body)
}

pub fn index(language: Language) -> String {
    let title = match language {
        Language::English => "Runbooks",
        Language::Chinese => "运行手册",
    };
    let rows: String = Runbook::ALL
        .iter()
        .map(|page| {
            let name = page.name();
            format!("<li><a href=\"{name}{}\">{name}</a><br>{}</li>\n", query(language), page.about(language))
        })
        .collect();
    document(title, language, &other(language, "./"), &format!("<h1>{title}</h1>\n<ul>\n{rows}</ul>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_to_fill_in_are_text_and_links_lead_to_pages() {
        let page = of(Runbook::PlanMissing, Language::English);
        assert!(page.contains("kubectl patch tenant &lt;tenant&gt;"), "{page}");
        assert!(page.contains("<h2>Mitigation</h2>") && !page.contains("<script"), "{page}");
        let index = index(Language::Chinese);
        for page in Runbook::ALL {
            assert!(index.contains(&format!("href=\"{}?lang=zh\"", page.name())));
        }
    }
}
