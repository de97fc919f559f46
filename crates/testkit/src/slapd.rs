//! A real LDAP server (OpenLDAP's `slapd`) with a few people in it, on loopback.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{net::TcpStream, time::sleep};

/// Names the program; tests that need it do nothing where it is not set, as with `PARVIS_TEST_POSTGRES`.
const PROGRAM: &str = "PARVIS_TEST_SLAPD";
const SCHEMA: &str = "/etc/ldap/schema";
const MODULES: &str = "/usr/lib/ldap";
/// How often it is looked whether the server listens.
const LOOKS: usize = 250;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A directory server that serves until it is dropped.
#[derive(Debug)]
pub struct Slapd {
    program: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    running: Option<Child>,
}

/// Somebody in the directory.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `uid`.
    pub uid: &'static str,
    /// `cn`.
    pub name: &'static str,
    /// `mail`.
    pub mail: &'static str,
    /// `userPassword`.
    pub password: &'static str,
}

impl Slapd {
    /// Where the service account stands that may search, and its password.
    pub const ACCOUNT: (&str, &str) = ("cn=parvis,dc=example,dc=org", "search for people");

    /// A directory of these people; `None` where no program is named.
    pub async fn start(people: &[Entry]) -> Option<Self> {
        #[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
        let program = PathBuf::from(std::env::var(PROGRAM).ok()?);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut directory = Self { program, folder: tempfile::tempdir().unwrap(), port, running: None };
        directory.hold(people).await;
        Some(directory)
    }

    /// The settings with which a homeserver asks it.
    pub fn settings(&self) -> String {
        let (account, password) = Self::ACCOUNT;
        format!(
            "directory.url = \"ldap://127.0.0.1:{}\"\ndirectory.account = \"{account}\"\n\
             directory.password = \"{password}\"\ndirectory.base = \"ou=people,dc=example,dc=org\"\n\
             directory.filter = \"(|(uid={{name}})(mail={{name}}))\"\n",
            self.port
        )
    }

    /// Holds these people from now on, and nobody else.
    pub async fn hold(&mut self, people: &[Entry]) {
        self.stop();
        let folder = self.folder.path();
        let data = folder.join("data");
        let _ = fs::remove_dir_all(&data);
        fs::create_dir(&data).unwrap();
        fs::write(folder.join("slapd.conf"), configuration(folder)).unwrap();
        fs::write(folder.join("people.ldif"), ldif(people)).unwrap();
        let people = folder.join("people.ldif");
        let filled = self.command(&["-Tadd"]).arg("-l").arg(people).status().unwrap();
        assert!(filled.success(), "slapadd: {filled}");
        // With a level of logs it stays in the foreground, and ends with us.
        let url = format!("ldap://127.0.0.1:{}", self.port);
        self.running = Some(self.command(&["-d", "0", "-h", &url]).spawn().unwrap());
        for _ in 0..LOOKS {
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        panic!("slapd does not listen");
    }

    /// Answers nobody from now on.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill().unwrap();
            running.wait().unwrap();
        }
    }

    /// Which program it is to be must be said first.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        command.arg("-f").arg(self.folder.path().join("slapd.conf"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(folder: &Path) -> String {
    let folder = folder.display();
    let schemas = ["core", "cosine", "inetorgperson"].map(|name| format!("include {SCHEMA}/{name}.schema\n"));
    let (account, _) = Slapd::ACCOUNT;
    format!(
        "{schemas}modulepath {MODULES}\nmoduleload back_mdb\npidfile {folder}/pid\n\
         database mdb\nsuffix \"dc=example,dc=org\"\ndirectory {folder}/data\nmaxsize 10485760\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=\"{account}\" read by * none\n",
        schemas = schemas.concat()
    )
}

fn ldif(people: &[Entry]) -> String {
    let (account, password) = Slapd::ACCOUNT;
    let mut ldif = format!(
        "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n\
         dn: {account}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: parvis\n\
         userPassword: {password}\n\n\
         dn: ou=people,dc=example,dc=org\nobjectClass: organizationalUnit\nou: people\n"
    );
    for Entry { uid, name, mail, password } in people {
        ldif += &format!(
            "\ndn: uid={uid},ou=people,dc=example,dc=org\nobjectClass: inetOrgPerson\nuid: {uid}\ncn: {name}\n\
             sn: {name}\nmail: {mail}\nuserPassword: {password}\n"
        );
    }
    ldif
}
