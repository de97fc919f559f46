//! Images: decoding within bounds, shrinking, encoding. Slow work, to be done on a blocking thread.
//!
//! What an image is, its bytes decide; what its uploader called it does not matter.

use std::{
    fs::File,
    io::{BufReader, Seek as _},
    path::Path,
};

use image::{
    DynamicImage, ImageDecoder, ImageEncoder as _, ImageError, ImageFormat, ImageReader, ImageResult, Limits,
    codecs::{
        gif::GifDecoder,
        jpeg::{JpegDecoder, JpegEncoder},
        png::{PngDecoder, PngEncoder},
        webp::WebPDecoder,
    },
    error::ImageFormatHint,
    imageops::FilterType,
    metadata::Orientation,
};

use crate::sizes::{Plan, ThumbnailRequest, plan};

/// The quality of JPEG thumbnails, out of 100.
const JPEG_QUALITY: u8 = 85;
/// A decoder may use so much memory beside the pixels.
const DECODER_BYTES: u64 = 64 << 20;
/// A colour profile up to this size goes with the thumbnail.
const MAX_PROFILE_BYTES: usize = 64 << 10;
/// An image is first shrunk coarsely to so many times the final size, then finely.
const COARSE: u32 = 2;

/// What became of an image.
#[derive(Debug)]
pub(crate) enum Made {
    /// The file itself is small enough, and stands still.
    Original {
        /// What its bytes are.
        content_type: &'static str,
    },
    /// A new image.
    Encoded {
        /// The image's file.
        bytes: Vec<u8>,
        /// What it is.
        content_type: &'static str,
    },
}

/// Why nothing was made.
#[derive(Debug)]
pub(crate) enum PictureError {
    NotAnImage,
    TooLarge,
    File(std::io::Error),
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::Limits(_) => Self::TooLarge,
            // A file that ends too early is damaged; only other failures to read it are ours.
            ImageError::IoError(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
                match error.kind() {
                    std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => Self::NotAnImage,
                    _ => Self::File(error),
                }
            }
            _ => Self::NotAnImage,
        }
    }
}

/// Makes a still thumbnail of the image in a file. Of an animation it shows the first frame.
pub(crate) fn thumbnail(path: &Path, asked: ThumbnailRequest, max_pixels: u64) -> Result<Made, PictureError> {
    let mut source = open(path, max_pixels)?;
    let (width, height) = source.decoder.dimensions();
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(PictureError::TooLarge);
    }
    // Without a readable orientation the image stands as it lies.
    let orientation = source.decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let lies_on_its_side = swaps_sides(orientation);
    let seen = if lies_on_its_side { (height, width) } else { (width, height) };
    let plan = plan(seen, asked);
    if plan == Plan::Whole && !source.moves {
        return Ok(Made::Original { content_type: source.format.to_mime_type() });
    }
    let profile = colour_profile(&mut source.decoder);
    let mut image = DynamicImage::from_decoder(source.decoder)?;
    image.apply_orientation(orientation);
    let image = match plan {
        Plan::Whole => image,
        Plan::Shrink { part, size } => shrink(image, part, size),
    };
    let (bytes, content_type) = encode(image, source.format, profile)?;
    Ok(Made::Encoded { bytes, content_type })
}

struct Source {
    decoder: Box<dyn ImageDecoder>,
    format: ImageFormat,
    /// Whether it is, or may be, an animation.
    moves: bool,
}

fn open(path: &Path, max_pixels: u64) -> Result<Source, PictureError> {
    let file = BufReader::new(File::open(path).map_err(PictureError::File)?);
    let reader = ImageReader::new(file).with_guessed_format().map_err(PictureError::File)?;
    let format = reader.format().ok_or(PictureError::NotAnImage)?;
    let mut file = reader.into_inner();
    file.rewind().map_err(PictureError::File)?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_pixels.saturating_mul(4).saturating_add(DECODER_BYTES));
    let (mut decoder, moves) = decoder(file, format, &limits)?;
    limits.reserve(decoder.total_bytes())?;
    decoder.set_limits(limits)?;
    Ok(Source { decoder, format, moves })
}

fn decoder(
    file: BufReader<File>,
    format: ImageFormat,
    limits: &Limits,
) -> ImageResult<(Box<dyn ImageDecoder>, bool)> {
    Ok(match format {
        ImageFormat::Jpeg => (Box::new(JpegDecoder::new(file)?), false),
        ImageFormat::Png => {
            let decoder = PngDecoder::with_limits(file, limits.clone())?;
            let moves = decoder.is_apng()?;
            (Box::new(decoder), moves)
        }
        ImageFormat::Gif => (Box::new(GifDecoder::new(file)?), true),
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(file)?;
            let moves = decoder.has_animation();
            (Box::new(decoder), moves)
        }
        other => return Err(ImageError::Unsupported(ImageFormatHint::Exact(other).into())),
    })
}

fn swaps_sides(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

/// The colour profile, where it still fits the pixels once they are decoded to red, green and blue.
fn colour_profile(decoder: &mut Box<dyn ImageDecoder>) -> Option<Vec<u8>> {
    let original = decoder.original_color_type();
    let is_rgb = original.channel_count() >= 3 && original != image::ExtendedColorType::Cmyk8;
    let profile = decoder.icc_profile().ok().flatten();
    profile.filter(|profile| is_rgb && profile.len() <= MAX_PROFILE_BYTES)
}

fn shrink(image: DynamicImage, part: (u32, u32, u32, u32), size: (u32, u32)) -> DynamicImage {
    let (left, top, width, height) = part;
    let whole = (image.width(), image.height()) == (width, height);
    let image = if whole { image } else { image.crop_imm(left, top, width, height) };
    if (width, height) == size {
        return image;
    }
    let coarse = (size.0.saturating_mul(COARSE), size.1.saturating_mul(COARSE));
    let image =
        if width > coarse.0 && height > coarse.1 { image.thumbnail_exact(coarse.0, coarse.1) } else { image };
    image.resize_exact(size.0, size.1, FilterType::CatmullRom)
}

/// Drawings stay sharp as PNG, and so does what is partly transparent; photographs become JPEG.
fn encode(
    image: DynamicImage,
    format: ImageFormat,
    profile: Option<Vec<u8>>,
) -> ImageResult<(Vec<u8>, &'static str)> {
    let mut bytes = Vec::new();
    let drawing = matches!(format, ImageFormat::Png | ImageFormat::Gif);
    if drawing || image.color().has_alpha() {
        let mut encoder = PngEncoder::new(&mut bytes);
        if let Some(profile) = profile {
            // A profile that cannot go along is left behind.
            let _ = encoder.set_icc_profile(profile);
        }
        let image = if image.color().has_alpha() {
            DynamicImage::ImageRgba8(image.into_rgba8())
        } else {
            DynamicImage::ImageRgb8(image.into_rgb8())
        };
        image.write_with_encoder(encoder)?;
        Ok((bytes, ImageFormat::Png.to_mime_type()))
    } else {
        let mut encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
        if let Some(profile) = profile {
            let _ = encoder.set_icc_profile(profile);
        }
        DynamicImage::ImageRgb8(image.into_rgb8()).write_with_encoder(encoder)?;
        Ok((bytes, ImageFormat::Jpeg.to_mime_type()))
    }
}
