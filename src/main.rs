//! The `zipkind` binary.

fn main() {}
