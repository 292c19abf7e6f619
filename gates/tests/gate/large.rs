//! Evidence that is large, read in bounds. How long it takes is measured by
//! `make bench BENCH=gate`.

use std::fmt::Write as _;

use hashinsight_gates::evidence::{self, Facts};

#[test]
fn a_hundred_thousand_tests_and_a_large_bill() {
    let mut xml = String::from("<testsuites><testsuite name=\"s\" tests=\"100000\">");
    for number in 0..100_000 {
        write!(xml, "<testcase classname=\"c\" name=\"t{number}\"/>").unwrap();
    }
    xml.push_str("</testsuite></testsuites>");
    let Facts::Tests(tests) = evidence::read("t.xml", xml.as_bytes()).unwrap().facts else { panic!("no tests") };
    assert_eq!(tests.passed, 100_000);
    let component = |n: usize| format!("{{\"type\":\"library\",\"name\":\"c{n}\",\"version\":\"1.0\"}}");
    let components: Vec<String> = (0..50_000).map(component).collect();
    let bill =
        format!("{{\"bomFormat\":\"CycloneDX\",\"specVersion\":\"1.5\",\"components\":[{}]}}", components.join(","));
    let Facts::Bill(bill) = evidence::read("b.json", bill.as_bytes()).unwrap().facts else { panic!("no bill") };
    assert_eq!((bill.components, bill.names.len()), (50_000, 50_000));
}

#[test]
fn what_is_larger_than_is_read_is_refused() {
    let huge = vec![b' '; evidence::LARGEST + 1];
    let unread = evidence::read("huge.json", &huge).unwrap_err();
    assert!(unread.refusal.what.contains("at most"), "{:?}", unread.refusal);
}
