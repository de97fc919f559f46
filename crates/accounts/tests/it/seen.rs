//! When and from where devices were seen.

use std::net::{IpAddr, Ipv4Addr};

use parvis_accounts::NewDevice;

use crate::world::{World, on_each_engine};

#[tokio::test]
async fn signing_in_notes_from_where_and_the_first_request_writes_nothing() {
    on_each_engine(async |world: World| {
        world.first.create("alice", Some("password"), false).await.unwrap();
        let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        for (name, from) in [("PHONE", Some(from)), ("PHONE", Some(from)), ("BRIDGE", None)] {
            let device = NewDevice { device_id: Some(name.into()), from, ..NewDevice::default() };
            let session = world.first.login_by_password("alice", "password", device).await.unwrap();
            let user = world.first.list("", 1).await.unwrap()[0].user;
            let devices = world.first.devices(user).await.unwrap();
            let device = devices.iter().find(|device| device.device_id == name).unwrap();
            assert_eq!(device.last_seen_ip, from.map(|from| from.to_string()), "{name}");
            assert_eq!(device.last_seen_ts.is_some(), from.is_some(), "{name}");
            world.first.authenticate(&session.access_token, from).await.unwrap();
        }
    })
    .await;
}
