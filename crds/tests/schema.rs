//! x
#[test]
fn show() {
    for (name, text) in hashinsight_crds::schema::files().unwrap() {
        std::fs::write(format!("yaml/{name}"), text).unwrap();
    }
}
