use encoding_rs::GB18030;
use proptest::prelude::*;

use super::*;

/// Keeps everything, and the failed rows as their file.
struct Kept {
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
    failed: FailedRows<Vec<u8>>,
}

impl Sink for Kept {
    fn accepted(&mut self, row: Accepted) -> std::io::Result<()> {
        self.accepted.push(row);
        Ok(())
    }
    fn refused(&mut self, header: &[String], row: Refused) -> std::io::Result<()> {
        self.failed.add(header, &row)?;
        self.refused.push(row);
        Ok(())
    }
    fn progress(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}

struct Done {
    summary: Summary,
    accepted: Vec<Accepted>,
    refused: Vec<Refused>,
    failed: Vec<u8>,
}

fn tried(bytes: &[u8], workers: usize) -> Result<Done, ImportError> {
    let mut kept = Kept { accepted: Vec::new(), refused: Vec::new(), failed: FailedRows::new(Vec::new()) };
    let summary = import(bytes, workers, &mut kept)?;
    let Kept { accepted, refused, failed } = kept;
    assert_eq!(summary.bytes, bytes.len() as u64, "every byte is accounted for");
    assert_eq!((summary.accepted, summary.refused_rows()), (accepted.len() as u64, refused.len() as u64));
    Ok(Done { summary, accepted, refused, failed: failed.into_inner() })
}

fn read(text: &str) -> Done {
    tried(text.as_bytes(), 2).unwrap()
}

fn codes(done: &Done) -> Vec<(u64, &'static str)> {
    done.refused.iter().map(|row| (row.line, row.problem.code())).collect()
}

fn numbers(done: &Done) -> Vec<(String, String, u32)> {
    let of = |row: &Accepted| (row.kind.terahash.to_string(), row.kind.watts.to_string(), row.kind.count);
    done.accepted.iter().map(of).collect()
}

#[test]
fn the_templates_import_in_every_shape() {
    for template in [TEMPLATE_EN, TEMPLATE_ZH] {
        let wanted = [("200", "3500", 1), ("186", "3441", 1), ("110", "3250", 20)];
        let wanted = wanted.map(|(terahash, watts, count)| (terahash.to_owned(), watts.to_owned(), count));
        let shapes = [
            template.to_owned(),
            format!("\u{feff}{template}"),
            template.replace('\n', "\r\n"),
            template.replace(',', ";"),
            template.replace(',', "\t"),
            format!("\n\n{}", template.trim_end()),
        ];
        for shape in shapes {
            let done = read(&shape);
            assert_eq!((numbers(&done), codes(&done)), (wanted.to_vec(), vec![]), "{shape}");
        }
        let gb = tried(&GB18030.encode(template).0, 1).unwrap();
        assert_eq!(numbers(&gb), wanted);
        assert_eq!(gb.summary.format.0, if template.is_ascii() { "ASCII" } else { "GB18030" });
        assert_eq!(gb.accepted[0].serial, "SN-0001");
        assert_eq!(gb.accepted[1].kind.usd_per_kwh, Some(Micro::of(55_000)));
        assert_eq!(gb.accepted[2].firmware, Some(crate::catalogue::Firmware::BraiinsOs));
    }
}

use crate::micro::Micro;

#[test]
fn units_are_those_of_the_heading_or_the_cell() {
    let done = read(
        "Hashrate (GH/s),Power (kW),Power price [USD/MWh],qty\n110000,3.25,60,2\n0.2 PH/s,3500W,,3 pcs\n186 TH/s,3441,,\n",
    );
    assert_eq!(codes(&done), [(4, "OutOfRange")], "3441 kW");
    assert_eq!(numbers(&done), [("110".to_owned(), "3250".to_owned(), 2), ("200".to_owned(), "3500".to_owned(), 3)]);
    assert_eq!(done.accepted[0].kind.usd_per_kwh, Some(Micro::of(60_000)));
    for heading in [
        "hashrate_ths",
        "Hashrate TH/s",
        "Average hashrate (TH/s)",
        "Hashrate (TH/s) avg",
        "额定算力(T)",
        "hashrate_th",
    ] {
        let done = read(&format!("model,{heading},power_kw,note\nS21 XP 270T,200,3.5,x\n"));
        assert_eq!(numbers(&done), [("200".to_owned(), "3500".to_owned(), 1)], "{heading}");
        assert_eq!(done.summary.unused, ["note"]);
    }
    for (heading, cell, micro) in [
        ("usd_kwh", "0.06", 60_000),
        ("电价($/MWh)", "-5", -5000),
        ("usd_per_mwh", "50", 50_000),
        ("electricity price", "$0.06", 0),
    ] {
        let done = read(&format!("model,{heading}\nS21 200T,{cell}\n"));
        let found = done.accepted.first().map_or(0, |row| row.kind.usd_per_kwh.unwrap().units());
        assert_eq!(found, micro, "{heading}");
    }
    for cell in ["5 €/kWh", "5¢", "6 ct/kWh"] {
        assert_eq!(codes(&read(&format!("model,usd_per_kwh\nS21 200T,{cell}\n"))), [(2, "NotANumber")], "{cell}");
    }
}

#[test]
fn every_bad_row_has_its_line_field_code_and_both_languages() {
    let text = "serial,model,terahash_per_second,watts,count\n\
        A1,S21 200T,,,\n\
        A2,gaming PC,,,\n\
        A3,S19 Pro,,,\n\
        A4,M31S 70T,,,\n\
        A5,,,,\n\
        A6,,NaN,3000,\n\
        A7,,110,-5,\n\
        A8,,110,100001,\n\
        A9,,\"3,250\",3000,\n\
        A10,,110.0000001,3000,\n\
        A11,,110,3000,1.5\n\
        A1,S21 200T,,,\n\
        A12,S21 200T\n\
        A13,S21 200T,,,,,x\n\
        A14,S19 Pro 600T,,9000,\n\
        A15,S19 Pro 4900T,,,\n\
        \n\
        ,,,,\n\
        A16,,1,100000,\n\
        A17,\"S21 200T";
    let done = read(text);
    assert_eq!(
        codes(&done),
        [
            (3, "UnknownModel"),
            (4, "AmbiguousBin"),
            (5, "AmbiguousPower"),
            (6, "Nothing"),
            (7, "NotANumber"),
            (8, "OutOfRange"),
            (9, "OutOfRange"),
            (10, "NotANumber"),
            (11, "TooPrecise"),
            (12, "NotANumber"),
            (13, "Duplicate"),
            (14, "Ragged"),
            (15, "Ragged"),
            (17, "OutOfRange"),
            (21, "Truncated"),
        ]
    );
    assert_eq!((done.accepted.len(), done.summary.warned), (3, 2), "{:?}", done.accepted);
    let failed = String::from_utf8(done.failed.clone()).unwrap();
    assert!(
        failed.starts_with("\u{feff}serial,model,terahash_per_second,watts,count,line,code,message_en,message_zh\n")
    );
    for row in &done.refused {
        let message = row.problem.sentence();
        assert!(failed.contains(&format!(",{},{},", row.line, row.problem.code())), "{row:?}");
        assert!(!message.en.is_empty() && !message.zh.is_ascii(), "{message:?}");
    }
    // As it is, it fails again; nothing is lost on the way. What was cut off or
    // had a field too many now has as many as the header.
    let again = tried(&done.failed, 1).unwrap();
    let left: Vec<&str> = again.refused.iter().map(|row| row.fields[0].as_str()).collect();
    assert_eq!(left, ["A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A13", "A15"]);
    let third = tried(&again.failed, 1).unwrap();
    assert_eq!((third.failed, again.refused[0].fields.len()), (tried(&again.failed, 2).unwrap().failed, 5));
    // Mended, it goes in.
    let mended = failed.replace("gaming PC", "S21 200T");
    assert!(tried(mended.as_bytes(), 1).unwrap().accepted.iter().any(|row| row.serial == "A2"));
}

#[test]
fn columns_of_the_user_s_that_are_named_like_ours_are_kept() {
    let done = read("model,code,line,rack\nnope,ASSET-7,L3,R1\n");
    let failed = String::from_utf8(done.failed).unwrap();
    assert!(
        failed.starts_with("\u{feff}model,code,line,rack,line,code,message_en,message_zh\nnope,ASSET-7,L3,R1,2,"),
        "{failed}"
    );
    assert_eq!(read(&failed).refused[0].fields, ["nope", "ASSET-7", "L3", "R1"]);
}

#[test]
fn a_stray_quote_costs_its_line_alone() {
    let rows: String = (0..3000).map(|at| format!("N{at},S21 200T,\"a, b\"\n")).collect();
    let text = format!("serial,model,note\nX,S21 \"200T,n\nY,\"S21 200T,n\n{rows}Z,\"S21\n200T\",n\n");
    let done = read(&text);
    assert_eq!(codes(&done), [(3, "UnclosedQuote")]);
    // A quote within a field is a character like others; a line end within quotes is one, too.
    assert_eq!(done.accepted.len(), 3002);
    assert_eq!(done.accepted.last().unwrap().serial, "Z");
    assert_eq!(done.refused[0].fields[0], "Y");
}

#[test]
fn what_is_far_too_long_is_cut_and_the_rest_is_read() {
    let long = "x".repeat(10_000_000);
    let text = format!(
        "serial,model,note\nA,S21 200T,\nB,S21 200T,{long}\nC,S21 200T,\nD,{},\nE,S21 200T,\n",
        "y".repeat(70_000)
    );
    let done = read(&text);
    assert_eq!(codes(&done), [(3, "TooLong"), (5, "TooLong")]);
    let Problem::TooLong { field } = &done.refused[0].problem else { panic!() };
    assert_eq!((field.as_str(), done.accepted.len()), ("note", 3));
    assert!(done.failed.len() < 5000, "{}", done.failed.len());
    let endless = format!("model\nS21 200T\n{}", "z".repeat(1_000_000));
    assert_eq!(codes(&read(&endless)), [(3, "TooLong")]);
    let many = format!("model\n{}\nS21 200T\n", ",".repeat(300));
    assert_eq!((codes(&read(&many)), read(&many).accepted.len()), (vec![(2, "Ragged")], 1));
    let broad =
        format!("model,note\n{}S21 200T,\"{}\"\nS21 200T,\n", "S21 200T,\n".repeat(40_000), "q\n".repeat(40_000));
    let broad = read(&broad);
    assert_eq!(broad.accepted.len(), 40_001, "{:?}", &codes(&broad)[..3]);
}

#[test]
fn a_row_of_another_encoding_is_refused_alone() {
    let mut text = "型号,备注\nS21 200T,一号\n".as_bytes().to_vec();
    text.extend_from_slice(&GB18030.encode("S21 200T,二号机房\n").0);
    text.extend_from_slice("S21 200T,三号\n".as_bytes());
    let done = tried(&text, 1).unwrap();
    assert_eq!((codes(&done), done.accepted.len()), (vec![(3, "MixedEncoding")], 2));
    assert_eq!(done.refused[0].fields[1], "二号机房", "shown as what it is");
    let mut text = "model,备注,rack\n蚂蚁 S21 200T,".as_bytes().to_vec();
    text.extend_from_slice(&GB18030.encode("备注好").0);
    text.extend_from_slice(",北京机房\n".as_bytes());
    assert_eq!(tried(&text, 1).unwrap().refused[0].fields, ["蚂蚁 S21 200T", "备注好", "北京机房"]);
    let mut text = GB18030.encode("型号,备注\nS21 200T,一号\n").0.into_owned();
    text.extend_from_slice("S21 200T,二号机房\n".as_bytes());
    let done = tried(&text, 1).unwrap();
    assert_eq!((codes(&done), done.refused[0].fields[1].as_str()), (vec![(3, "MixedEncoding")], "二号机房"));
}

/// A stream that fails.
struct Broken;
impl std::io::Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("gone"))
    }
}

/// A disk that is full.
struct Full;
impl Sink for Full {
    fn accepted(&mut self, _: Accepted) -> std::io::Result<()> {
        Err(std::io::Error::other("disk full"))
    }
    fn refused(&mut self, _: &[String], _: Refused) -> std::io::Result<()> {
        Ok(())
    }
    fn progress(&mut self, _: &Summary) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn files_that_cannot_be_imported_say_why() {
    for (bytes, part) in [
        (&b""[..], "empty"),
        (b"\r\n\r\n", "empty"),
        (b"\xff\xfem\0o\0", "UTF-16"),
        (b"a|b|c\n1|2|3\n", "none of the columns is known: a|b|c"),
        (b"serial,hashrate\n1,2\n", "none of the columns"),
        (b"model,power,watts\nx,1,2\n", "mean the same"),
        ("model,电价(¥/kWh)\nx,1\n".as_bytes(), "unit of \"电价(¥/kWh)\""),
        ("model,electricity price (¢/kWh)\nx,1\n".as_bytes(), "unit of"),
        (b"serial,model\rA,S21 200T\r", "carriage returns"),
        (format!("model{}\n", ",c".repeat(250)).as_bytes(), "more than 199 columns"),
        (format!("model,{}", "x".repeat(40_000)).as_bytes(), "no header"),
    ] {
        let error = tried(bytes, 1).err().unwrap().to_string();
        assert!(error.contains(part), "{error}");
    }
    // Of two columns with names, the plainer one counts.
    assert_eq!(read("type,model\nASIC,S21 200T\n").accepted.len(), 1);
    let mut kept = Kept { accepted: Vec::new(), refused: Vec::new(), failed: FailedRows::new(Vec::new()) };
    assert!(import(Broken, 1, &mut kept).unwrap_err().to_string().contains("gone"));
    let later = std::io::Read::chain("model\nS21 200T\n".repeat(30_000).leak().as_bytes(), Broken);
    assert!(import(later, 3, &mut kept).is_err());
    let many = "model\n".to_owned() + &"S21 200T\n".repeat(200_000);
    assert!(import(many.as_bytes(), 2, &mut Full).unwrap_err().to_string().contains("disk full"));
}

#[test]
fn what_a_spreadsheet_would_compute_is_neutralized_and_comes_back() {
    for (cell, written) in [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1+1", "'-1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("-12.5", "-12.5"),
        ("-", "'-"),
        ("plain", "plain"),
    ] {
        assert_eq!(neutral(cell), written);
    }
    let done = read("serial,model\n=1+1,no such\n");
    assert!(String::from_utf8_lossy(&done.failed).contains("'=1+1"));
    let mended = String::from_utf8(done.failed).unwrap().replace("no such", "S21 200T");
    assert_eq!(read(&mended).accepted[0].serial, "=1+1");
    let mut line = Vec::new();
    write_row(&mut line, ["a\"b", "c,d", "=e;f"]).unwrap();
    assert_eq!(String::from_utf8(line).unwrap(), "\"a\"\"b\",\"c,d\",\"'=e;f\"\n");
}

#[test]
fn the_accepted_rows_import_again_as_the_same_machines() {
    let done = read(
        "serial,model,terahash_per_second,watts,count,usd_per_kwh\nA,S21 XP luxos 270T,,,2,-0.01\n,S19 95T,,,,\n,box,100,3000,,\n",
    );
    let mut text = Vec::new();
    write_row(&mut text, ACCEPTED_COLUMNS).unwrap();
    for row in &done.accepted {
        write_row(&mut text, row.cells().iter().map(String::as_str)).unwrap();
    }
    let again = tried(&text, 1).unwrap();
    let kinds = |done: &Done| done.accepted.iter().map(|row| row.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&again), kinds(&done));
    assert_eq!(again.accepted[0].firmware, done.accepted[0].firmware);
}

#[test]
fn a_million_rows_would_stop_at_the_bound() {
    assert!(ImportError::TooManyRows.to_string().contains("5000000"));
    assert!(ImportError::Worker.to_string().contains("worker"));
    let kinds = Problem::Number { column: "x".into(), refusal: crate::input::Refusal::Dates };
    assert!(kinds.sentence().zh.starts_with("x: "));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn workers_and_their_number_change_nothing(rows in proptest::collection::vec(0_u32..400, 1..4000), workers in 2_usize..6) {
        let row = |at: &u32| match at % 9 {
            0 => format!("S{at},no such,,\n"),
            1 => format!("S{at},\"S21\n200T\",,\n"),
            2 => format!("S{at},\"S21 200T,,\n"),
            3 => format!("S{at},{},,\n", "M30S 88T ".repeat(*at as usize)),
            _ => format!("S{at},,{},{}\n", 90 + at % 40, 3000 + at),
        };
        let text = format!("serial,model,ths,watts\n{}", rows.iter().map(row).collect::<String>());
        let (one, many) = (tried(text.as_bytes(), 1).unwrap(), tried(text.as_bytes(), workers).unwrap());
        prop_assert_eq!(one.summary, many.summary);
        prop_assert_eq!(one.accepted, many.accepted);
        prop_assert_eq!(one.failed, many.failed);
    }

    #[test]
    fn no_bytes_make_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..3000), header in any::<bool>()) {
        let mut text = if header { b"serial,model,ths,watts,count\n".to_vec() } else { Vec::new() };
        text.extend(bytes);
        let _ = tried(&text, 2);
    }
}
