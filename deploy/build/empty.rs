//! Stands for a crate while the image's layer of dependencies is built; the `Dockerfile` says how.

fn main() {}
