//! Mails are handed to a mail server of few words.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::{net::SocketAddr, sync::Arc};

use parvis_ambient::{Ambient, SeededChance, TestClock};
use parvis_peers::{Mail, MailError, Mailer as _};
use parvis_peers_smtp::{Security, SmtpMailer, SmtpSettings, is_sender};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
};

/// Takes one mail, unless its receiver is `nobody`; gives what it was told, line by line.
async fn mail_server() -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let (mut heard, mut in_mail) = (Vec::new(), false);
        writer.write_all(b"220 mail.test ready\r\n").await.unwrap();
        while let Ok(Some(line)) = lines.next_line().await {
            let answer: &[u8] = match line.split(' ').next().unwrap() {
                "." if in_mail => {
                    in_mail = false;
                    b"250 taken\r\n"
                }
                _ if in_mail => b"",
                "EHLO" => b"250-mail.test\r\n250 8BITMIME\r\n",
                "DATA" => {
                    in_mail = true;
                    b"354 go on\r\n"
                }
                "QUIT" => b"221 bye\r\n",
                _ if line.contains("nobody") => b"550 no such mailbox\r\n",
                _ => b"250 fine\r\n",
            };
            heard.push(line);
            if writer.write_all(answer).await.is_err() {
                break;
            }
        }
        heard
    });
    (address, task)
}

fn mailer(address: SocketAddr, security: Security) -> SmtpMailer {
    let ambient = Ambient {
        clock: Arc::new(TestClock::starting_at(1_700_000_000_000)),
        chance: Arc::new(SeededChance::new(1)),
    };
    let settings = SmtpSettings {
        host: address.ip().to_string(),
        port: address.port(),
        security,
        credentials: None,
        from: "Chat <chat@example.org>".to_owned(),
    };
    SmtpMailer::new(settings, ambient).unwrap()
}

fn mail(to: &str) -> Mail {
    Mail {
        to: to.to_owned(),
        subject: "Confirmez votre adresse: été".to_owned(),
        text: "Bonjour".to_owned(),
        html: "<p>Bonjour</p>".to_owned(),
        stop: Some("https://matrix.example.org/stop?token=1".to_owned()),
    }
}

#[tokio::test]
async fn mail_arrives_as_text_and_html() {
    let (address, server) = mail_server().await;
    let mailer = mailer(address, Security::None);
    mailer.send(mail("alice@example.org")).await.unwrap();
    drop(mailer);
    let heard = server.await.unwrap().join("\n");
    for part in [
        "MAIL FROM:<chat@example.org>",
        "RCPT TO:<alice@example.org>",
        "From: Chat <chat@example.org>",
        "To: alice@example.org",
        "Date: Tue, 14 Nov 2023 22:13:20",
        "Subject: Confirmez votre adresse: =?utf-8?b?",
        "@example.org>",
        "List-Unsubscribe: <https://matrix.example.org/stop?token=1>",
        "List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        "multipart/alternative",
        "Content-Type: text/plain; charset=utf-8",
        "Bonjour",
        "<p>Bonjour</p>",
    ] {
        assert!(heard.contains(part), "no {part} in\n{heard}");
    }
}

#[tokio::test]
async fn refusal_is_told() {
    let (address, _server) = mail_server().await;
    let error = mailer(address, Security::None).send(mail("nobody@example.org")).await.unwrap_err();
    assert!(matches!(&error, MailError::Failed(text) if text.contains("no such mailbox")), "{error}");
    let (address, _server) = mail_server().await;
    let error = mailer(address, Security::None).send(mail("alice")).await.unwrap_err();
    assert_eq!(error, MailError::BadAddress);
}

#[tokio::test]
async fn server_without_tls_is_given_nothing_where_tls_is_wanted() {
    let (address, server) = mail_server().await;
    let error = mailer(address, Security::StartTls).send(mail("alice@example.org")).await.unwrap_err();
    assert!(matches!(error, MailError::Failed(_)), "{error}");
    let heard = server.await.unwrap().join("\n");
    assert!(!heard.contains("MAIL FROM"), "{heard}");
}

#[test]
fn senders_are_addresses_with_or_without_a_name() {
    assert!(is_sender("chat@example.org") && is_sender("Chat <chat@example.org>"));
    assert!(!is_sender("chat") && !is_sender(""));
}
