//! Label matchers as PromQL writes them: read, and written again with every
//! value escaped, so that nothing a person wrote can end a selector early.

use std::fmt;

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Match,
    /// `!~`
    NotMatch,
}

impl Op {
    /// Longer ones first: `=~` begins with `=`.
    const ALL: [(Self, &'static str); 4] =
        [(Self::Match, "=~"), (Self::NotMatch, "!~"), (Self::NotEqual, "!="), (Self::Equal, "=")];

    fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Match => "=~",
            Self::NotMatch => "!~",
        }
    }
}

/// One matcher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matcher {
    /// The label.
    pub label: String,
    /// How it is compared.
    pub op: Op,
    /// With what, as it is, not as it is written.
    pub value: String,
}

/// Matchers that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Matcher>);

/// Why text is no list of matchers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} at character {at} of {text:?}; write matchers as job=\"core\",code=~\"5..\"")]
pub struct NotASelector {
    /// What is wrong.
    pub why: &'static str,
    /// Where, counted from 1.
    pub at: usize,
    /// All of it.
    pub text: String,
}

/// Matchers in one selector.
const MATCHERS_MAX: usize = 30;

impl Selector {
    /// Reads `label op "value", …`, the braces left away. Values are written
    /// in double quotes, single quotes or backquotes, as in PromQL.
    pub fn parse(text: &str) -> Result<Self, NotASelector> {
        let mut reader = Reader { text, rest: text };
        let mut matchers = Vec::new();
        reader.space();
        while !reader.rest.is_empty() {
            let label = reader.label()?;
            let op = reader.op()?;
            let value = reader.value()?;
            matchers.push(Matcher { label, op, value });
            if matchers.len() > MATCHERS_MAX {
                return Err(reader.wrong("more than 30 matchers"));
            }
            if !reader.eat(",") && !reader.rest.is_empty() {
                return Err(reader.wrong("expected a comma"));
            }
        }
        Ok(Self(matchers))
    }

    /// Whether a matcher speaks of `label`.
    pub fn names(&self, label: &str) -> bool {
        self.0.iter().any(|matcher| matcher.label == label)
    }

    /// With one more matcher `label="value"`.
    #[must_use]
    pub fn with(mut self, label: &str, value: &str) -> Self {
        self.0.push(Matcher { label: label.to_owned(), op: Op::Equal, value: value.to_owned() });
        self
    }

    /// With one more matcher `label=~"value"`.
    #[must_use]
    pub fn matching(mut self, label: &str, value: &str) -> Self {
        self.0.push(Matcher { label: label.to_owned(), op: Op::Match, value: value.to_owned() });
        self
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, Matcher { label, op, value }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{label}{}\"{}\"", op.as_str(), escaped(value))?;
        }
        f.write_str("}")
    }
}

/// As it stands between double quotes in PromQL.
pub fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            other => text.push(other),
        }
    }
    text
}

struct Reader<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Reader<'_> {
    fn wrong(&self, why: &'static str) -> NotASelector {
        let at = self.text.chars().count() - self.rest.chars().count() + 1;
        NotASelector { why, at, text: self.text.to_owned() }
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(token) else { return false };
        self.rest = rest;
        self.space();
        true
    }

    fn label(&mut self) -> Result<String, NotASelector> {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = self.rest.find(|c| !name(c)).unwrap_or(self.rest.len());
        let (label, rest) = self.rest.split_at(end);
        if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.wrong("expected the name of a label"));
        }
        if label.starts_with("__") {
            return Err(self.wrong("labels that begin with __ are the metrics system's own"));
        }
        self.rest = rest;
        self.space();
        Ok(label.to_owned())
    }

    fn op(&mut self) -> Result<Op, NotASelector> {
        Op::ALL
            .into_iter()
            .find(|(_, token)| self.eat(token))
            .map(|(op, _)| op)
            .ok_or_else(|| self.wrong("expected one of = != =~ !~"))
    }

    fn value(&mut self) -> Result<String, NotASelector> {
        let Some(quote) = self.rest.chars().next().filter(|c| ['"', '\'', '`'].contains(c)) else {
            return Err(self.wrong("expected a value in quotes"));
        };
        let mut value = String::new();
        let mut characters = self.rest.char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            if character == quote {
                self.rest = self.rest.get(at + 1..).unwrap_or_default();
                self.space();
                return Ok(value);
            }
            if character != '\\' || quote == '`' {
                value.push(character);
                continue;
            }
            match characters.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some('t') => value.push('\t'),
                Some('r') => value.push('\r'),
                Some(same @ ('\\' | '"' | '\'')) => value.push(same),
                _ => return Err(self.wrong("an escape other than \\n \\t \\r \\\\ \\\" \\'")),
            }
        }
        Err(self.wrong("a value whose quotes do not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn matchers_are_read_as_promql_writes_them() {
        let read = Selector::parse(r#" job = "core", code=~'5..',path!="a\"b\\", x!~`\d` ,"#).unwrap();
        assert_eq!(read.to_string(), r#"{job="core",code=~"5..",path!="a\"b\\",x!~"\\d"}"#);
        assert_eq!(Selector::parse("").unwrap().to_string(), "{}");
    }

    #[test]
    fn what_is_no_list_of_matchers_is_refused_with_its_place() {
        for (text, why, at) in [
            (r#"job="core"} or up{x="y""#, "expected a comma", 11),
            (r#"job="core" code="5""#, "expected a comma", 12),
            ("job", "expected one of = != =~ !~", 4),
            ("job=core", "expected a value in quotes", 5),
            (r#"job="core"#, "a value whose quotes do not end", 5),
            (r#"5job="core""#, "expected the name of a label", 1),
            (r#"__name__="up""#, "labels that begin with __ are the metrics system's own", 1),
            (r#"job="\q""#, "an escape other than \\n \\t \\r \\\\ \\\" \\'", 5),
        ] {
            let wrong = Selector::parse(text).unwrap_err();
            assert_eq!((wrong.why, wrong.at), (why, at), "{text}");
        }
        assert!(Selector::parse(&"a=\"b\",".repeat(31)).is_err());
    }

    proptest! {
        #[test]
        fn any_value_survives_writing_and_reading(value in "\\PC*", label in "[a-z][a-z0-9_]{0,8}") {
            let selector = Selector::default().with(&label, &value).matching("x", &value);
            let text = selector.to_string();
            let inner = text.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
            prop_assert_eq!(Selector::parse(inner).unwrap(), selector);
        }
    }
}
