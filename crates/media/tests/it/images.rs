//! Thumbnails of real images, of animations, and of files that mean harm.

use std::io::Cursor;

use image::{
    AnimationDecoder as _, DynamicImage, Frame, GenericImageView as _, ImageEncoder as _, ImageFormat, Rgb,
    RgbImage, Rgba, RgbaImage,
    codecs::{
        gif::{GifDecoder, GifEncoder},
        jpeg::JpegEncoder,
    },
};
use parvis_media::{Method, StoredThumbnail, ThumbnailError, ThumbnailRequest};

use crate::world::World;

fn ask(width: u32, height: u32, method: Method) -> ThumbnailRequest {
    ThumbnailRequest { width, height, method }
}

fn scale(side: u32) -> ThumbnailRequest {
    ask(side, side, Method::Scale)
}

/// Red on the left, blue on the right.
fn two_colours(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, _| if x < width / 2 { Rgb([255, 0, 0]) } else { Rgb([0, 0, 255]) })
}

fn encoded(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A GIF of two frames: red, then blue.
fn gif(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for colour in [Rgba([255, 0, 0, 255]), Rgba([0, 0, 255, 255])] {
        encoder.encode_frame(Frame::new(RgbaImage::from_pixel(width, height, colour))).unwrap();
    }
    drop(encoder);
    bytes
}

/// A JPEG whose EXIF data says that it is to be turned.
fn turned_jpeg(image: &RgbImage, orientation: u8) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0".to_vec();
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.encode_image(image).unwrap();
    bytes
}

async fn try_thumbnail(
    world: &World,
    source: &[u8],
    request: ThumbnailRequest,
) -> Result<StoredThumbnail, ThumbnailError> {
    let uri = world.upload(source).await.unwrap();
    let content = world.find(&uri).await.unwrap();
    world.media.thumbnail(&content, request).await
}

async fn thumbnail(
    world: &World,
    source: &[u8],
    request: ThumbnailRequest,
) -> (DynamicImage, String, Vec<u8>) {
    let made = try_thumbnail(world, source, request).await.unwrap();
    let bytes = world.bytes(&made.hash, made.size_bytes).await;
    (image::load_from_memory(&bytes).unwrap(), made.content_type, bytes)
}

#[tokio::test]
async fn thumbnail_has_the_step_above_the_size_asked_for() {
    let world = World::new().await;
    let png = encoded(two_colours(1_000, 500), ImageFormat::Png);
    for (request, size) in [
        (ask(32, 32, Method::Crop), (32, 32)),
        (ask(90, 90, Method::Crop), (96, 96)),
        (ask(320, 240, Method::Scale), (320, 160)),
        (ask(640, 480, Method::Scale), (640, 320)),
        (ask(999, 999, Method::Scale), (1_000, 500)),
        (ask(5_000, 5_000, Method::Crop), (1_000, 500)),
        (ask(600, 600, Method::Crop), (500, 500)),
    ] {
        let (image, content_type, _) = thumbnail(&world, &png, request).await;
        assert_eq!(image.dimensions(), size, "{request:?}");
        assert_eq!(content_type, "image/png");
    }
}

#[tokio::test]
async fn small_still_image_is_its_own_thumbnail() {
    let world = World::new().await;
    for (format, content_type) in [
        (ImageFormat::Png, "image/png"),
        (ImageFormat::Jpeg, "image/jpeg"),
        (ImageFormat::WebP, "image/webp"),
    ] {
        let source = encoded(two_colours(20, 30), format);
        let (_, made_type, bytes) = thumbnail(&world, &source, scale(96)).await;
        assert_eq!(made_type, content_type);
        assert_eq!(bytes, source);
    }
    assert_eq!(world.files().len(), 3);
}

#[tokio::test]
async fn animation_becomes_a_still_image_of_its_first_frame() {
    let world = World::new().await;
    for (side, asked) in [(300, 96), (40, 96)] {
        let source = gif(side, side);
        assert_eq!(GifDecoder::new(Cursor::new(&source)).unwrap().into_frames().count(), 2);
        let (image, content_type, bytes) = thumbnail(&world, &source, scale(asked)).await;
        assert_eq!(image.dimensions(), (side.min(asked), side.min(asked)));
        assert_eq!(image.get_pixel(10, 10), Rgba([255, 0, 0, 255]));
        assert_eq!(content_type, "image/png");
        let decoder = image::codecs::png::PngDecoder::new(Cursor::new(bytes)).unwrap();
        assert!(!decoder.is_apng().unwrap());
    }
}

#[tokio::test]
async fn photograph_is_turned_as_its_camera_says() {
    let world = World::new().await;
    // Upright after a quarter turn to the right: what was left is on top.
    let source = turned_jpeg(&two_colours(400, 200), 6);
    let (image, content_type, _) = thumbnail(&world, &source, ask(96, 192, Method::Scale)).await;
    assert_eq!((image.dimensions(), content_type.as_str()), ((96, 192), "image/jpeg"));
    let (top, bottom) = (image.get_pixel(48, 10), image.get_pixel(48, 180));
    assert!(top[0] > 200 && top[2] < 50, "{top:?}");
    assert!(bottom[2] > 200 && bottom[0] < 50, "{bottom:?}");
}

#[tokio::test]
async fn transparency_stays() {
    let world = World::new().await;
    let source = RgbaImage::from_pixel(200, 200, Rgba([0, 255, 0, 100]));
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let (image, content_type, _) = thumbnail(&world, &encoded(source.clone(), format), scale(96)).await;
        assert_eq!(content_type, "image/png");
        assert_eq!(image.get_pixel(50, 50), Rgba([0, 255, 0, 100]));
    }
}

#[tokio::test]
async fn thumbnail_is_made_once() {
    let world = World::new().await;
    let source = encoded(two_colours(300, 300), ImageFormat::Jpeg);
    let first = try_thumbnail(&world, &source, scale(90)).await.unwrap();
    let files = world.files();
    std::fs::remove_file(files.iter().find(|file| file.ends_with(hex(blake3::hash(&source)))).unwrap())
        .unwrap();
    // Not even the source is needed any more.
    let uri = world.upload(b"x").await.unwrap();
    let mut content = world.find(&uri).await.unwrap();
    content.hash = *blake3::hash(&source).as_bytes();
    assert_eq!(world.media.thumbnail(&content, scale(96)).await.unwrap(), first);
}

fn hex(hash: blake3::Hash) -> String {
    hash.to_hex().to_string()
}

#[tokio::test]
async fn image_at_the_limit_of_pixels_is_decoded_and_a_larger_one_is_not() {
    let world = World::with(|settings| settings.max_image_pixels = 100 * 100).await;
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let fits = encoded(two_colours(100, 100), format);
        assert_eq!(thumbnail(&world, &fits, scale(32)).await.0.dimensions(), (32, 32));
        let larger = encoded(two_colours(101, 100), format);
        let outcome = try_thumbnail(&world, &larger, scale(32)).await;
        assert!(matches!(outcome, Err(ThumbnailError::TooLarge)), "{format:?}: {outcome:?}");
    }
}

/// A PNG that claims 50,000 × 50,000 pixels: ten gigabytes of them in a few hundred bytes.
fn png_bomb() -> Vec<u8> {
    let mut png = encoded(RgbaImage::from_pixel(1, 1, Rgba([0; 4])), ImageFormat::Png);
    png[16..20].copy_from_slice(&50_000_u32.to_be_bytes());
    png[20..24].copy_from_slice(&50_000_u32.to_be_bytes());
    let checksum = crc(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    png
}

/// The checksum of PNG chunks (<https://www.w3.org/TR/png-3/#5CRC-algorithm>), bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A GIF that claims 65,535 × 65,535 pixels.
fn gif_bomb() -> Vec<u8> {
    let mut gif = gif(1, 1);
    gif[6..10].copy_from_slice(&[0xFF; 4]);
    gif
}

/// A JPEG that claims 65,500 × 65,500 pixels.
fn jpeg_bomb() -> Vec<u8> {
    let mut jpeg = encoded(two_colours(8, 8), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|marker| marker == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xFF, 0xDC, 0xFF, 0xDC]);
    jpeg
}

#[tokio::test]
async fn image_that_claims_to_be_huge_is_refused_before_it_is_decoded() {
    let world = World::new().await;
    for (kind, bomb) in [("png", png_bomb()), ("gif", gif_bomb()), ("jpeg", jpeg_bomb())] {
        let outcome = try_thumbnail(&world, &bomb, scale(32)).await;
        assert!(matches!(outcome, Err(ThumbnailError::TooLarge)), "{kind}: {outcome:?}");
    }
}

#[tokio::test]
async fn what_is_no_image_has_no_thumbnail() {
    let world = World::new().await;
    let png = encoded(two_colours(200, 200), ImageFormat::Png);
    let damaged_header = [&png[..20], &[0xFF; 40][..]].concat();
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>";
    for source in [&b""[..], b"x", b"%PDF-1.7", svg, b"BM\0\0\0\0\0\0\0\0\0\0", &png[..30], &damaged_header] {
        let outcome = try_thumbnail(&world, source, scale(32)).await;
        assert!(matches!(outcome, Err(ThumbnailError::NotAnImage)), "{source:?}: {outcome:?}");
    }
}

#[tokio::test]
async fn file_beyond_the_limit_of_bytes_is_not_decoded() {
    let world = World::with(|settings| settings.max_image_bytes = 100).await;
    let source = encoded(two_colours(200, 200), ImageFormat::Jpeg);
    let outcome = try_thumbnail(&world, &source, scale(32)).await;
    assert!(matches!(outcome, Err(ThumbnailError::TooLarge)), "{outcome:?}");
}

#[tokio::test]
async fn thumbnail_of_no_size_is_refused() {
    let world = World::new().await;
    let source = encoded(two_colours(200, 200), ImageFormat::Png);
    for (width, height) in [(0, 32), (32, 0), (0, 0)] {
        let outcome = try_thumbnail(&world, &source, ask(width, height, Method::Crop)).await;
        assert!(matches!(outcome, Err(ThumbnailError::NoSize)), "{outcome:?}");
    }
}

#[tokio::test]
async fn many_who_ask_at_once_are_served_by_few_workers() {
    let world = World::with(|settings| {
        settings.image_workers = 1;
        settings.image_queue = 40;
    })
    .await;
    let source = encoded(two_colours(500, 500), ImageFormat::Png);
    let uri = world.upload(&source).await.unwrap();
    let content = world.find(&uri).await.unwrap();
    let asking = (0..40).map(|_| world.media.thumbnail(&content, scale(96)));
    let made = futures_util::future::join_all(asking).await;
    assert!(made.iter().all(|one| one.as_ref().unwrap() == made[0].as_ref().unwrap()));
}

#[tokio::test]
async fn more_than_may_wait_are_told_to_come_back() {
    let world = World::with(|settings| {
        settings.image_workers = 1;
        settings.image_queue = 2;
    })
    .await;
    let source = encoded(two_colours(500, 500), ImageFormat::Png);
    let uri = world.upload(&source).await.unwrap();
    let content = world.find(&uri).await.unwrap();
    let asking = (0..10).map(|_| world.media.thumbnail(&content, scale(96)));
    let made = futures_util::future::join_all(asking).await;
    let busy = made.iter().filter(|made| matches!(made, Err(ThumbnailError::Busy))).count();
    assert_eq!(busy, 7);
    assert!(world.media.thumbnail(&content, scale(96)).await.is_ok());
}
