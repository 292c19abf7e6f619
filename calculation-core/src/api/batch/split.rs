//! A JSON document cut into its members and elements without being read: so that
//! an element that is no JSON costs that element alone.
//!
//! Nothing is trusted here but quotes and brackets. Each piece is read by a
//! proper reader afterwards.

/// A piece of a document, and the line it begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its bytes, without space around.
    pub text: &'a [u8],
    /// Its line, from 1.
    pub line: u64,
}

/// Why a document cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncut {
    /// The line on which that shows.
    pub line: u64,
}

/// Members of an object that are looked for.
const MEMBERS_MAX: usize = 64;

/// The members of an object, as key (with its quotes) and value.
pub fn members(document: &[u8]) -> Result<Vec<(Piece<'_>, Piece<'_>)>, Uncut> {
    let pieces = pieces(Piece { text: document, line: 1 }, [b'{', b'}'], MEMBERS_MAX)?;
    pieces.into_iter().map(|piece| key(piece).ok_or(Uncut { line: piece.line })).collect()
}

/// The elements of an array; where there are more than `most`, that many and one
/// more.
pub fn elements(array: Piece<'_>, most: usize) -> Result<Vec<Piece<'_>>, Uncut> {
    pieces(array, [b'[', b']'], most)
}

/// A member parted at its colon.
fn key(member: Piece<'_>) -> Option<(Piece<'_>, Piece<'_>)> {
    let mut scan = Scan::default();
    let colon = member.text.iter().position(|byte| {
        let is_here = *byte == b':' && scan.is_outside();
        scan.take(*byte);
        is_here
    })?;
    let (key, value) = (&member.text[..colon], &member.text[colon + 1..]);
    let line = member.line + lines(key);
    Some((trimmed(Piece { text: key, line: member.line }), trimmed(Piece { text: value, line })))
}

/// What stands between an opening and a closing bracket, cut at commas.
fn pieces(whole: Piece<'_>, [open, close]: [u8; 2], most: usize) -> Result<Vec<Piece<'_>>, Uncut> {
    let whole = trimmed(whole);
    let end = whole.line + lines(whole.text);
    let inner = whole.text.strip_prefix(&[open]).and_then(|rest| rest.strip_suffix(&[close]));
    let inner = inner.ok_or(Uncut { line: end })?;
    let (mut found, mut scan, mut from, mut line) = (Vec::new(), Scan::default(), 0, whole.line);
    for (at, byte) in inner.iter().enumerate() {
        if *byte == b',' && scan.is_outside() {
            let piece = Piece { text: &inner[from..at], line };
            line += lines(piece.text);
            found.push(trimmed(piece));
            if found.len() > most {
                return Ok(found);
            }
            from = at + 1;
        }
        if !scan.take(*byte) {
            return Err(Uncut { line: whole.line + lines(&inner[..at]) });
        }
    }
    if !scan.is_outside() {
        return Err(Uncut { line: end });
    }
    let last = trimmed(Piece { text: &inner[from..], line });
    // Nothing at all is no element; nothing after a comma is a bad one.
    if !(last.text.is_empty() && found.is_empty()) {
        found.push(last);
    }
    Ok(found)
}

fn trimmed(piece: Piece<'_>) -> Piece<'_> {
    let front = piece.text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    Piece { text: piece.text.trim_ascii(), line: piece.line + lines(&piece.text[..front]) }
}

fn lines(text: &[u8]) -> u64 {
    u64::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u64::MAX)
}

/// How deep in brackets, and whether within a text.
#[derive(Default)]
struct Scan {
    depth: u32,
    is_text: bool,
    is_escaped: bool,
}

impl Scan {
    fn is_outside(&self) -> bool {
        self.depth == 0 && !self.is_text
    }

    /// False when more is closed than was opened.
    fn take(&mut self, byte: u8) -> bool {
        match (self.is_text, byte) {
            (true, _) if self.is_escaped => self.is_escaped = false,
            (true, b'\\') => self.is_escaped = true,
            // A text does not go over a line: what opened a quote is one line.
            (true, b'"' | b'\n') => self.is_text = false,
            (false, b'"') => self.is_text = true,
            (false, b'{' | b'[') => self.depth += 1,
            (false, b'}' | b']') if self.depth == 0 => return false,
            (false, b'}' | b']') => self.depth -= 1,
            _ => {}
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn texts(array: &str) -> Result<Vec<(String, u64)>, Uncut> {
        let pieces = elements(Piece { text: array.as_bytes(), line: 1 }, 100)?;
        Ok(pieces.into_iter().map(|piece| (String::from_utf8_lossy(piece.text).into_owned(), piece.line)).collect())
    }

    #[test]
    fn a_bad_element_costs_itself() {
        let found = texts("[{\"a\":1},\n {\"a\":1x},\n{\"a\":\"],\"}, ]").unwrap();
        let wanted = [("{\"a\":1}", 1), ("{\"a\":1x}", 2), ("{\"a\":\"],\"}", 3), ("", 3)];
        assert_eq!(found, wanted.map(|(text, line)| (text.to_owned(), line)));
        // An open quote ends with its line.
        assert_eq!(texts("[{\"a\":\"1},\n{\"b\":2}\n]").unwrap_err().line, 3);
        assert_eq!(elements(Piece { text: b"[1,2,3,4", line: 1 }, 2).map(|all| all.len()), Err(Uncut { line: 1 }));
        assert_eq!(elements(Piece { text: b"[1,2,3,4]", line: 1 }, 2).map(|all| all.len()), Ok(3), "no more than that");
        assert_eq!(texts("[ ]").unwrap(), []);
        assert_eq!(texts("[1,\n2]]").unwrap_err().line, 2);
        assert!(texts("[1").is_err() && texts("").is_err() && texts("{}").is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::from),
            "[ -~\\n\"\\\\]{0,8}".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                proptest::collection::btree_map("[a-z:,{\"]{0,4}", inner, 0..5).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn good_json_is_cut_where_a_reader_would(values in proptest::collection::vec(any_json(), 0..6), pretty in any::<bool>()) {
            let whole = json!(values);
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            let pieces = elements(Piece { text: text.as_bytes(), line: 1 }, 100).unwrap();
            let read: Vec<Value> = pieces.iter().map(|piece| serde_json::from_slice(piece.text).unwrap()).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn members_come_with_their_keys(map in proptest::collection::btree_map("[a-z:,{\"]{0,4}", any_json(), 0..5)) {
            let text = serde_json::to_string_pretty(&map).unwrap();
            let mut read = std::collections::BTreeMap::new();
            for (key, value) in members(text.as_bytes()).unwrap() {
                let key: String = serde_json::from_slice(key.text).unwrap();
                read.insert(key, serde_json::from_slice::<Value>(value.text).unwrap());
            }
            prop_assert_eq!(read, map);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'{'), Just(b']'), Just(b','), Just(b'\\'), Just(b'\n'), any::<u8>()], 0..64)) {
            drop(members(&bytes));
            drop(elements(Piece { text: &bytes, line: 1 }, 100));
        }
    }
}
