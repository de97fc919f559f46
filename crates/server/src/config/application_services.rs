//! Reading the registration files of application services.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use parvis_application_services::{ApplicationServices, Registration};
use ruma::ServerName;

const FILES: &str = "application_services.registration_files";
const DIRECTORY: &str = "application_services.registration_directory";

/// Where the files are.
pub(super) struct RegistrationFiles<'a> {
    /// One by one.
    pub(super) files: &'a [PathBuf],
    /// A directory, of which those count that end in `.yaml` or `.yml`.
    pub(super) directory: Option<&'a Path>,
}

/// Reads the files. What is wrong is put into `problems`: the setting that leads there, and file and field in words.
pub(super) fn read(
    server_name: &ServerName,
    files: &RegistrationFiles<'_>,
    problems: &mut Vec<(&'static str, String)>,
) -> Option<ApplicationServices> {
    let mut paths: Vec<(&'static str, PathBuf)> =
        files.files.iter().map(|path| (FILES, path.clone())).collect();
    if let Some(directory) = files.directory {
        match in_directory(directory) {
            Ok(found) => paths.extend(found.into_iter().map(|path| (DIRECTORY, path))),
            Err(error) => {
                problems.push((DIRECTORY, format!("{} cannot be read: {error}", directory.display())))
            }
        }
    }
    let mut registrations = Vec::with_capacity(paths.len());
    let mut names: Vec<String> = Vec::with_capacity(paths.len());
    for (key, path) in &paths {
        match registration(path) {
            Ok(registration) => {
                registrations.push(registration);
                names.push(path.display().to_string());
            }
            Err(problem) => problems.push((key, format!("{}: {problem}", path.display()))),
        }
    }
    if !problems.is_empty() {
        return None;
    }
    let key = paths.first().map_or(FILES, |(key, _)| key);
    match ApplicationServices::new(server_name, registrations) {
        Ok(services) => Some(services),
        Err(conflict) => {
            problems.push((key, format!("{}: {conflict}", names.join(", "))));
            None
        }
    }
}

fn registration(path: &Path) -> Result<Registration, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    Registration::parse(&text).map_err(|error| error.to_string())
}

/// In the order of their names, so that it does not change from start to start.
fn in_directory(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is_yaml = path.extension().is_some_and(|end| end == "yaml" || end == "yml");
        if is_yaml && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
