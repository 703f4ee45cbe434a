//! The binary: parses the command line, starts the runtime, maps errors to exit codes; nothing else.

fn main() {}
