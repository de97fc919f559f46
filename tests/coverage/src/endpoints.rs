//! What is answered, as the routers' own lists say.

use std::path::Path;

use parvis_wire::Description;

/// The endpoints that do nothing here but refuse: phone numbers and identity servers are not spoken with, rooms of the
/// versions 1 and 2 are not to be had, and questions that nobody has defined are not understood.
pub const ONLY_REFUSE: [&str; 6] = [
    "POST /_matrix/client/v3/account/3pid/bind",
    "POST /_matrix/client/v3/account/3pid/msisdn/requestToken",
    "POST /_matrix/client/v3/account/password/msisdn/requestToken",
    "POST /_matrix/client/v3/register/msisdn/requestToken",
    "PUT /_matrix/federation/v1/invite/{room_id}/{event_id}",
    "GET /_matrix/federation/v1/query/{query_type}",
];

/// Which API an endpoint belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// Clients.
    Client,
    /// Other servers.
    Federation,
    /// Administrators.
    Administration,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Client, Self::Federation, Self::Administration];

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::Client => "Client-server API",
            Self::Federation => "Server-server API",
            Self::Administration => "Administration API",
        }
    }

    /// The folder of its crate.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Client => "crates/client-api",
            Self::Federation => "crates/federation-api",
            Self::Administration => "crates/admin-api",
        }
    }

    fn endpoints(self) -> Vec<Description> {
        match self {
            Self::Client => parvis_client_api::endpoints(),
            Self::Federation => parvis_federation_api::endpoints(),
            Self::Administration => parvis_admin_api::endpoints(),
        }
    }
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose.
    pub api: Api,
    /// Its method.
    pub method: String,
    /// The path by which it is known: of its stable ones the newest.
    pub path: String,
    /// Its other paths.
    pub others: Vec<String>,
    /// Where it is handled: a file in the workspace.
    pub file: String,
    /// The words of the handler's place and of the path, by which a test of it may be called.
    pub words: Vec<String>,
}

impl Endpoint {
    /// Whether a request is one for this endpoint.
    pub fn is_meant(&self, method: &str, path: &str) -> bool {
        self.method == method && self.paths().any(|template| fits(template, path))
    }

    /// Whether a request is for a path that has no variables where the request has names.
    pub fn is_named(&self, path: &str) -> bool {
        self.paths().any(|template| template == path)
    }

    /// Whether the specification has it, in its released form.
    pub fn is_stable(&self) -> bool {
        !self.path.contains("/unstable/") && !self.path.contains("/_parvis/")
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.path).chain(&self.others).map(String::as_str)
    }
}

/// All endpoints, in order of API, path and method.
pub fn all(workspace: &Path) -> Vec<Endpoint> {
    let of_api = |api: Api| api.endpoints().into_iter().map(move |one| endpoint(workspace, api, one));
    let mut all: Vec<Endpoint> = Api::ALL.into_iter().flat_map(of_api).collect();
    let order = |one: &Endpoint| (one.api, !one.is_stable(), one.path.clone(), one.method.clone());
    all.sort_by_key(order);
    all
}

fn endpoint(workspace: &Path, api: Api, described: Description) -> Endpoint {
    let Description { method, mut paths, handler } = described;
    // Of the same path with and without a slash at its end, the one stands that comes first.
    paths.sort_by_key(|path| std::cmp::Reverse(age(path)));
    let path = paths.remove(0);
    let modules: Vec<&str> = handler.split("::").skip(1).collect();
    let places = modules.iter().chain(&["tests"]).flat_map(|module| module.split('_'));
    let segments = path.split(['/', '.', '_']).filter(|segment| !segment.starts_with('{'));
    let words = places.chain(segments).filter(|word| is_telling(word)).map(str::to_owned).collect();
    Endpoint {
        api,
        method: method.to_string(),
        file: file_of(workspace, api, &modules),
        path,
        others: paths,
        words,
    }
}

/// Whether a word tells endpoints apart.
fn is_telling(word: &str) -> bool {
    word.len() > 3
        && !["endpoints", "handle", "matrix", "client", "tests", "unstable", "federation"].contains(&word)
}

/// The innermost module of a handler that has a file.
fn file_of(workspace: &Path, api: Api, modules: &[&str]) -> String {
    let candidates = (1..=modules.len()).rev().map(|count| {
        let module = modules.get(..count).unwrap_or(modules).join("/");
        format!("{}/src/{module}.rs", api.folder())
    });
    let mut candidates = candidates.filter(|file| workspace.join(file).is_file());
    candidates.next().unwrap_or_else(|| format!("{}/src/lib.rs", api.folder()))
}

/// How new a path's form is.
fn age(path: &str) -> u32 {
    let version = |segment: &str| segment.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok());
    let age = path.split('/').find_map(version).map_or(1, |version| version + 1);
    match path {
        path if path.contains("/unstable/") => 0,
        // The specification has given these paths up.
        path if path.starts_with("/_matrix/media/") => 1,
        _ => age + 1,
    }
}

/// Whether a path has this form. Variables are in braces.
fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (template.split('/'), path.split('/'));
    let same =
        |(form, segment): (&str, &str)| form.starts_with('{') && !segment.is_empty() || form == segment;
    template.clone().count() == path.clone().count() && template.zip(path).all(same)
}

#[cfg(test)]
mod tests {
    use super::{age, fits};

    #[test]
    fn variables_stand_for_one_segment() {
        assert!(fits("/v3/rooms/{room_id}/state/{type}/", "/v3/rooms/!a:b/state/m.room.name/"));
        assert!(!fits("/v3/rooms/{room_id}/state/{type}", "/v3/rooms/!a:b/state/m.room.name/key"));
        assert!(!fits("/v3/rooms/{room_id}/state", "/v3/rooms//state"));
    }

    #[test]
    fn newest_stable_form_of_a_path_is_its_name() {
        let mut paths = ["/_matrix/client/unstable/a/x", "/_matrix/client/r0/x", "/_matrix/client/v3/x"];
        paths.sort_by_key(|path| std::cmp::Reverse(age(path)));
        assert_eq!(paths[0], "/_matrix/client/v3/x");
    }
}
