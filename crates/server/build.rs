//! What the linker is told of the program that is packaged.

#![expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts by the environment")]

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let of = |name| env::var(name).unwrap_or_default();
    // Of the profile cargo tells only whether it inherits from `release`; its own name stands in the path.
    let is_packaged = of("OUT_DIR").split('/').any(|part| part == "dist");
    if is_packaged && of("CARGO_CFG_TARGET_OS") == "linux" && of("CARGO_CFG_TARGET_ENV") == "gnu" {
        // What is corrected when the program is loaded is listed in bits instead of in 24 bytes each: a megabyte less of
        // file and of memory. Takes glibc 2.36, which Debian 12 has.
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
