//! The `zoobreak` command.

fn main() -> std::process::ExitCode {
    zoobreak::main()
}
