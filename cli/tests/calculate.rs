//! The commands that compute, as people and pipelines run them: no cluster.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test that reads and writes its files")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hashinsight_mining::golden::SAMPLES;
use tempfile::TempDir;

fn run(at: &TempDir, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hashinsight"))
        .args(words)
        .current_dir(at)
        .env_remove("LC_ALL")
        .env_remove("LC_MESSAGES")
        .env_remove("LANG")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a run that must end well.
fn said(at: &TempDir, words: &[&str]) -> String {
    let output = run(at, words);
    assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Exit code and standard error.
fn told(at: &TempDir, words: &[&str]) -> (i32, String) {
    let output = run(at, words);
    (output.status.code().unwrap(), text(&output.stderr))
}

const MARKET: [&str; 6] = ["--price", "92817", "--difficulty", "109e12", "--usd-per-kwh", "0.06"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [words, more].concat()
}

#[test]
fn the_golden_samples_come_out_to_the_last_digit() {
    let at = TempDir::new().unwrap();
    fs::write(at.path().join("cases.csv"), SAMPLES).unwrap();
    let found = said(&at, &["estimate", "--cases", "cases.csv", "-o", "csv"]);
    let wanted = SAMPLES.lines().map(|line| line.splitn(11, ',').nth(10).unwrap().to_owned() + "\n");
    assert_eq!(found, wanted.collect::<String>());
    // A bad case leaves its row empty, and the rest is computed.
    fs::write(at.path().join("bad.csv"), SAMPLES.replacen("1323", "NaN", 1)).unwrap();
    let output = run(&at, &["estimate", "--cases", "bad.csv", "-o", "csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("line 2: watts: \"NaN\" is no number"), "{}", text(&output.stderr));
    let rows = text(&output.stdout);
    assert_eq!((rows.lines().count(), rows.lines().nth(1)), (21, Some(",,,,,")));
    assert!(said(&at, &["estimate", "--cases", "cases.csv"]).contains("Antminer S9 13.5T"));
    fs::write(at.path().join("short.csv"), "case,watts\na,1\n").unwrap();
    let (code, why) = told(&at, &["estimate", "--cases", "short.csv"]);
    assert!(code == 2 && why.contains("no column terahash_per_second"), "{why}");
}

#[test]
fn a_machine_is_estimated_by_name_or_numbers() {
    let at = TempDir::new().unwrap();
    let by_name = said(&at, &with(&["estimate", "--model", "S21 200T", "-o", "csv"], &MARKET));
    let by_numbers = said(&at, &with(&["estimate", "--terahash", "200", "--watts", "3500", "-o", "csv"], &MARKET));
    assert_eq!(by_name, by_numbers);
    let table = said(&at, &with(&["estimate", "--model", "S21 200T"], &MARKET));
    assert!(table.contains("Antminer S21 of 200 TH/s") && table.contains("profit, USD a day"), "{table}");
    let chinese = said(&at, &with(&["estimate", "--model", "S21 200T", "--language", "zh"], &MARKET));
    assert!(chinese.contains("利润，USD/天"), "{chinese}");
    let json: serde_json::Value =
        serde_json::from_str(&said(&at, &with(&["estimate", "--model", "S21 200T", "-o", "json"], &MARKET))).unwrap();
    assert_eq!(json["request"]["estimate"]["watts"], "3500");
    assert!(json["answer"]["estimate"]["profit_usd_per_day"].is_string());
}

#[test]
fn bad_input_is_refused_with_field_limit_and_next_step() {
    let at = TempDir::new().unwrap();
    fs::write(at.path().join("fleet.csv"), "model\nS21 200T\n").unwrap();
    fs::write(at.path().join("not.csv"), "a|b\n1|2\n").unwrap();
    fs::write(at.path().join("prices.csv"), "time,usd_per_mwh\n2026-01-01 00:00,1\n2026-01-01 01:00,1\n").unwrap();
    fs::write(at.path().join("profiles.csv"), "a\n").unwrap();
    let heatmap = ["fleet", "heatmap", "fleet.csv", "--usd-per-kwh", "0.06"];
    let curtail = ["fleet", "curtail", "fleet.csv", "--revenue", "46.44"];
    let project = with(&["project", "--model", "S21 200T"], &MARKET);
    for (words, part) in [
        (
            with(&["estimate", "--terahash", "NaN", "--watts", "3500"], &MARKET),
            "terahash_per_second: \"NaN\" is no number",
        ),
        (with(&["estimate", "--terahash", "200", "--watts", "100001"], &MARKET), "between 1 and 100000"),
        (with(&["estimate", "--terahash", "200", "--watts", "3500", "--uptime", "1.1"], &MARKET), "between 0 and 1"),
        (with(&["estimate", "--model", "S21"], &MARKET), "give the hashrate"),
        (with(&["estimate", "--terahash", "200"], &MARKET), "--model, or --terahash and --watts"),
        (
            vec![
                "estimate",
                "--terahash",
                "200",
                "--watts",
                "3500",
                "--price",
                "1",
                "--usd-per-kwh",
                "1",
                "--difficulty",
                "0",
            ],
            "difficulty",
        ),
        (with(&project, &["--height", "925000", "--depreciation", "x"]), "--depreciation macrs"),
        (with(&project, &["--height", "925000", "--depreciation", "99"]), "years"),
        (with(&project, &["--height", "925000", "--months", "241"]), "months: 241"),
        (with(&project, &["--height", "925000", "--start", "2250-01-01"]), "2009 to 2200"),
        (with(&heatmap, &["--prices", "1:2"]), "three parts"),
        (with(&heatmap, &["--prices", "2:1:5"]), "the last is below"),
        (with(&heatmap, &["--prices", "1:2:102"]), "steps"),
        (with(&heatmap, &["--prices", "1:2:2.5"]), "no whole number"),
        (with(&heatmap, &["--difficulties", "x:2:5"]), "difficulty"),
        (vec!["fleet", "heatmap", "none.csv", "--usd-per-kwh", "0.06"], "none.csv"),
        (vec!["fleet", "import", "not.csv"], "none of the columns"),
        (with(&curtail, &["--prices", "prices.csv"]), "--zone"),
        (with(&curtail, &["--prices", "prices.csv", "--zone", "Mars/Olympus"]), "Mars/Olympus"),
        (with(&curtail, &["--sample", "--profiles", "profiles.csv"]), "the columns must be"),
        (with(&curtail, &["--sample", "--minutes", "7"]), "--minutes 7"),
        (with(&curtail, &["--sample", "--min-off", "20000"]), "minutes: 20000"),
        (vec!["fleet", "sample-prices", "--year", "1999"], "--year 1999"),
        (vec!["replay", "none.jsonl"], "none.jsonl"),
        (vec!["replay", "-", "--baseline", "x"], "- with --baseline"),
        (with(&project, &["--height", "18446744073709551615"]), "height"),
        (vec!["fleet", "import", "fleet.csv", "--accepted", "fleet.csv"], "two purposes"),
        (vec!["fleet", "import", "fleet.csv", "--accepted", "x.csv", "--failed", "x.csv"], "two purposes"),
        (vec!["replay", "."], "no *.jsonl"),
        (with(&["estimate", "--model", "S21 200T", "--record", "none/r.jsonl"], &MARKET), "none/r.jsonl"),
        (with(&heatmap, &["--svg", "none/map.svg"]), "none/map.svg"),
    ] {
        let (code, why) = told(&at, &words);
        assert!(code == 2 && why.contains(part), "{words:?}: {code}: {why}");
    }
}

#[test]
fn a_fleet_goes_from_a_file_to_a_picture_in_one_command() {
    let at = TempDir::new().unwrap();
    let template = said(&at, &["fleet", "template"]);
    fs::write(at.path().join("fleet.csv"), &template).unwrap();
    let map = ["fleet", "heatmap", "fleet.csv", "--usd-per-kwh", "0.06"];
    let output =
        said(&at, &with(&map, &["--html", "map.html", "--svg", "map.svg", "--months", "12", "--threads", "1"]));
    assert!(output.contains("22 machines"), "{output}");
    let [page, picture] = ["map.html", "map.svg"].map(|name| fs::read_to_string(at.path().join(name)).unwrap());
    assert!(page.contains("<svg") && page.contains("prefers-color-scheme:dark") && page.contains("viewport"));
    assert!(picture.starts_with("<svg xmlns") && !picture.contains("NaN"));
    assert_eq!(fs::read_dir(&at).unwrap().count(), 3, "nothing is left over");
    // A link stays one, and what it leads to keeps its permissions; a pipe is written to.
    let (real, link) = (at.path().join("real.svg"), at.path().join("link.svg"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&real, &link).unwrap();
    assert!(said(&at, &with(&map, &["--svg", "link.svg", "-o", "name"])).lines().count() == 1);
    assert!(link.is_symlink() && fs::read_to_string(&real).unwrap().starts_with("<svg"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(said(&at, &with(&map, &["--svg", "/dev/stdout", "-o", "name"])).starts_with("<svg"));
    let (one, many) = (["-o", "csv", "--threads", "1"], ["-o", "csv", "--threads", "7"]);
    assert_eq!(said(&at, &with(&map, &one)), said(&at, &with(&map, &many)));
    let difficulty = said(&at, &with(&map, &["--difficulties", "80e12:200e12:4", "-o", "csv"]));
    assert!(difficulty.starts_with("price_usd,80000000000000,"), "{difficulty}");
    let chinese = said(&at, &with(&map, &["--language", "zh", "--html", "zh.html", "--never-rest"]));
    assert!(
        chinese.contains("矿机从不停机") && fs::read_to_string(at.path().join("zh.html")).unwrap().contains("zh-Hans")
    );
    let template = said(&at, &["fleet", "template", "--language", "zh"]);
    fs::write(at.path().join("zh.csv"), template).unwrap();
    let (english, chinese) = (said(&at, &map), said(&at, &with(&["fleet", "heatmap", "zh.csv"], &map[3..])));
    assert_eq!(english, chinese, "the same fleet");
}

#[test]
fn bad_rows_are_left_out_told_of_and_imported_again_when_mended() {
    let at = TempDir::new().unwrap();
    let bad: String = (0..8).map(|row| format!("B{row},gaming PC,\n")).collect();
    fs::write(at.path().join("fleet.csv"), format!("serial,model,site\nA,S21 200T,=x\n{bad}C,S21 200T,\n")).unwrap();
    let import = ["fleet", "import", "fleet.csv", "--accepted", "clean.csv", "--failed", "failed.csv"];
    let output = run(&at, &import);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("UnknownModel") && text(&output.stdout).contains("failed.csv"));
    assert!(text(&run(&at, &with(&import, &["--language", "zh"])).stdout).contains("请修正 failed.csv"));
    assert!(text(&run(&at, &["fleet", "import", "fleet.csv"]).stdout).contains("--failed FILE"));
    assert!(text(&run(&at, &["fleet", "import", "fleet.csv", "--language", "zh"]).stdout).contains("--failed FILE"));
    let failed = fs::read_to_string(at.path().join("failed.csv")).unwrap();
    assert_eq!(failed.lines().count(), 9);
    fs::write(at.path().join("failed.csv"), failed.replace("gaming PC", "M60S 186T")).unwrap();
    assert!(said(&at, &["fleet", "import", "failed.csv", "-o", "json"]).contains("\"accepted\": 8"));
    assert!(said(&at, &["fleet", "import", "clean.csv", "-o", "json"]).contains("\"accepted\": 2"));
    // Computing goes on with what is left, and says so by its exit code.
    let estimate = with(&["fleet", "estimate", "fleet.csv"], &MARKET);
    let output = run(&at, &estimate);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("8 rows are left out, 2 are computed with"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("fleet of 2"));
    let (_, chinese) = told(&at, &with(&estimate, &["--language", "zh", "--failed", "zh.csv"]));
    assert!(chinese.contains("8 行未计入") && chinese.contains("zh.csv"), "{chinese}");
    // Many kinds are shown in part, and are all in the CSV.
    let kinds: String = (0..60).map(|at| format!("{},3300\n", 100 + at)).collect();
    fs::write(at.path().join("many.csv"), format!("hashrate,power\n{kinds}")).unwrap();
    assert!(said(&at, &with(&["fleet", "estimate", "many.csv"], &MARKET)).contains("… 30"));
    assert_eq!(said(&at, &with(&["fleet", "estimate", "many.csv", "-o", "csv"], &MARKET)).lines().count(), 61);
    let curtail = ["fleet", "curtail", "many.csv", "--revenue", "46.44", "--sample"];
    assert!(said(&at, &curtail).contains("… 40"));
    assert_eq!(said(&at, &with(&curtail, &["-o", "csv"])).lines().count(), 61);
}

#[test]
fn curtailment_is_tried_on_the_user_s_prices_and_on_a_labelled_sample() {
    let at = TempDir::new().unwrap();
    fs::write(at.path().join("fleet.csv"), said(&at, &["fleet", "template"])).unwrap();
    fs::write(at.path().join("prices.csv"), said(&at, &["fleet", "sample-prices"])).unwrap();
    let base = ["fleet", "curtail", "fleet.csv"];
    let revenue = with(&base, &["--revenue", "46.44"]);
    let sample = said(&at, &with(&revenue, &["--sample", "--html", "c.html"]));
    assert!(sample.starts_with("The prices are synthetic"), "{sample}");
    assert!(fs::read_to_string(at.path().join("c.html")).unwrap().contains("The prices are synthetic"));
    let own = said(&at, &with(&revenue, &["--prices", "prices.csv"]));
    assert!(!own.contains("synthetic") && own.contains("perfect foresight"), "{own}");
    let figures =
        |text: &str| text.lines().filter(|line| line.contains("profit,")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(figures(&sample), figures(&own));
    let market = ["--price", "92817", "--difficulty", "109e12", "--pool-fee", "0.01", "--sample", "-o", "json"];
    assert!(said(&at, &with(&base, &market)).contains("\"usd_per_petahash_day\": \"5"));
    let rows =
        "time,usd_per_mwh\n2026-10-25 01:00,50\n2026-10-25 02:00,50\n2026-10-25 02:00,500\n2026-10-25 03:00,50\n";
    fs::write(at.path().join("local.csv"), rows).unwrap();
    fs::write(at.path().join("profiles.csv"), "model,terahash_per_second,watts\nAntminer S21,150,2400\n").unwrap();
    let local = ["--prices", "local.csv", "--zone", "Europe/Berlin", "--profiles", "profiles.csv", "--language", "zh"];
    assert!(said(&at, &with(&revenue, &local)).contains("按规则停机盈利"));
}

#[test]
fn records_replay_and_versions_are_compared() {
    let at = TempDir::new().unwrap();
    fs::create_dir(at.path().join("day")).unwrap();
    fs::write(at.path().join("fleet.csv"), said(&at, &["fleet", "template"])).unwrap();
    let record = ["--record", "day/one.jsonl"];
    said(&at, &with(&with(&["estimate", "--model", "S21 200T"], &MARKET), &record));
    let project =
        with(&with(&["project", "--model", "S21 200T", "--height", "925000", "--days", "40"], &MARKET), &record);
    let page = ["--html", "cash.html", "--capex", "100", "--depreciation", "macrs", "--start", "2026-11-23"];
    assert!(said(&at, &with(&project, &page)).contains("MACRS"));
    assert!(fs::read_to_string(at.path().join("cash.html")).unwrap().contains("paid back on day"));
    assert_eq!(said(&at, &with(&project, &["-o", "csv", "--depreciation", "4"])).lines().count(), 41);
    said(&at, &with(&with(&["fleet", "estimate", "fleet.csv"], &MARKET), &record));
    said(&at, &["fleet", "heatmap", "fleet.csv", "--usd-per-kwh", "0.06", "--record", "day/two.jsonl"]);
    said(&at, &["fleet", "curtail", "fleet.csv", "--revenue", "46.44", "--sample", "--record", "day/two.jsonl"]);
    assert_eq!(said(&at, &["replay", "day"]), "6 of 6 records replay byte for byte\n");
    assert!(said(&at, &["replay", "day", "--threads", "1", "--language", "zh"]).contains("6 条逐字节一致"));
    let printed = said(&at, &["replay", "day", "--print"]);
    let kept = ["day/one.jsonl", "day/two.jsonl"].map(|name| fs::read_to_string(at.path().join(name)).unwrap());
    assert_eq!(printed, kept.concat());
    let program = env!("CARGO_BIN_EXE_hashinsight");
    let compared = said(&at, &["replay", "day", "--baseline", program]);
    assert!(compared.contains("6 of 6 records agree within 0.1 %"), "{compared}");
    tampered(&at, &kept[0]);
    versions(&at, &kept[0]);
}

fn tampered(at: &TempDir, records: &str) {
    let bad = records.replacen("\"watts\":\"3500\"", "\"watts\":\"3499\"", 1);
    fs::write(at.path().join("bad.jsonl"), &bad).unwrap();
    let output = run(at, &["replay", "bad.jsonl"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stdout);
    assert!(said.contains("bad.jsonl:1: changed after it was written") && said.contains("3 of 4"), "{said}");
    assert_eq!(told(at, &["replay", "bad.jsonl", "--print"]).0, 1);
    fs::write(at.path().join("no.jsonl"), "hello\n\n".repeat(25)).unwrap();
    let output = run(at, &["replay", "no.jsonl"]);
    assert!(output.status.code() == Some(2) && text(&output.stdout).contains("… 5"), "{}", text(&output.stdout));
    fs::write(at.path().join("empty.jsonl"), "").unwrap();
    assert_eq!(told(at, &["replay", "empty.jsonl"]).0, 2, "nothing is proven by nothing");
}

/// Against programs that stand for other versions: one that computes something
/// else, one that stops, one that fails, one that is not there.
fn versions(at: &TempDir, records: &str) {
    let other = records.replace("\"profit_usd_per_day\":\"5.", "\"profit_usd_per_day\":\"6.");
    assert_ne!(other, records);
    fs::write(at.path().join("other.jsonl"), other).unwrap();
    fs::write(at.path().join("one.jsonl"), records).unwrap();
    let script = |name: &str, body: &str| {
        let path = at.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    };
    let against = |path: &Path| run(at, &["replay", "one.jsonl", "--baseline", path.to_str().unwrap()]);
    let differs = against(&script("differs", "/bin/cat other.jsonl"));
    let said = text(&differs.stdout);
    assert!(differs.status.code() == Some(1) && said.contains("answer.estimate.profit_usd_per_day"), "{said}");
    let stops = against(&script("stops", "/bin/head -n 1 one.jsonl"));
    assert!(stops.status.code() == Some(2) && text(&stops.stderr).contains("stopped before the last"));
    let mixed = format!("hello\n{records}");
    fs::write(at.path().join("one.jsonl"), mixed).unwrap();
    let same = against(&script("same", &format!("{} replay --print \"$3\"", env!("CARGO_BIN_EXE_hashinsight"))));
    let said = text(&same.stdout);
    assert!(said.contains("one.jsonl:1: not a record") && said.contains("4 of 5"), "{said} {}", text(&same.stderr));
    assert_eq!(told(at, &["replay", "one.jsonl", "--print"]).0, 2);
    let fails = against(&script("fails", "/bin/cat one.jsonl; exit 1"));
    assert!(fails.status.code() == Some(2) && text(&fails.stderr).contains("exit status: 1"));
    assert_eq!(against(Path::new("./none")).status.code(), Some(2));
}
