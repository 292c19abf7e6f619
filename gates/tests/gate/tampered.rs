//! A thousand tampered releases, each with the digests as they were and with
//! digests the attacker computed anew. None is allowed, none passes as what was
//! signed; what is harmless changes nothing; the release itself is allowed.

use std::collections::BTreeMap;

use hashinsight_gates::attestation::{Expected, attest, verify};
use hashinsight_gates::policy::Policy;
use hashinsight_gates::verdict::{Decision, Verdict};
use serde_json::Value;

use crate::shop::{COMMIT, DAY, Release};
use crate::signed::{digests, keys};

const VARIANTS: usize = 1_000;

/// xorshift: the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap()
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Truncated,
    WrongDigest,
    DuplicatedKey,
    HugeNumber,
    OtherEncoding,
    DeepNesting,
    Expired,
    Replayed,
    Removed,
    Harmless,
}

const KINDS: [Kind; 10] = [
    Kind::Truncated,
    Kind::WrongDigest,
    Kind::DuplicatedKey,
    Kind::HugeNumber,
    Kind::OtherEncoding,
    Kind::DeepNesting,
    Kind::Expired,
    Kind::Replayed,
    Kind::Removed,
    Kind::Harmless,
];

const JSON: [&str; 3] = ["sbom.json", "audit.json", "latency.json"];
/// Files of which every part that is cut off is missed. Markdown and lock files
/// end anywhere; that they are whole, only digests tell.
const STRUCTURED: [&str; 5] = ["sbom.json", "audit.json", "latency.json", "tests.xml", "coverage.lcov"];

fn text(release: &Release, file: &str) -> String {
    String::from_utf8(release.files[file].clone()).unwrap()
}

/// Places of bare JSON numbers.
fn numbers(text: &str) -> Vec<(usize, usize)> {
    let (mut places, mut in_text, mut begin) = (Vec::new(), false, None);
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_text = !in_text,
            '0'..='9' if !in_text => {
                begin.get_or_insert(at);
            }
            '.' if begin.is_some() => {}
            _ => {
                if let Some(begin) = begin.take() {
                    places.push((begin, at));
                }
            }
        }
    }
    places
}

fn reordered(value: &Value, random: &mut Random) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            for at in (1..fields.len()).rev() {
                fields.swap(at, random.below(at + 1));
            }
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{}\t: {}", Value::from(key.as_str()), reordered(value, random)));
            format!("{{\n {}\r\n}}", fields.collect::<Vec<_>>().join(",\n"))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| reordered(item, random)).collect();
            format!("[ {} ]", items.join(" , "))
        }
        other => other.to_string(),
    }
}

fn spoilt(kind: Kind, good: &Release, random: &mut Random) -> Release {
    match kind {
        Kind::Truncated => truncated(good, random),
        Kind::WrongDigest => {
            let digest = good.artifact.clone().unwrap();
            let at = random.below(64);
            let other = if &digest[at..=at] == "0" { "1" } else { "0" };
            good.clone().replaced("sbom.json", &digest, &format!("{}{other}{}", &digest[..at], &digest[at + 1..]))
        }
        Kind::DuplicatedKey => duplicated(good, random),
        Kind::HugeNumber => huge(good, random),
        Kind::OtherEncoding => encoded(good, random),
        Kind::DeepNesting => nested(good, random),
        Kind::Expired => {
            let days = 3 + random.below(400);
            let at = good.at.as_second() + i64::try_from(days).unwrap() * 86_400;
            Release { at: jiff::Timestamp::from_second(at).unwrap(), ..good.clone() }
        }
        Kind::Replayed => replayed(good, random),
        Kind::Removed => {
            let file = *random.of(&STRUCTURED);
            good.clone().without(file)
        }
        Kind::Harmless => harmless(good, random),
    }
}

fn truncated(good: &Release, random: &mut Random) -> Release {
    loop {
        let file = *random.of(&STRUCTURED);
        let whole = text(good, file);
        let cut = &whole[..random.below(whole.trim_end().len())];
        // A tracefile that ends between two records is a whole one.
        if !cut.trim_end().ends_with("end_of_record") {
            return good.clone().with(file, cut);
        }
    }
}

fn duplicated(good: &Release, random: &mut Random) -> Release {
    let json = *random.of(&JSON);
    match random.below(3) {
        0 => {
            let attribute = *random.of(&["name=\"", "tests=\"", "classname=\""]);
            let whole = text(good, "tests.xml");
            let places: Vec<usize> = whole.match_indices(attribute).map(|(at, _)| at).collect();
            let at = *random.of(&places);
            good.clone().with("tests.xml", format!("{}{attribute}0\" {}", &whole[..at], &whole[at..]))
        }
        1 => good.clone().replaced("RELEASE.md", "class: Feature", "class: Feature\nclass: Fix"),
        _ => {
            let whole = text(good, json);
            let places: Vec<usize> = whole.match_indices("\": ").map(|(at, _)| at).collect();
            let end = *random.of(&places);
            let begin = whole[..end].rfind('"').unwrap();
            let key = &whole[begin..=end];
            good.clone().with(json, format!("{}{key}: 0, {}", &whole[..begin], &whole[begin..]))
        }
    }
}

fn huge(good: &Release, random: &mut Random) -> Release {
    let json = *random.of(&JSON);
    let huge = *random.of(&["1e400", "99999999999999999999", "123456789012345678901234567890", "1e308"]);
    match random.below(3) {
        0 => good.clone().replaced("tests.xml", "tests=\"3\"", &format!("tests=\"{huge}\"")),
        1 => {
            let line = 1 + random.below(30);
            good.clone().replaced("coverage.lcov", &format!("DA:{line},3"), &format!("DA:{line},{huge}"))
        }
        _ => {
            let whole = text(good, json);
            let (begin, end) = *random.of(&numbers(&whole));
            good.clone().with(json, format!("{}{huge}{}", &whole[..begin], &whole[end..]))
        }
    }
}

fn encoded(good: &Release, random: &mut Random) -> Release {
    let names: Vec<&String> = good.files.keys().filter(|name| *name != "evidence-index.json").collect();
    let file = (*random.of(&names)).clone();
    let whole = text(good, &file);
    let wide = || whole.encode_utf16();
    let bytes = match random.below(4) {
        0 => [vec![0xFF, 0xFE], wide().flat_map(u16::to_le_bytes).collect()].concat(),
        1 => [vec![0xFE, 0xFF], wide().flat_map(u16::to_be_bytes).collect()].concat(),
        2 => wide().flat_map(u16::to_le_bytes).collect(),
        // A letter of Latin-1.
        _ => {
            let at = random.below(whole.len());
            [&whole.as_bytes()[..at], &[0xE9], &whole.as_bytes()[at..]].concat()
        }
    };
    good.clone().with(&file, bytes)
}

fn nested(good: &Release, random: &mut Random) -> Release {
    let json = *random.of(&JSON);
    let deep = 70 + random.below(20_000);
    if random.below(3) == 0 {
        let nest = format!("{}{}", "<properties>".repeat(deep.min(5_000)), "</properties>".repeat(deep.min(5_000)));
        good.clone().replaced("tests.xml", "</testsuites>", &format!("{nest}</testsuites>"))
    } else {
        let whole = text(good, json);
        let nest = format!("{{\"x\":{}{}, ", "[".repeat(deep), "]".repeat(deep));
        good.clone().with(json, whole.replacen('{', &nest, 1))
    }
}

fn replayed(good: &Release, random: &mut Random) -> Release {
    let mut other = good.clone();
    let hex =
        |random: &mut Random, digits: usize| (0..digits).map(|_| *random.of(&['a', 'b', '1', '7'])).collect::<String>();
    if random.below(2) == 0 {
        other.commit = Some(hex(random, 40));
    } else {
        other.artifact = Some(hex(random, 64));
    }
    other
}

fn harmless(good: &Release, random: &mut Random) -> Release {
    let json = *random.of(&JSON);
    match random.below(3) {
        0 => good.clone().replaced("tests.xml", "    <testcase", "\n\t<testcase"),
        1 => good.clone().with("sbom.json", [&[0xEF, 0xBB, 0xBF], &good.files["sbom.json"][..]].concat()),
        _ => {
            let value: Value = serde_json::from_str(&text(good, json)).unwrap();
            good.clone().with(json, reordered(&value, random))
        }
    }
}

/// What somebody would act on.
fn gist(verdict: &Verdict) -> (Decision, Vec<String>) {
    (verdict.decision, verdict.findings().iter().map(|(check, finding)| format!("{check:?} {}", finding.id)).collect())
}

#[test]
fn no_tampered_release_is_allowed() {
    let [key, ..] = keys();
    let policy = "evidence: {index: Required, maxAgeHours: 48}\nchecks:\n";
    let mut good = Release::good().policy("checks:\n", policy).indexed();
    good.baseline = Some(good.verdict().measured);
    let control = good.verdict();
    assert_eq!(control.decision, Decision::Allow, "the release itself is allowed");
    let envelope = attest(&control, &key).unwrap();
    let trusted = [key.public()];
    let holds = |release: &Release| {
        let evidence = digests(release);
        let expected = Expected {
            keys: &trusted,
            artifact: release.artifact.as_deref().unwrap(),
            policy: Some(&Policy::read(&good.policy).unwrap().digest),
            commit: release.commit.as_deref(),
            evidence: Some(&evidence),
            at: release.at,
        };
        verify(&envelope, &expected)
    };
    assert_eq!((good.commit.as_deref(), good.at.to_string().as_str()), (Some(COMMIT), DAY));
    holds(&good).unwrap();
    let mut random = Random(0x5EED);
    let mut table: BTreeMap<(Kind, &str, &str), u32> = BTreeMap::new();
    for number in 0..VARIANTS {
        let kind = KINDS[number % KINDS.len()];
        let old = spoilt(kind, &good, &mut random);
        // The attacker cannot make the index of another commit, artifact or day
        // out of this one without saying so; it is left as it is.
        let anew = if matches!(kind, Kind::Replayed | Kind::Expired) { old.clone() } else { old.clone().indexed() };
        for (digests, release) in [("as they were", &old), ("computed anew", &anew)] {
            let verdict = release.verdict();
            *table.entry((kind, digests, verdict.decision.as_str())).or_default() += 1;
            if kind == Kind::Harmless && digests == "computed anew" {
                assert_eq!(gist(&verdict), gist(&control), "{number}: a harmless change");
            } else {
                assert_ne!(verdict.decision, Decision::Allow, "{number}: {kind:?}, digests {digests}");
            }
            assert!(holds(release).is_err(), "{number}: {kind:?}, digests {digests}: it passes as what was signed");
        }
    }
    for ((kind, digests, decision), count) in table {
        println!("| {kind:?} | {digests} | {decision} | {count} |");
    }
}
