//! `check_registration_token_validity`

use http::Method;
use parvis_accounts::{Registration, RegistrationToken};
use serde_json::{Value, json};

use crate::world::World;

const PATH: &str = "v1/register/m.login.registration_token/validity?token=";

#[tokio::test]
async fn only_tokens_that_were_given_out_are_valid() {
    let world = World::new().await.with_accounts(|settings| {
        let tokens = ["sesame", "abracadabra"].map(|token| RegistrationToken(token.to_owned()));
        settings.registration = Registration::Token(tokens.to_vec());
    });
    for (token, valid) in [("sesame", true), ("abracadabra", true), ("guess", false), ("", false)] {
        let answer = world.send(Method::GET, &format!("{PATH}{token}"), None, Value::Null).await;
        assert_eq!(answer.ok(), json!({ "valid": valid }), "{token}");
    }
}
