//! Getting in: by what administrators give out, and by mail.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use parvis_testkit::{Engine, Network};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::on_each_engine;

/// What a mail server of few words was given: the lines of each mail.
type Mails = Arc<Mutex<Vec<Vec<String>>>>;

async fn mail_server() -> (SocketAddr, Mails) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let mails = Mails::default();
    let kept = Arc::clone(&mails);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            take_mail(stream, &kept).await;
        }
    });
    (address, mails)
}

async fn take_mail(stream: TcpStream, mails: &Mails) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let mut mail = None;
    writer.write_all(b"220 ready\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let answer: &[u8] = match (&mut mail, line.as_str()) {
            (Some(_), ".") => {
                mails.lock().unwrap().extend(mail.take());
                b"250 taken\r\n"
            }
            (Some(lines), line) => {
                lines.push(line.to_owned());
                b""
            }
            (None, "DATA") => {
                mail = Some(Vec::new());
                b"354 go on\r\n"
            }
            (None, _) => b"250 fine\r\n",
        };
        if writer.write_all(answer).await.is_err() {
            return;
        }
    }
}

/// The link in the newest mail. Long lines of text are broken with an `=` at the end.
fn link(mails: &Mails) -> String {
    let mail = mails.lock().unwrap().last().unwrap().join("\n");
    let text = mail.replace("=\n", "").replace("=3D", "=");
    let start = text.find("http://").unwrap();
    let link = text[start..].split_whitespace().next().unwrap();
    link[link.find("/_matrix").unwrap()..].to_owned()
}

#[tokio::test]
async fn forgotten_password_is_replaced_by_mail() {
    on_each_engine(async |engine: Engine| {
        let (address, mails) = mail_server().await;
        let settings = format!(
            "[storage.sqlite]\nsynchronous = \"normal\"\n[mail]\nhost = \"127.0.0.1\"\nport = {}\n\
             security = \"none\"\nfrom = \"Chat <chat@a.test>\"\norganisation_name = \"Example\"\n\
             default_language = \"fr\"\n",
            address.port()
        );
        let network = Network::with(&engine, &["a.test"], &settings).await;
        let alice = network.user("alice", "a.test").await;
        let stranger = network.stranger("a.test");
        let ask = async |place: &str| {
            let body = json!({ "client_secret": "secret", "email": "alice@example.org", "send_attempt": 1 });
            let path = format!("v3/{place}/email/requestToken");
            stranger.post(&path, body).await.ok()["sid"].as_str().unwrap().to_owned()
        };
        let auth = json!({ "type": "m.login.password", "password": parvis_testkit::PASSWORD,
            "identifier": { "type": "m.id.user", "user": alice.id } });
        let sid = ask("account/3pid").await;
        assert!(mails.lock().unwrap()[0].iter().any(|line| line == "To: alice@example.org"));
        assert_eq!(stranger.get(&link(&mails)).await.status, 200);
        assert_eq!(stranger.post(&link(&mails), Value::Null).await.status, 200);
        let body = json!({ "sid": sid, "client_secret": "secret", "auth": auth });
        alice.post("v3/account/3pid/add", body).await.ok();

        let sid = ask("account/password").await;
        stranger.post(&link(&mails), Value::Null).await;
        let creds = json!({ "sid": sid, "client_secret": "secret" });
        let auth = json!({ "type": "m.login.email.identity", "threepid_creds": creds });
        let body = json!({ "new_password": "a new password", "auth": auth });
        stranger.post("v3/account/password", body).await.ok();
        alice.get("v3/account/whoami").await.refused(401, "M_UNKNOWN_TOKEN");
        let identifier =
            json!({ "type": "m.id.thirdparty", "medium": "email", "address": "alice@example.org" });
        let body =
            json!({ "type": "m.login.password", "identifier": identifier, "password": "a new password" });
        assert_eq!(stranger.post("v3/login", body).await.ok()["user_id"], alice.id);
    })
    .await;
}

#[tokio::test]
async fn tokens_that_administrators_give_out_let_people_in() {
    on_each_engine(async |engine: Engine| {
        let settings = "[storage.sqlite]\nsynchronous = \"normal\"\n[registration]\nmode = \"token\"\n\
             tokens = [\"first\"]\nanyone_may_register_without_token = false\n";
        let network = Network::with(&engine, &["a.test"], settings).await;
        let stranger = network.stranger("a.test");
        let register = async |name: &str, token: &str| {
            let auth = json!({ "type": "m.login.registration_token", "token": token });
            let body = json!({ "username": name, "password": "correct horse", "auth": auth });
            stranger.post("v3/register", body).await
        };
        let alice = register("alice", "first").await.ok();
        let path = "/_parvis/admin/v1/registration_tokens";
        let user = stranger.clone().with_token(alice["access_token"].as_str());
        user.get(path).await.refused(403, "M_FORBIDDEN");
        network.promote("alice", "a.test").await;
        let login = json!({ "type": "m.login.password", "user": "alice", "password": "correct horse" });
        let alice = stranger.post("v3/login", login).await.ok();
        let admin = stranger.clone().with_token(alice["access_token"].as_str());
        let made = admin.post(path, json!({ "token": "once", "uses_allowed": 1 })).await.ok();
        assert_eq!(
            (&made["token"], &made["uses"], &made["made_by"]),
            (&json!("once"), &json!(0), &json!("@alice:a.test"))
        );
        admin.post(path, json!({ "token": "once" })).await.refused(400, "M_INVALID_PARAM");
        admin.post(path, json!({ "uses_allowed": 0 })).await.refused(400, "M_INVALID_PARAM");
        assert!(admin.post(path, json!({})).await.ok()["token"].is_string());
        register("bob", "once").await.ok();
        register("carol", "once").await.refused(401, "M_FORBIDDEN");
        let listed = admin.get(path).await.ok();
        assert_eq!(listed["registration_tokens"].as_array().unwrap().len(), 2);
        admin.delete(&format!("{path}/once"), json!({})).await.ok();
        admin.delete(&format!("{path}/once"), json!({})).await.refused(404, "M_NOT_FOUND");
    })
    .await;
}
