//! `PUT /rooms/{roomId}/send`: a message is durable when its answer comes. Three shapes tell apart what bounds
//! a server: one after the other, many in one room (its order is the bottleneck), many rooms.

use bytes::Bytes;

use super::{Ground, TEXT};
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{self, Client},
    measure::{Name, Outcome},
};

/// The many of the second and third shape.
const MANY: usize = 32;

/// Sends the same text into one room under ever new transaction ids.
pub(super) struct Sender {
    client: Client,
    room: String,
    txn_prefix: String,
    sent: usize,
    body: Bytes,
}

impl Sender {
    /// `txn_prefix` sets this sender apart from others of the same device.
    pub(super) fn new(client: Client, room_id: &str, txn_prefix: String) -> Self {
        let room = matrix::send_path(room_id);
        Self { client, room, txn_prefix, sent: 0, body: matrix::text_message(TEXT) }
    }
}

impl Worker for Sender {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        self.sent += 1;
        let txn_id = format!("{}-{}", self.txn_prefix, self.sent);
        self.client.send(&self.room, &txn_id, &self.body).await
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let many = ground.accounts.crowd(MANY).await?;
    let shapes: [(String, Vec<&[_]>); 3] = [
        ("1 room x 1 sender".to_owned(), many.chunks(1).take(1).collect()),
        (format!("1 room x {MANY} senders"), many.chunks(MANY).collect()),
        (format!("{MANY} rooms x 1 sender"), many.chunks(1).collect()),
    ];
    let mut outcomes = Vec::new();
    for (shape, rooms) in shapes {
        let mut senders = Vec::new();
        for members in rooms {
            let room_id = ground.room_of(members).await?;
            let prefix = format!("send{room_id}");
            senders.extend(
                members
                    .iter()
                    .map(|user| Sender::new(ground.client(user), &room_id, matrix::encoded(&prefix))),
            );
        }
        let name = Name { scenario: "send", shape, unit: "messages" };
        outcomes.push(ground.closed_loop(name, senders, ground.bound(ground.sizes.sends)).await);
    }
    Ok(outcomes)
}
