//! What `cargo test` prints, which is all that a stable toolchain gives. Results
//! are counted twice: as lines of tests, and as the numbers of each binary; a
//! binary whose end is missing is refused.

use std::borrow::Cow;

use super::super::{Refusal, bounded};
use super::{Outcome, Tally, Tests};

/// Whether text is the output of `cargo test`.
pub fn is_cargo_test(text: &str) -> bool {
    text.lines().any(|line| running(&plain(line)).is_some())
}

/// A line without colours.
fn plain(line: &str) -> Cow<'_, str> {
    if !line.contains('\u{1b}') {
        return Cow::Borrowed(line);
    }
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // Colours end with a letter; a character set is named by one character.
        let end = match part.strip_prefix('[') {
            Some(rest) => rest.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 2),
            None => 2,
        };
        plain.push_str(part.get(end..).unwrap_or_default());
    }
    Cow::Owned(plain)
}

/// `running 3 tests`.
fn running(line: &str) -> Option<u64> {
    let number = line.strip_prefix("running ")?;
    number.strip_suffix(" tests").or_else(|| number.strip_suffix(" test"))?.parse().ok()
}

/// A binary whose result is awaited.
struct Binary {
    line: u64,
    /// Its number among all.
    name: String,
    tests: u64,
    failing: Vec<String>,
    passed: u64,
    skipped: u64,
}

pub fn read(text: &str) -> Result<Tests, Refusal> {
    let (mut tally, mut open, mut binaries, mut before) = (Tally::default(), None::<Binary>, 0, String::new());
    for (number, line) in (1..).zip(text.lines()) {
        let line = plain(line);
        let line = line.trim_end_matches('\r');
        if let Some(tests) = running(line) {
            if let Some(unfinished) = &open {
                return Err(never_ended(unfinished));
            }
            binaries += 1;
            let name = program(&before).map_or_else(|| format!("#{binaries}"), str::to_owned);
            open = Some(Binary { line: number, name, tests, failing: Vec::new(), passed: 0, skipped: 0 });
        } else if let (Some(binary), Some((name, outcome))) = (&mut open, case(line)) {
            binary.passed += u64::from(outcome == Outcome::Passed);
            binary.skipped += u64::from(outcome == Outcome::Skipped);
            if outcome == Outcome::Failed {
                binary.failing.push(bounded(name));
            }
            tally.case(&[&binary.name, name], outcome);
        } else if let Some(numbers) = line.strip_prefix("test result: ") {
            let Some(binary) = open.take() else {
                return Err(Refusal::at(number, "a result of tests that never began"));
            };
            ended(&binary, numbers, number, &mut tally)?;
        }
        if !line.is_empty() {
            line.clone_into(&mut before);
        }
    }
    match open {
        Some(unfinished) => Err(never_ended(&unfinished)),
        None => tally.done(),
    }
}

fn never_ended(binary: &Binary) -> Refusal {
    Refusal::at(binary.line, format!("the {} tests that begin here never ended", binary.tests))
}

/// The program of `     Running unittests src/lib.rs (target/debug/deps/name-0123)`,
/// without what changes from build to build.
fn program(line: &str) -> Option<&str> {
    let line = line.trim_start();
    if let Some(name) = line.strip_prefix("Doc-tests ") {
        return Some(name);
    }
    let path = line.strip_prefix("Running ")?.rsplit_once('(')?.1.strip_suffix(')')?;
    let name = path.rsplit('/').next()?;
    name.rsplit_once('-').map(|(name, _)| name)
}

/// `test name ... ok`.
fn case(line: &str) -> Option<(&str, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let outcome = match outcome.split([',', ' ', '<']).next()? {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Skipped,
        _ => return None,
    };
    Some((name.trim_end(), outcome))
}

/// `ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; …`
fn ended(binary: &Binary, numbers: &str, line: u64, tally: &mut Tally) -> Result<(), Refusal> {
    let number = |word: &str| -> Result<u64, Refusal> {
        let part = numbers.split(['.', ';']).map(str::trim).find_map(|part| part.strip_suffix(word));
        let number = part.and_then(|number| number.trim().parse().ok());
        number.ok_or_else(|| Refusal::at(line, format!("a result that does not tell how many {word}")))
    };
    let (passed, failed, ignored) = (number("passed")?, number("failed")?, number("ignored")?);
    let sum = passed.saturating_add(failed).saturating_add(ignored).saturating_add(number("measured")?);
    if sum != binary.tests {
        return Err(Refusal::at(line, format!("{} tests began and {sum} ended", binary.tests)));
    }
    if numbers.starts_with("ok.") != (failed == 0)
        || (binary.failing.is_empty() && failed > 0) && binary.passed > passed
    {
        return Err(Refusal::at(line, "the result contradicts itself"));
    }
    // Output of tests may hide the lines of some; their numbers count.
    for hidden in binary.failing.len() as u64..failed {
        tally.case(&[&binary.name, &format!("(failed, name unknown, {hidden})")], Outcome::Failed);
    }
    for hidden in binary.skipped..ignored {
        tally.case(&[&binary.name, &format!("(skipped, name unknown, {hidden})")], Outcome::Skipped);
    }
    for hidden in binary.passed..passed {
        tally.case(&[&binary.name, &format!("(passed, name unknown, {hidden})")], Outcome::Passed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
     Running unittests src/lib.rs (target/debug/deps/toy-0123456789abcdef)

running 3 tests
test a ... ok
test b ... ignored, slow
test c ... FAILED

test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s

   Doc-tests toy

running 1 test
test src/lib.rs - a (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

    #[test]
    fn every_binary_is_counted_to_its_end() {
        let tests = read(TWO).unwrap();
        assert_eq!((tests.passed, tests.failed, tests.skipped), (2, 1, 1));
        assert_eq!(tests.failing, ["toy c"]);
        let cut = TWO.split("\ntest result: ok").next().unwrap();
        assert!(read(cut).unwrap_err().what.contains("never ended"));
        assert!(read(&TWO.replace("running 3", "running 4")).unwrap_err().what.contains("4 tests began and 3 ended"));
        assert!(read(&TWO.replace("FAILED. 1 passed", "ok. 1 passed")).unwrap_err().what.contains("contradicts"));
    }

    #[test]
    fn what_output_hides_still_counts() {
        let hidden = TWO.replace("test a ... ok\n", "noise test a ... noise ok\n");
        assert_eq!(read(&hidden).unwrap().passed, 2);
    }
}
