//! x
fn main() {
    for o in hashinsight_operator::rbac::objects("hashinsight-system") { println!("---\n{}", serde_json::to_string(&o).unwrap()); }
}
