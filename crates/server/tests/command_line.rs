//! The program as it is run.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::world::{get, post};

/// The program, with nothing of the surroundings in its environment.
fn parvis(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parvis"));
    command.args(arguments).env_clear().current_dir(directory);
    command
}

/// Whether it succeeded, and what it wrote to standard output and standard error.
fn run(directory: &Path, arguments: &[&str]) -> (bool, String, String) {
    let output = parvis(directory, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_names_the_commands() {
    let directory = tempfile::tempdir().unwrap();
    let (success, out, _) = run(directory.path(), &["--help"]);
    assert!(success);
    for command in ["serve", "config", "doctor", "policy", "restored", "user"] {
        assert!(out.contains(command), "{out}");
    }
}

#[test]
fn check_tells_what_is_wrong_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(directory.path(), &["config", "check"]).0, "the defaults can be used");

    std::fs::write(directory.path().join("parvis.toml"), "[registration]\nmod = \"open\"").unwrap();
    let (success, out, error) = run(directory.path(), &["config", "check"]);
    assert!(!success && out.is_empty());
    assert!(
        error.contains(
            "parvis.toml: `registration.mod`: there is no such key; did you mean `registration.mode`?"
        ),
        "{error}"
    );
    assert!(!run(directory.path(), &["serve"]).0, "nor does it start");
}

#[test]
fn show_prints_what_holds() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("other.toml"), "presence.mode = \"off\"").unwrap();
    let (success, out, _) = run(directory.path(), &["config", "show", "--config", "other.toml"]);
    assert!(success);
    assert!(out.contains("mode = \"off\"  # other.toml"), "{out}");
}

#[test]
fn doctor_tells_what_it_tried_and_fails_where_a_server_is_not_reached() {
    let directory = tempfile::tempdir().unwrap();
    let (success, out, error) = run(directory.path(), &["doctor", "federation", "10.0.0.1"]);
    assert!(!success && error.contains("10.0.0.1 is not reached as it should be"), "{error}");
    assert!(out.contains("FAIL  this organisation does not speak with other servers"), "{out}");
    assert!(out.contains("FAIL  10.0.0.1 is not on the public Internet"), "{out}");
    let (success, _, error) = run(directory.path(), &["doctor", "federation", "a b"]);
    assert!(!success && error.contains("a b is no server name"), "{error}");
}

#[test]
fn policy_is_shown_changed_and_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let policy = |arguments: &[&str]| run(directory.path(), &[&["policy"], arguments].concat());
    let (success, out, _) = policy(&["show", "encryption.private"]);
    assert!(success && out == "encryption.private = \"off\"  # default\n", "{out}");
    let set = ["set", "encryption.private", "required", "--by", "the board"];
    let (success, out, error) = policy(&set);
    assert!(success && out.contains("set by the board, at the command line, "), "{out}{error}");
    assert_eq!(policy(&set).1, "encryption.private is so already.\n");
    let roles = r#"[{"name": "lawyers", "users": ["@ann:localhost"]}]"#;
    assert!(policy(&["set", "encryption.roles", roles]).0);
    assert!(policy(&["set", "encryption.who_may_turn_on", r#"["lawyers"]"#]).0);
    for (setting, value, complaint) in [
        ("encryption.privat", "off", "there is no setting encryption.privat"),
        ("encryption.private", "never", "unknown variant `never`"),
        ("encryption.who_may_turn_on", r#"["cooks"]"#, "nobody has the role \"cooks\""),
    ] {
        let (success, _, error) = policy(&["set", setting, value]);
        assert!(!success && error.contains(complaint), "{error}");
    }
    assert!(policy(&["reset", "encryption.private"]).0);
    let history = policy(&["history"]).1;
    assert_eq!(history.lines().count(), 4);
    assert!(history.ends_with("encryption.private from \"required\" to the default\n"), "{history}");

    std::fs::write(directory.path().join("parvis.toml"), "encryption.direct = \"forbidden\"").unwrap();
    let (success, _, error) = policy(&["set", "encryption.direct", "on"]);
    assert!(!success && error.contains("encryption.direct is pinned by the configuration file"), "{error}");
    let (_, out, _) = policy(&["show", "encryption.direct"]);
    assert_eq!(out, "encryption.direct = \"forbidden\"  # pinned by the configuration\n");
    let (success, _, error) = policy(&["explain", "!none:localhost"]);
    assert!(!success && error.contains("there is no such room"), "{error}");
}

#[tokio::test]
async fn running_server_follows_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let _server = Server::start(directory.path(), port);
    let published = async || {
        let document = get(([127, 0, 0, 1], port).into(), "localhost", "/.well-known/matrix/client").await;
        document.json()["io.element.e2ee"]["default"].clone()
    };
    assert_eq!(published().await, false);
    for class in ["direct", "private"] {
        let set = ["policy", "set", &format!("encryption.{class}"), "on"];
        let (success, _, error) = run(directory.path(), &set);
        assert!(success, "{error}");
    }
    for _ in 0..100 {
        if published().await == true {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the server does not follow the policy");
}

/// A server that is ended, one way or another, when the test is over.
struct Server {
    child: Child,
    greeting: String,
}

impl Server {
    fn start(directory: &Path, port: u16) -> Self {
        let mut child = parvis(directory, &["serve"])
            .env("PARVIS_LISTENERS__CLIENT", format!("127.0.0.1:{port}"))
            .env("PARVIS_LOGGING__FORMAT", "json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        let out = child.stdout.take().unwrap();
        // The second line comes when everything listens.
        BufReader::new(out).lines().take(2).for_each(|line| greeting.push_str(&line.unwrap()));
        Self { child, greeting }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Whether it ended well, and its log.
    fn end(mut self) -> (bool, String) {
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().success(), log)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn unconfigured_server_greets_serves_and_stops_when_told() {
    for signal in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let server = Server::start(directory.path(), port);
        assert!(server.greeting.contains("parvis user create"), "{}", server.greeting);
        let answer = get(([127, 0, 0, 1], port).into(), "localhost", "/_matrix/client/versions").await;
        assert_eq!(answer.status, 200);
        assert!(directory.path().join("data/parvis.db").exists());

        server.signal(signal);
        let end = tokio::task::spawn_blocking(|| server.end());
        let (success, log) = tokio::time::timeout(Duration::from_secs(10), end).await.unwrap().unwrap();
        assert!(success, "{log}");
        for line in log.lines() {
            let line: serde_json::Value = serde_json::from_str(line).expect("each line of the log is JSON");
            assert!(line["level"] == "INFO", "{line}");
        }
        assert!(log.contains("stopped"), "{log}");
    }
}

/// Runs a command that reads a password from its standard input.
fn with_password(directory: &Path, arguments: &[&str], password: &str) -> (bool, String) {
    let mut command = parvis(directory, arguments);
    command.arg("--password-stdin").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Logs in: the status and the errcode.
async fn login(port: u16, user: &str, password: &str) -> (u16, String) {
    let body = serde_json::json!({
        "type": "m.login.password",
        "identifier": { "type": "m.id.user", "user": user },
        "password": password,
    });
    let answer =
        post(([127, 0, 0, 1], port).into(), "localhost", "/_matrix/client/v3/login", &body.to_string()).await;
    let json = answer.json();
    (answer.status, json["errcode"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn users_are_made_listed_locked_and_given_new_passwords_while_the_server_runs() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let made = with_password(here, &["user", "create", "alice", "--admin"], "first password");
    assert_eq!(made, (true, "@alice:localhost has an account now.\n".to_owned()));
    let port = free_port();
    let server = Server::start(here, port);
    assert!(server.greeting.contains("To make another account"), "{}", server.greeting);
    assert_eq!(login(port, "alice", "first password").await.0, 200);

    let made = with_password(here, &["user", "create", "@bob:localhost"], "second password");
    assert!(made.0, "{}", made.1);
    assert_eq!(login(port, "@bob:localhost", "second password").await.0, 200);

    assert!(run(here, &["user", "lock", "bob"]).0);
    assert_eq!(login(port, "bob", "second password").await, (401, "M_USER_LOCKED".to_owned()));
    let (_, list, _) = run(here, &["user", "list"]);
    assert_eq!(list, "@alice:localhost  (administrator)\n@bob:localhost  (locked)\n");
    assert!(run(here, &["user", "unlock", "bob"]).0);
    assert!(run(here, &["user", "promote", "bob"]).0);
    assert!(run(here, &["user", "promote", "alice", "--revoke"]).0);
    let (_, list, _) = run(here, &["user", "list"]);
    assert_eq!(list, "@alice:localhost\n@bob:localhost  (administrator)\n");

    assert!(with_password(here, &["user", "reset-password", "bob"], "third password").0);
    assert_eq!(login(port, "bob", "second password").await.0, 403);
    assert_eq!(login(port, "bob", "third password").await.0, 200);
}

#[test]
fn tokens_for_registering_are_given_out_listed_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let token = |arguments: &[&str]| {
        let arguments: Vec<&str> = ["registration-token"].iter().chain(arguments).copied().collect();
        run(here, &arguments)
    };
    let made = token(&["create", "welcome", "--uses", "3", "--days", "2", "--by", "anna"]);
    assert_eq!((made.0, made.1.as_str()), (true, "welcome\n"));
    let (success, made_up, _) = token(&["create", "--by", "anna"]);
    assert!(success && made_up.starts_with("parvis_gt_"), "{made_up}");
    let (_, list, _) = token(&["list"]);
    assert!(list.contains("welcome  (used 0 of 3 times, good for 4"), "{list}");
    assert!(list.contains("(used 0 times, by anna)"), "{list}");
    assert!(token(&["revoke", "welcome"]).0);
    let (success, _, error) = token(&["revoke", "welcome"]);
    assert!(!success && error.contains("no such token"), "{error}");
    let (success, _, error) = token(&["create", "two words"]);
    assert!(!success && error.contains("a token has 1 to 64"), "{error}");
    assert!(!token(&["list"]).1.contains("welcome"));
}

#[test]
fn what_cannot_be_done_with_a_user_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    assert!(with_password(here, &["user", "create", "alice"], "long enough").0);
    for (arguments, password, told) in [
        (&["user", "create", "alice"][..], "long enough", "taken"),
        (&["user", "create", "bob"], "short", "8 characters"),
        (&["user", "create", "bob"], "", "no password on standard input"),
        (&["user", "create", "b b"], "long enough", "made of a-z"),
        (&["user", "create", "@bob:elsewhere"], "long enough", "is no name here"),
        (&["user", "reset-password", "carol"], "long enough", "no such user"),
    ] {
        let (success, text) = with_password(here, arguments, password);
        assert!(!success && text.contains(told), "{arguments:?}: {text}");
    }
    let (success, _, error) = run(here, &["user", "lock", "carol"]);
    assert!(!success && error.contains("no such user"), "{error}");
}
