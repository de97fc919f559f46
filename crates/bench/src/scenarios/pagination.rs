//! `GET /rooms/{roomId}/messages?dir=b&limit=100`: a client scrolls up to the beginning of a long room, and
//! starts again from the end.

use super::Ground;
use crate::{
    connection::Failure,
    load::Worker,
    matrix::{self, Client},
    measure::{Name, Outcome},
    scan,
};

/// Most pages read: a room is read several times over in this many.
const PAGES_LIMIT: usize = 300;

struct Reader {
    client: Client,
    newest: String,
    next: Option<String>,
}

impl Worker for Reader {
    async fn step(&mut self, _: usize) -> Result<(), Failure> {
        let path = match self.next.take() {
            Some(from) => format!("{}&from={}", self.newest, matrix::encoded(&from)),
            None => self.newest.clone(),
        };
        let page = self.client.get("messages", &path).await?;
        self.next = scan::text_of(&page, "end").map(str::to_owned);
        Ok(())
    }
}

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let history = ground.sizes.history;
    let user = ground.accounts.apart().await?;
    let room_id = ground.public_room(&user).await?;
    ground.fill(&user, &room_id, history).await?;
    let newest = format!("/_matrix/client/v3/rooms/{}/messages?dir=b&limit=100", matrix::encoded(&room_id));
    let reader = Reader { client: ground.client(&user), newest, next: None };
    let shape = format!("{history} messages");
    let name = Name { scenario: "pagination", shape, unit: "pages of 100" };
    Ok(vec![ground.closed_loop(name, vec![reader], ground.bound(PAGES_LIMIT)).await])
}
