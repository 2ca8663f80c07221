//! Entry point: arguments in, exit code out.

fn main() -> std::process::ExitCode {
    sockguard::cli::main(std::env::args_os())
}
