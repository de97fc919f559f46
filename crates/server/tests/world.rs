//! Processes to talk to, and a client of few words.

use std::{net::SocketAddr, path::Path};

use parvis_ambient::Ambient;
use parvis_server::{
    Process,
    config::{Config, Sources, load},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The configuration of an organisation on ports that are free, with its data in `directory`.
pub(crate) fn config(directory: &Path, name: &str) -> Config {
    let path = |file: &str| directory.join(file).display().to_string();
    let environment = vec![
        ("PARVIS_SERVER__NAME".to_owned(), name.to_owned()),
        ("PARVIS_LISTENERS__CLIENT".to_owned(), "127.0.0.1:0".to_owned()),
        ("PARVIS_STORAGE__SQLITE__PATH".to_owned(), path("parvis.db")),
        ("PARVIS_MEDIA__DIRECTORY".to_owned(), path("media")),
    ];
    load(&Sources { file: None, environment }).unwrap().config
}

pub(crate) async fn start(config: Config) -> Process {
    Process::start(config, Ambient::system()).await.unwrap()
}

/// An answer: its status and its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) fn request(method: &str, host: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    Answer::parse(&text)
}

/// What a `GET` is answered.
pub(crate) async fn get(address: SocketAddr, host: &str, path: &str) -> Answer {
    ask(address, &request("GET", host, path)).await
}

/// What a `POST` of JSON is answered.
pub(crate) async fn post(address: SocketAddr, host: &str, path: &str, body: &str) -> Answer {
    let length = body.len();
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}");
    ask(address, &format!("{head}\r\n\r\n{body}")).await
}
