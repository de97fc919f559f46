//! A join into a room that lives on another server only. Two moments count: when the join is answered, and when
//! the server can tell all members, since some servers answer before they know the room.

use std::{collections::BTreeMap, time::Duration};

use super::Ground;
use crate::{
    clock,
    connection::Failure,
    matrix::encoded,
    measure::{Meter, Name, Outcome, Samples},
};

/// Longest wait for either moment.
const LIMIT: Duration = Duration::from_secs(1200);
/// The pause between two looks at the members.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How every member's entry begins in the answer of `GET /joined_members`.
const ENTRY: &[u8] = b"\"@";

pub(super) async fn measure(ground: &mut Ground) -> Result<Vec<Outcome>, Failure> {
    let Some(remote) = ground.sizes.remote_room.clone() else {
        return Err(Failure::Unexpected("--remote-room and --remote-via are missing".to_owned()));
    };
    let account = ground.accounts.apart().await?;
    let mut client = ground.client(&account).patient(LIMIT);
    let members_path = format!("/_matrix/client/v3/rooms/{}/joined_members", encoded(&remote.room_id));

    let meter = Meter::start(&ground.watch).await;
    let began = clock::now();
    let mut samples = Samples::default();
    client.join_via(&remote.room_id, &remote.via).await?;
    let answered = clock::now().duration_since(began);
    samples.succeeded(answered);
    loop {
        // Refused as long as the server does not know the room.
        let members = client.get("joined_members", &members_path).await;
        if members.is_ok_and(|body| entries(&body) > remote.members) {
            break;
        }
        if clock::now().duration_since(began) > LIMIT {
            let limit = LIMIT.as_secs();
            return Err(Failure::Unexpected(format!("the members are not all known after {limit} s")));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let complete = clock::now().duration_since(began);

    let shape = format!("{} members", remote.members);
    let name = Name { scenario: "remote-join", shape, unit: "joins" };
    let mut outcome = meter.finish(name, samples, complete).await;
    outcome.facts = BTreeMap::from([
        ("answered after s".to_owned(), answered.as_secs_f64()),
        ("members known after s".to_owned(), complete.as_secs_f64()),
    ]);
    Ok(vec![outcome])
}

/// How many user ids stand in the answer: they are its only texts that begin so.
fn entries(body: &[u8]) -> usize {
    body.windows(ENTRY.len()).filter(|window| *window == ENTRY).count()
}

#[cfg(test)]
mod tests {
    #[test]
    fn members_are_counted() {
        let body = br#"{"joined":{"@a:h":{"display_name":"at home"},"@b:h":{}}}"#;
        assert_eq!(super::entries(body), 2);
    }
}
