//! People of the organisation's directory log in with the password that they have there: a real LDAP server.

use parvis_testkit::{Answer, Engine, Entry, PASSWORD, Server, Slapd};
use serde_json::json;

use crate::on_each_engine;

const ANNA: Entry =
    Entry { uid: "anna", name: "Anna Muster", mail: "anna@example.org", password: "correct horse" };
const BERT: Entry =
    Entry { uid: "bert", name: "Bert (IT)", mail: "bert@example.org", password: "battery staple" };

async fn login(server: &Server, identifier: serde_json::Value, password: &str) -> Answer {
    let body = json!({ "type": "m.login.password", "identifier": identifier, "password": password });
    server.stranger().post("v3/login", body).await
}

async fn login_as(server: &Server, user: &str, password: &str) -> Answer {
    login(server, json!({ "type": "m.id.user", "user": user }), password).await
}

#[tokio::test]
async fn person_of_the_directory_gets_an_account_with_the_first_login() {
    on_each_engine(async |engine: Engine| {
        let Some(directory) = Slapd::start(&[ANNA, BERT]).await else { return };
        let server = Server::with(&engine, &directory.settings()).await;
        login_as(&server, "anna", "wrong").await.refused(403, "M_FORBIDDEN");
        server.stranger().get("v3/profile/@anna:parvis.test").await.refused(404, "M_NOT_FOUND");

        let first = login_as(&server, "anna", ANNA.password).await.ok();
        assert_eq!(first["user_id"], "@anna:parvis.test");
        let anna = server.stranger().with_token(first["access_token"].as_str());
        assert_eq!(anna.get("v3/profile/@anna:parvis.test").await.ok()["displayname"], "Anna Muster");
        let addresses = anna.get("v3/account/3pid").await.ok();
        assert_eq!(addresses["threepids"][0]["address"], "anna@example.org");

        for name in ["anna", "Anna", "@anna:parvis.test", "anna@example.org"] {
            let again = login_as(&server, name, ANNA.password).await.ok();
            assert_eq!(again["user_id"], "@anna:parvis.test", "{name}");
        }
        for address in ["anna@example.org", "bert@example.org"] {
            let password = if address.starts_with("anna") { ANNA.password } else { BERT.password };
            let by_address = json!({ "type": "m.id.thirdparty", "medium": "email", "address": address });
            login(&server, by_address, password).await.ok();
        }
    })
    .await;
}

#[tokio::test]
async fn nobody_comes_in_by_what_is_no_password_or_no_name() {
    on_each_engine(async |engine: Engine| {
        let Some(directory) = Slapd::start(&[ANNA, BERT]).await else { return };
        let server = Server::with(&engine, &directory.settings()).await;
        // A directory takes an entry without a password for nobody, and says yes.
        login_as(&server, "anna", "").await.refused(403, "M_FORBIDDEN");
        for name in
            ["*", "a*", "anna)(uid=*", "anna)(|(uid=bert", "uid=anna,ou=people,dc=example,dc=org", "\0", ""]
        {
            let answer = login_as(&server, name, ANNA.password).await;
            answer.refused(403, "M_FORBIDDEN");
        }
        login_as(&server, "anna", BERT.password).await.refused(403, "M_FORBIDDEN");
        login_as(&server, &"a".repeat(10_000), ANNA.password).await.refused(403, "M_FORBIDDEN");
    })
    .await;
}

#[tokio::test]
async fn who_has_a_password_here_keeps_it_and_the_directory_does_not_open_their_account() {
    on_each_engine(async |engine: Engine| {
        let Some(mut directory) = Slapd::start(&[ANNA]).await else { return };
        let server = Server::with(&engine, &directory.settings()).await;
        // Made by an administrator, with a password of its own.
        server.user("anna").await;
        login_as(&server, "anna", ANNA.password).await.refused(403, "M_FORBIDDEN");
        login_as(&server, "anna@example.org", ANNA.password).await.refused(403, "M_FORBIDDEN");
        directory.stop();
        login_as(&server, "anna", PASSWORD).await.ok();
        login_as(&server, "somebody", "else").await.refused(503, "M_UNKNOWN");
    })
    .await;
}

#[tokio::test]
async fn password_and_going_away_are_the_directorys() {
    on_each_engine(async |engine: Engine| {
        let Some(mut directory) = Slapd::start(&[ANNA, BERT]).await else { return };
        let server = Server::with(&engine, &directory.settings()).await;
        let first = login_as(&server, "anna", ANNA.password).await.ok();
        let anna = server.stranger().with_token(first["access_token"].as_str());

        // It confirms what has to be confirmed, and is not changed here.
        let device = first["device_id"].as_str().unwrap();
        let confirm = |password: &str| {
            json!({ "auth": {
                "type": "m.login.password",
                "identifier": { "type": "m.id.user", "user": "anna" },
                "password": password,
            }, "new_password": "another password", "display_name": "x" })
        };
        anna.post("v3/account/password", confirm(ANNA.password)).await.refused(403, "M_FORBIDDEN");
        anna.delete(&format!("v3/devices/{device}"), confirm("wrong")).await.refused(401, "M_FORBIDDEN");
        anna.delete(&format!("v3/devices/{device}"), confirm(ANNA.password)).await.ok();

        let changed = Entry { password: "a new one", mail: "anna.new@example.org", ..ANNA };
        directory.hold(&[changed.clone(), BERT]).await;
        login_as(&server, "anna", ANNA.password).await.refused(403, "M_FORBIDDEN");
        let again = login_as(&server, "anna.new@example.org", changed.password).await.ok();
        assert_eq!(again["user_id"], "@anna:parvis.test", "another address is not another person");

        directory.hold(&[BERT]).await;
        login_as(&server, "anna", changed.password).await.refused(403, "M_FORBIDDEN");
    })
    .await;
}
