//! Cobertura XML: `<class filename>` with `<line number hits>`. A file may be
//! told of by several classes.

use super::super::Refusal;
use super::super::xml::{Part, walk};
use super::{Coverage, Gathered};

pub fn read(text: &str) -> Result<Coverage, Refusal> {
    let (mut gathered, mut path, mut valid, mut methods) = (Gathered::default(), None::<String>, None, 0_usize);
    walk(text, &mut |part| {
        match part {
            Part::Open(element) => match element.name().as_str() {
                "coverage" => valid = element.count("lines-valid")?,
                "class" => path = Some(element.required("filename")?),
                "method" => methods += 1,
                // A class has all its lines; a method's stand there again.
                "line" if methods == 0 => {
                    let number = element.count("number")?;
                    let hits = element.count("hits")?;
                    let (Some(path), Some(number), Some(hits)) = (&path, number, hits) else {
                        return Err(Refusal::at(element.line, "a <line> without class, number or hits"));
                    };
                    *gathered.file(path).entry(number).or_default() |= hits > 0;
                }
                _ => {}
            },
            Part::Close(name) if name == "class" => path = None,
            Part::Close(name) if name == "method" => methods = methods.saturating_sub(1),
            Part::Close(_) => {}
        }
        Ok(())
    })?;
    let coverage = gathered.done()?;
    let counted: u64 = coverage.files.values().map(|lines| lines.total).sum();
    match valid {
        Some(valid) if valid > counted => {
            Err(Refusal::new(format!("lines-valid is {valid}, and {counted} lines are told of")))
        }
        _ => Ok(coverage),
    }
}
