//! The image that Complement runs: a small Debian root, made once, and on it the server's program.
//!
//! Needs no registry of images: the root comes from Debian's packages and is kept as an archive.

use std::path::{Path, PathBuf};

use super::engine::Engine;
use crate::shell::{self, Failure, Outcome, Program};

/// What the suite is told to run.
const IMAGE: &str = "parvis-complement";

/// Builds the image around `program` and returns its name.
pub(super) fn build(engine: &Engine, program: &Path, base: Option<&str>) -> Outcome<String> {
    let base = match base {
        Some(base) => base.to_owned(),
        None => root_image(engine)?,
    };
    println!("building the image {IMAGE} on {base}");
    let context = tempfile::tempdir()?;
    let source = shell::workspace().join("complement/image");
    for entry in std::fs::read_dir(&source).map_err(Failure::at(&source))? {
        let path = entry.map_err(Failure::at(&source))?.path();
        let name = path.file_name().unwrap_or_default();
        std::fs::copy(&path, context.path().join(name)).map_err(Failure::at(&path))?;
    }
    let copy = context.path().join("parvis");
    std::fs::copy(program, &copy).map_err(Failure::at(program))?;
    // Smaller layers, if binutils are there; the program runs either way.
    let _ = Program::new("strip").argument(&copy).capture();
    engine
        .docker()
        .arguments(["build", "--quiet", "--tag", IMAGE, "--build-arg"])
        .argument(format!("BASE={base}"))
        .argument(context.path())
        .capture()?;
    // What the tag named before is of no use to anyone.
    let _ = engine.docker().arguments(["image", "prune", "--force"]).capture();
    Ok(IMAGE.to_owned())
}

/// The image that holds the Debian root, imported if the engine does not have it.
fn root_image(engine: &Engine) -> Outcome<String> {
    let suite = suite();
    let name = format!("parvis-root:{suite}");
    if engine.docker().arguments(["image", "inspect", &name]).capture().is_ok() {
        return Ok(name);
    }
    let archive = root_archive(&suite)?;
    println!("importing {} as {name}", archive.display());
    engine.docker().argument("import").arguments([archive.as_os_str(), name.as_ref()]).capture()?;
    Ok(name)
}

/// The archive of the Debian root, made if it is not in the cache.
fn root_archive(suite: &str) -> Outcome<PathBuf> {
    let archive = shell::cache()?.join(format!("root-{suite}.tar"));
    if archive.is_file() {
        return Ok(archive);
    }
    if shell::find("debootstrap").is_none() {
        shell::install(&["debootstrap"])?;
    }
    println!("making a root of Debian {suite}, once (some minutes)");
    let scratch = tempfile::tempdir_in(shell::cache()?)?;
    let root = scratch.path().join("root");
    let debootstrap =
        shell::find("debootstrap").ok_or_else(|| Failure::new("debootstrap is not installed"))?;
    Program::new(debootstrap)
        .arguments(["--variant=minbase", "--include=openssl,ca-certificates", suite])
        .argument(&root)
        .capture()?;
    let unfinished = scratch.path().join("root.tar");
    Program::new("tar")
        .arguments(["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*_*"])
        .arguments(["-C".as_ref(), root.as_os_str(), "-cf".as_ref(), unfinished.as_os_str(), ".".as_ref()])
        .capture()?;
    std::fs::rename(&unfinished, &archive).map_err(Failure::at(&archive))?;
    Ok(archive)
}

/// The Debian release of this machine, whose C library the program is linked with; else the stable one we know.
fn suite() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim_matches('"'));
    match (value("ID="), value("VERSION_CODENAME=")) {
        (Some("debian"), Some(name)) => name.to_owned(),
        _ => "bookworm".to_owned(),
    }
}
