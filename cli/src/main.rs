//! `hashinsight`.

fn main() -> std::process::ExitCode {
    hashinsight::main()
}
