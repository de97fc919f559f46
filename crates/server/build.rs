//! Links functions that are the same once: the compiler writes many of them anew for each crate that uses a generic one, and
//! they are a third of the program. For the platform on which the usual linker can do this.

use std::env;

#[expect(clippy::disallowed_methods, reason = "so Cargo tells a build script what is built")]
fn is(name: &str, value: &str) -> bool {
    env::var(name).is_ok_and(|found| found == value)
}

#[expect(clippy::print_stdout, reason = "so a build script tells Cargo what it wants")]
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if is("PROFILE", "release") && is("TARGET", "x86_64-unknown-linux-gnu") {
        println!("cargo::rustc-link-arg-bins=-Wl,--icf=all");
    }
}
