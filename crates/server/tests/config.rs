//! The configuration: what is read, what is refused, and what the operator is told.

use std::path::{Path, PathBuf};

use parvis_accounts::BackChannelLogout;
use parvis_policy::federation::FederationMode;
use parvis_server::config::{
    ByteSize, Loaded, Origin, RegistrationConfig, Settings, Sources, SqliteSynchronous, StorageConfig, load,
};
use serde_json::Value;

/// A configuration file that is gone after the test.
struct File(tempfile::TempDir);

impl File {
    fn with(text: &str) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        std::fs::write(file.path(), text).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("parvis.toml")
    }
}

fn variables(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn from_file(text: &str) -> Result<Loaded, String> {
    let file = File::with(text);
    let name = file.path().display().to_string();
    let sources = Sources { file: Some(file.path()), environment: Vec::new() };
    load(&sources).map_err(|error| error.to_string().replace(&name, "parvis.toml"))
}

fn from_environment(environment: &[(&str, &str)]) -> Result<Loaded, String> {
    let sources = Sources { file: None, environment: variables(environment) };
    load(&sources).map_err(|error| error.to_string())
}

/// All that is said against this file, a problem a line.
fn problems(text: &str) -> Vec<String> {
    let message = from_file(text).unwrap_err();
    message.lines().skip(1).map(|line| line.trim().to_owned()).collect()
}

/// The smallest configuration of an organisation with a public name.
const PUBLIC: &str = r#"
    server.name = "example.org"
    storage.sqlite.path = "/var/lib/parvis/parvis.db"
    media.directory = "/var/lib/parvis/media"
"#;

fn problems_of_public(more: &str) -> Vec<String> {
    problems(&format!("{PUBLIC}\n{more}"))
}

#[test]
fn nothing_configured_is_a_development_organisation_on_loopback() {
    let config = from_environment(&[]).unwrap().config;
    assert_eq!(config.process.client_address, Some("127.0.0.1:8008".parse().unwrap()));
    assert_eq!(config.process.metrics_address, None);
    let [organisation] = &config.organisations[..] else { panic!("one organisation") };
    assert!(organisation.development);
    assert_eq!(organisation.server_name, "localhost");
    assert_eq!(organisation.discovery.public_base_url, "http://localhost:8008");
    assert_eq!(organisation.registration, RegistrationConfig::Closed);
    assert_eq!(organisation.media.directory, Path::new("data/media"));
    let path = PathBuf::from("data/parvis.db");
    let synchronous = SqliteSynchronous::Full;
    assert_eq!(organisation.storage, StorageConfig::Sqlite { path, readers: 4, synchronous });
}

#[test]
fn public_organisation_must_say_where_its_data_is() {
    let problems = problems(r#"server.name = "example.org""#);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("`storage.sqlite.path`: must be set"), "{problems:?}");
    assert!(problems[1].contains("`media.directory`: must be set"), "{problems:?}");
}

#[test]
fn public_organisation_answers_to_its_names_and_no_others() {
    let text = format!(
        "{PUBLIC}\nserver.public_base_url = \"https://Matrix.example.org:8443/\"\n\
         server.host_names = [\"chat.example.org\"]"
    );
    let loaded = from_file(&text).unwrap();
    let organisation = &loaded.config.organisations[0];
    assert!(!organisation.development);
    assert_eq!(organisation.host_names, ["example.org", "matrix.example.org", "chat.example.org"]);
    assert_eq!(organisation.discovery.public_base_url, "https://Matrix.example.org:8443");
}

#[test]
fn environment_overrules_the_file_and_the_file_the_defaults() {
    let file = File::with("[listeners]\nclient = \"127.0.0.1:1\"\nmetrics = \"127.0.0.1:2\"");
    let environment = variables(&[
        ("PARVIS_LISTENERS__CLIENT", "[::1]:3"),
        ("PARVIS_RATE_LIMITS__LOGIN__PER_SECOND", "7"),
        ("PARVIS_ROOMS__DEFAULT_VERSION", "11"),
        ("PARVIS_ROOMS__JOIN_OLD_VERSIONS", "true"),
        ("PARVIS_SERVER__HOST_NAMES", r#"["a.example", "b.example"]"#),
        ("PARVIS_ENCRYPTION__PUBLIC", "forbidden"),
        ("PARVIS_ACCOUNTS__PASSWORD_NEEDS_DIGIT", "true"),
        ("PARVIS_CONFIG", "what the command line takes for itself"),
        ("PARVIS_TEST_POSTGRES", "what the test suites take for themselves"),
        ("HOME", "/root"),
    ]);
    let loaded = load(&Sources { file: Some(file.path()), environment }).unwrap();
    let config = &loaded.config;
    assert_eq!(config.process.client_address, Some("[::1]:3".parse().unwrap()));
    assert_eq!(config.process.metrics_address, Some("127.0.0.1:2".parse().unwrap()));
    assert_eq!(config.organisations[0].rate_limits.login.per_second, 7.0);
    assert_eq!(config.organisations[0].rate_limits.login.burst, 20);
    assert_eq!(config.organisations[0].rooms.default_version.as_str(), "11");
    assert!(config.organisations[0].rooms.join_old_versions, "which is off where nothing is said");
    assert_eq!(config.organisations[0].host_names, ["localhost", "a.example", "b.example", "*"]);
    assert!(config.organisations[0].accounts.password_needs_digit);

    let origin = |key: &str| loaded.origins[key].clone();
    assert_eq!(origin("listeners.client"), Origin::Environment("PARVIS_LISTENERS__CLIENT".to_owned()));
    assert_eq!(origin("listeners.metrics"), Origin::File(file.path()));
    assert_eq!(origin("listeners.tls"), Origin::Default);
}

#[test]
fn unknown_key_is_refused_with_file_key_and_nearest_key() {
    assert_eq!(
        problems("[registration]\nmod = \"open\""),
        ["parvis.toml: `registration.mod`: there is no such key; did you mean `registration.mode`?"]
    );
    let nearest = |key: &str| {
        let problem = problems(&format!("{key} = 1")).remove(0);
        problem.split("did you mean `").nth(1).map(|rest| rest.split('`').next().unwrap().to_owned())
    };
    assert_eq!(nearest("server_name").as_deref(), Some("server.name"));
    assert_eq!(nearest("registraton.mode").as_deref(), Some("registration"));
    assert_eq!(nearest("storage.path").as_deref(), Some("storage.sqlite.path"));
    assert_eq!(nearest("storage.max_upload_size").as_deref(), Some("media.max_upload_size"));
    assert_eq!(nearest("rate_limits.logins.burst").as_deref(), Some("rate_limits.login"));
    assert_eq!(nearest("xyzzy"), None);
}

#[test]
fn all_unknown_keys_are_told_at_once() {
    let problems = problems("[storage.sqlite]\npth = \"a\"\n[serve]\nname = \"b\"");
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("parvis.toml: `serve`: there is no such key; did you mean `server`"));
    assert!(problems[1].contains("did you mean `storage.sqlite.path`?"));
}

#[test]
fn unknown_variable_of_the_environment_is_refused_by_its_name() {
    let message = from_environment(&[("PARVIS_REGISTRATION__MOD", "open")]).unwrap_err();
    assert!(
        message.contains(
            "environment variable PARVIS_REGISTRATION__MOD: `registration.mod`: there is no such key; \
             did you mean `registration.mode`?"
        ),
        "{message}"
    );
}

#[test]
fn wrong_type_is_refused_with_file_key_and_reason() {
    for (text, told) in [
        ("server.name = 5", "`server.name`: expected a string, found the number `5`"),
        ("listeners = 5", "`listeners`: expected a section, found the number `5`"),
        ("listeners.client = \"8008\"", "`listeners.client`: `8008` is not an address"),
        ("media.max_upload_size = \"5 MB\"", "`media.max_upload_size`: `5 MB` is not a size"),
        ("limits.max_sync_wait = 30", "`limits.max_sync_wait`: `30` is not a length of time"),
        (
            "presence.mode = \"lokal\"",
            "`presence.mode`: `lokal` is none of off, local, on; did you mean `local`?",
        ),
        (
            "encryption.private = \"never\"",
            "`encryption.private`: `never` is none of off, client, on, required",
        ),
        ("rate_limits.joins.burst = -1", "`rate_limits.joins.burst`: "),
        ("listeners.trusted_proxies = [\"here\"]", "`listeners.trusted_proxies`: `here` is not an address"),
        (
            "well_known.support_contacts = [{ role = \"m.role.admin\", e_mail = \"1\" }]",
            "`well_known.support_contacts.e_mail`: there is no such key; did you mean `email_address`?",
        ),
    ] {
        let problems = problems(text);
        assert!(problems[0].starts_with("parvis.toml: "), "{problems:?}");
        assert!(problems[0].contains(told), "{problems:?} should say {told}");
    }
}

#[test]
fn file_that_is_not_there_or_not_toml_is_refused() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/parvis.toml")), environment: Vec::new() };
    let message = load(&sources).unwrap_err().to_string();
    assert!(message.contains("/nowhere/parvis.toml: cannot be read"), "{message}");
    assert!(problems("server = {")[0].contains("parvis.toml: is not TOML"));
}

#[test]
fn open_registration_needs_its_second_key() {
    let told = problems_of_public("registration.mode = \"open\"");
    assert!(told[0].contains("`registration.mode`: \"open\" lets anyone"), "{told:?}");
    let told = problems_of_public("registration.anyone_may_register_without_token = true");
    assert!(told[0].contains("contradicts registration.mode"), "{told:?}");

    let both = "[registration]\nmode = \"open\"\nanyone_may_register_without_token = true";
    let config = from_file(both).unwrap().config;
    assert_eq!(config.organisations[0].registration, RegistrationConfig::Open);
}

#[test]
fn registration_by_token_takes_tokens_and_others_have_no_use_for_one() {
    let told = problems("[registration]\nmode = \"token\"\ntokens = [\"\"]");
    assert!(told[0].contains("`registration.tokens`: a token has 1 to 64"), "{told:?}");
    // Administrators give out tokens too.
    let config = from_file("registration.mode = \"token\"").unwrap().config;
    assert_eq!(config.organisations[0].registration, RegistrationConfig::Token(Vec::new()));
    let told = problems("registration.tokens = [\"a\"]");
    assert!(told[0].contains("`registration.tokens`: have no effect"), "{told:?}");
    let config = from_file("[registration]\nmode = \"token\"\ntokens = [\"a\"]").unwrap().config;
    assert_eq!(config.organisations[0].registration, RegistrationConfig::Token(vec!["a".into()]));
}

#[test]
fn terms_name_documents_at_urls() {
    let terms = |fields: &str| problems(&format!("[[registration.terms]]\n{fields}"));
    let document = r#"documents = [{ language = "en", title = "Privacy", url = "https://example.org" }]"#;
    for (fields, told) in [
        (format!("name = \"a b\"\nversion = \"1\"\n{document}"), "a name is made of"),
        (format!("name = \"a\"\nversion = \"\"\n{document}"), "terms need a version"),
        ("name = \"a\"\nversion = \"1\"\ndocuments = []".to_owned(), "terms need a document"),
        (
            format!("name = \"a\"\nversion = \"1\"\n{}", document.replace("https", "ftp")),
            "a document is at a URL",
        ),
        (
            format!("name = \"a\"\nversion = \"1\"\n{}", document.replace("\"en\"", "\"\"")),
            "the code of its language",
        ),
    ] {
        let problems = terms(&fields);
        assert!(problems[0].contains(told), "{problems:?}");
    }
}

#[test]
fn calls_need_relays_and_what_to_say_to_them() {
    for (settings, problem) in [
        ("turn_secret = \"s\"", "`calls.turn_uris`: must name the relays"),
        ("turn_uris = [\"turn:t.example\"]", "`calls.turn_secret`: relays want either"),
        (
            "turn_uris = [\"turn:t.example\"]\nturn_username = \"u\"",
            "`calls.turn_secret`: relays want either",
        ),
        ("turn_uris = [\"t.example\"]\nturn_secret = \"s\"", "`calls.turn_uris`: each is like"),
        ("livekit_service_url = \"rtc.example\"", "`calls.livekit_service_url`: must be a URL"),
    ] {
        let problems = problems_of_public(&format!("[calls]\n{settings}"));
        assert_eq!(problems.len(), 1, "{settings}: {problems:?}");
        assert!(problems[0].contains(problem), "{settings}: {problems:?}");
    }
}

#[test]
fn mail_needs_a_sender_and_keeps_its_password_private() {
    let mail = |more: &str| problems(&format!("[mail]\nhost = \"smtp.example.org\"\n{more}"));
    assert!(mail("")[0].contains("`mail.from`: must be an address"), "{:?}", mail(""));
    let from = "from = \"Chat <chat@example.org>\"";
    for (more, told) in [
        ("from = \"chat\"".to_owned(), "`mail.from`"),
        (format!("{from}\nusername = \"a\""), "`mail.password`: name and password"),
        (format!("{from}\nusername = \"a\"\npassword = \"b\"\nsecurity = \"none\""), "`mail.security`"),
        (format!("{from}\ndefault_language = \"nl\""), "`mail.default_language`"),
    ] {
        assert!(mail(&more)[0].contains(told), "{:?}", mail(&more));
    }
    let told = problems("registration.mail_address = \"required\"");
    assert!(told[0].contains("needs a mail server"), "{told:?}");
    let config = from_file(&format!("[mail]\nhost = \"smtp.example.org\"\n{from}")).unwrap().config;
    assert_eq!(config.organisations[0].mail.as_ref().unwrap().settings.port, 465);
}

#[test]
fn contradictory_settings_are_refused() {
    for (text, told) in [
        ("rooms.default_version = \"5\"", "`rooms.default_version`: `5` is not a room version"),
        (
            "rooms.allowed_versions = [\"11\"]",
            "`rooms.default_version`: is not one of rooms.allowed_versions",
        ),
        ("listeners.tls = \"127.0.0.1:8448\"", "`listeners.tls_certificate_file`: must be set"),
        ("listeners.tls_key_file = \"key.pem\"", "`listeners.tls_key_file`: has no effect"),
        ("listeners.client = \"off\"", "nobody could connect"),
        ("listeners.metrics = \"127.0.0.1:8008\"", "`listeners.metrics`: another listener has this address"),
        ("storage.postgres.url = \"postgres://x\"", "`storage.postgres.url`: contradicts storage.engine"),
        ("storage.sqlite.readers = 0", "`storage.sqlite.readers`: must be 1 at least"),
        ("rate_limits.login.burst = 0", "`rate_limits.login.burst`: must be 1 at least"),
        ("rate_limits.login.per_second = -1.0", "`rate_limits.login.per_second`: must be 0"),
        ("limits.max_request_size = \"1 KiB\"", "`limits.max_request_size`: must be 128 KiB at least"),
        ("limits.max_sync_wait = \"10m\"", "`limits.max_sync_wait`: must be 5m at most"),
        ("accounts.refresh_token_lifetime = \"30m\"", "`accounts.refresh_token_lifetime`: must be longer"),
        ("server.public_base_url = \"matrix.example.org\"", "`server.public_base_url`: must be a URL"),
        ("server.host_names = [\"a b\"]", "`server.host_names`: `a b` is not a host name"),
        ("listeners.federation = \"0.0.0.0:8448\"", "must be set, since listeners.federation is an address"),
        ("federation.mode = \"partners\"", "`federation.partners`: must name a server at least"),
        ("federation.partners = [\"a.example\"]", "`federation.partners`: have no effect"),
        ("federation.denied = [\"a b\"]", "`federation.denied`: `a b` is not a server name"),
        ("federation.trusted_notaries = [\"*\"]", "`federation.trusted_notaries`: `*` is not a server name"),
        ("federation.allowed_private_ranges = [\"10.0.0.0/40\"]", "is not an address or a range"),
        ("federation.extra_root_certificates = [\"none.pem\"]", "there is no such file: none.pem"),
        ("federation.connect_timeout = \"0\"", "`federation.connect_timeout`: must be more than 0"),
        ("logging.level = \"=x=\"", "`logging.level`: `=x=` is not a level or filter"),
        ("well_known.support_contacts = [{ role = \"m.role.admin\" }]", "a contact needs a matrix_id"),
    ] {
        let problems = problems_of_public(text);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{problems:?} should say {told}");
    }
}

#[test]
fn federation_is_open_unless_the_server_is_for_development() {
    let mode = |text: &str| from_file(text).unwrap().config.organisations[0].federation.rules.mode;
    assert_eq!(mode(PUBLIC), FederationMode::Open);
    assert_eq!(mode(""), FederationMode::Off);
    assert_eq!(mode("federation.mode = \"open\""), FederationMode::Open);
    assert_eq!(mode(&format!("{PUBLIC}\nfederation.mode = \"off\"")), FederationMode::Off);
}

#[test]
fn server_name_must_be_one() {
    let problems = problems(&PUBLIC.replace("example.org", "exa mple"));
    assert!(problems[0].contains("`server.name`: is not a server name"), "{problems:?}");
}

#[test]
fn postgres_is_configured_with_a_url() {
    let text = r#"
        server.name = "example.org"
        media.directory = "/var/lib/parvis/media"
        storage.engine = "postgres"
    "#;
    assert!(problems(text)[0].contains("`storage.postgres.url`: must be set"));
    let with_url = format!("{text}\nstorage.postgres.url = \"postgres://parvis:word@db/parvis\"");
    let config = from_file(&with_url).unwrap().config;
    let url = "postgres://parvis:word@db/parvis".into();
    assert_eq!(config.organisations[0].storage, StorageConfig::Postgres { url, connections: 16 });
}

#[test]
fn shown_configuration_names_origins_and_masks_secrets() {
    let text = r#"
        server.name = "example.org"
        media = { directory = "media", max_upload_size = "1 GiB" }
        storage.engine = "postgres"
        storage.postgres.url = "postgres://parvis:hunter2@db/parvis"
        registration = { mode = "token", tokens = ["hunter2"] }
    "#;
    let file = File::with(text);
    let loaded = load(&Sources { file: Some(file.path()), environment: Vec::new() }).unwrap();
    let shown = loaded.show();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(!format!("{loaded:?}").contains("hunter2"));
    let origin = file.path().display().to_string();
    for line in [
        "[storage.postgres]".to_owned(),
        format!("url = \"(secret)\"  # {origin}"),
        format!("tokens = [\"(secret)\"]  # {origin}"),
        format!("max_upload_size = \"1 GiB\"  # {origin}"),
        "readers = 4  # default".to_owned(),
        "# path is not set".to_owned(),
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line} in {shown}");
    }
    shown.parse::<toml::Table>().expect("what is shown is TOML");
}

/// Tests run in the directory of their package.
const EXAMPLE: &str = "../../config/parvis.example.toml";

#[test]
fn example_says_what_the_defaults_are() {
    let sources = Sources { file: Some(PathBuf::from(EXAMPLE)), environment: Vec::new() };
    let loaded = load(&sources).unwrap();
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.settings.media.max_upload_size, ByteSize::mebibytes(50));
}

#[test]
fn every_key_occurs_in_the_example() {
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    let mut documented = Vec::new();
    let mut section = String::new();
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            documented.push(format!("{section}.{key}"));
        }
    }
    let mut keys = Vec::new();
    collect("", &serde_json::to_value(Settings::default()).unwrap(), &mut keys);
    assert!(keys.len() > 50);
    for key in keys {
        assert!(documented.contains(&key), "{key} is not in the example");
    }
}

fn collect(path: &str, value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(section) => section.iter().for_each(|(key, value)| {
            let key = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            collect(&key, value, keys);
        }),
        _ => keys.push(path.to_owned()),
    }
}

#[test]
fn settings_that_are_not_set_in_the_example_can_be_set_as_it_shows() {
    let example = std::fs::read_to_string(EXAMPLE).unwrap();
    let set = example.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.split_once(" = ").is_some_and(|(key, _)| is_a_key(key)) => rest,
        _ => line,
    });
    let settings: Settings = toml::from_str(&set.collect::<Vec<_>>().join("\n")).unwrap();
    assert_eq!(settings.server.public_base_url.as_deref(), Some("https://matrix.example.org"));
    assert_eq!(settings.well_known.support_page.as_deref(), Some("https://help.example.org"));
    assert!(settings.storage.postgres.url.is_some() && settings.media.directory.is_some());
}

fn is_a_key(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

#[test]
fn registrations_of_application_services_are_read_from_files_and_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    let registration = |id: &str| {
        format!(
            "id: {id}\nurl: null\nas_token: {id}1\nhs_token: h\nsender_localpart: {id}\nnamespaces: {{}}\n"
        )
    };
    write("b.yaml", &registration("b"));
    write("a.yml", &registration("a"));
    write("notes.txt", "no registration");
    let place = directory.path().display().to_string();
    let settings = format!("application_services.registration_directory = {place:?}");
    let services = from_file(&settings).unwrap().config.organisations.remove(0).application_services;
    assert_eq!(services.iter().map(|service| service.id()).collect::<Vec<_>>(), ["a", "b"]);

    write("c.yaml", &registration("c").replace("hs_token: h\n", ""));
    let file = directory.path().join("b.yaml").display().to_string();
    let both = format!("{settings}\napplication_services.registration_files = [{file:?}, \"/nowhere.yaml\"]");
    let problems = problems(&both);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("registration_files`: /nowhere.yaml: cannot be read"), "{problems:?}");
    assert!(problems[1].contains("c.yaml: ") && problems[1].contains("hs_token"), "{problems:?}");

    std::fs::remove_file(directory.path().join("c.yaml")).unwrap();
    let twice = format!("{settings}\napplication_services.registration_files = [{file:?}]");
    let problems = self::problems(&twice);
    assert!(problems[0].contains("two services are called `b`"), "{problems:?}");
}

#[test]
fn signing_in_with_the_browser_needs_https() {
    let insecure = "server.public_base_url = \"http://matrix.example.org\"\nsign_on.enabled = true";
    let problems = problems_of_public(insecure);
    assert!(problems[0].contains("`sign_on.enabled`: needs server.public_base_url"), "{problems:?}");
    let secure = from_file(&format!("{PUBLIC}\nsign_on.enabled = true")).unwrap();
    let sign_on = secure.config.organisations[0].sign_on.clone().unwrap();
    assert_eq!(sign_on.organisation, "example.org");
    assert!(!sign_on.registration && sign_on.passwords_in_apps);
    assert!(from_file(PUBLIC).unwrap().config.organisations[0].sign_on.is_none());
}

#[test]
fn how_pages_look_is_judged() {
    for (text, told) in [
        ("sign_on.accent_colour = \"red\"", "`sign_on.accent_colour`: is a colour"),
        ("sign_on.default_language = \"nl\"", "`sign_on.default_language`: is \"en\""),
        ("sign_on.logo_file = \"/nowhere/logo.png\"", "`sign_on.logo_file`: cannot be read"),
        ("sign_on.logo_file = \"/etc/passwd\"", "`sign_on.logo_file`: is a picture"),
        ("sign_on.passwords_in_apps = false", "`sign_on.passwords_in_apps`: nobody could sign in"),
    ] {
        let problems = problems_of_public(text);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{problems:?} should say {told}");
    }
}

#[test]
fn identity_providers_are_judged() {
    let provider = |more: &str| {
        format!(
            "[[sign_on.providers]]\nid = \"company\"\nname = \"Company\"\nissuer = \"https://idp.example.org\"\n\
             client_id = \"parvis\"\n{more}\n[sign_on]\nenabled = true"
        )
    };
    let plain = from_file(&format!("{PUBLIC}\n{}", provider(""))).unwrap();
    let known = &plain.config.organisations[0].providers[0];
    assert_eq!((known.groups_claim.as_str(), known.required_groups.len()), ("groups", 0));
    assert_eq!(known.back_channel_logout, BackChannelLogout::Devices);
    let more = "groups_claim = \"roles\"\nrequired_groups = [\"chat\"]\nback_channel_logout = \"browsers\"";
    let strict = from_file(&format!("{PUBLIC}\n{}", provider(more))).unwrap();
    let known = &strict.config.organisations[0].providers[0];
    assert_eq!(
        (known.groups_claim.as_str(), known.required_groups.as_slice()),
        ("roles", &["chat".to_owned()][..])
    );
    assert_eq!(known.back_channel_logout, BackChannelLogout::Browsers);
    for (more, told) in [
        ("required_groups = [\"\"]", "a group and the claim of groups have a name"),
        ("groups_claim = \"\"", "a group and the claim of groups have a name"),
        ("scopes = \"profile\"", "the scopes must name openid"),
        ("issuer = \"http://idp.example.org\"", "an issuer is a URL that begins with https://"),
    ] {
        let key = more.split(' ').next().unwrap();
        let mut text: String =
            provider("").lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
        text = text.replace("\n[sign_on]", &format!("\n{more}\n[sign_on]"));
        let problems = problems_of_public(&text);
        assert!(problems.iter().any(|problem| problem.contains(told)), "{problems:?} should say {told}");
    }
    let sign_on = plain.config.organisations[0].sign_on.clone().unwrap();
    assert!(sign_on.qr_codes);
}
