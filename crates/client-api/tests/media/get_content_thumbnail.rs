//! `get_content_thumbnail`: what does not depend on who asks is told here.

use std::io::Cursor;

use image::{GenericImageView as _, ImageFormat, Rgb, RgbImage};

use super::{assert_is_guarded, get, header, keep};
use crate::world::{World, read};

const PATH: &str = "/_matrix/media/v3/thumbnail";

fn picture(format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbImage::from_pixel(400, 200, Rgb([10, 20, 30])).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[tokio::test]
async fn thumbnail_comes_in_the_size_asked_for_with_its_guards() {
    let world = World::new().await;
    // What its uploader calls it does not matter.
    let uri = keep(&world, "text/html", Some("x.html"), &picture(ImageFormat::Jpeg)).await;
    for (query, size) in [
        ("width=96&height=96&method=crop", (96, 96)),
        ("width=96&height=96&method=scale", (96, 48)),
        ("width=96&height=96", (96, 48)),
        ("width=96&height=96&animated=true", (96, 48)),
        ("width=96&height=96&animated=false", (96, 48)),
        ("width=400&height=200&method=scale", (400, 200)),
        ("width=99999999999&height=1&method=scale", (64, 32)),
    ] {
        let response = get(&world, &format!("{PATH}/{uri}?{query}"), &[]).await;
        assert_eq!(response.status(), 200, "{query}");
        assert_is_guarded(response.headers());
        assert_eq!(header(response.headers(), "content-type"), "image/jpeg");
        assert_eq!(header(response.headers(), "content-disposition"), "inline; filename=\"thumbnail.jpeg\"");
        let image = image::load_from_memory(&read(response).await).unwrap();
        assert_eq!(image.dimensions(), size, "{query}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let world = World::new().await;
    let image = keep(&world, "image/png", None, &picture(ImageFormat::Png)).await;
    let text = keep(&world, "image/png", None, b"no image").await;
    for (uri, query, errcode) in [
        (&image, "height=1", "M_MISSING_PARAM"),
        (&image, "width=1", "M_MISSING_PARAM"),
        (&image, "", "M_MISSING_PARAM"),
        (&image, "width=x&height=1", "M_INVALID_PARAM"),
        (&image, "width=-1&height=1", "M_INVALID_PARAM"),
        (&image, "width=1.5&height=1", "M_INVALID_PARAM"),
        (&image, "width=0&height=1", "M_INVALID_PARAM"),
        (&image, "width=1&height=1&method=stretch", "M_INVALID_PARAM"),
        (&image, "width=1&height=1&animated=maybe", "M_INVALID_PARAM"),
        (&text, "width=1&height=1", "M_UNKNOWN"),
    ] {
        let (status, body) = world.get(&format!("{PATH}/{uri}?{query}")).await;
        assert_eq!((status, body["errcode"].as_str().unwrap()), (400, errcode), "{query}");
    }
}

#[tokio::test]
async fn image_that_is_too_large_to_decode_is_refused() {
    let world = World::new().await;
    let mut bomb = picture(ImageFormat::Gif);
    bomb[6..10].copy_from_slice(&[0xFF; 4]);
    let uri = keep(&world, "image/gif", None, &bomb).await;
    let (status, body) = world.get(&format!("{PATH}/{uri}?width=1&height=1")).await;
    assert_eq!((status, &body["errcode"]), (413, &"M_TOO_LARGE".into()));
}

#[tokio::test]
async fn thumbnail_of_what_was_stored_after_the_freeze_is_not_there() {
    let world = World::new().await;
    world.freeze();
    let uri = keep(&world, "image/png", None, &picture(ImageFormat::Png)).await;
    let (status, body) = world.get(&format!("{PATH}/{uri}?width=1&height=1")).await;
    assert_eq!((status, &body["errcode"]), (404, &"M_NOT_FOUND".into()));
}
