//! Getting in by what administrators give out.

use parvis_testkit::{Engine, Network};
use serde_json::json;

use crate::on_each_engine;

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
