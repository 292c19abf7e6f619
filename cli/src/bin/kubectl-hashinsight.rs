//! `kubectl hashinsight`: the same program under the name kubectl looks for.

fn main() -> std::process::ExitCode {
    hashinsight::main()
}
