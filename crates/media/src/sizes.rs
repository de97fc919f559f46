//! Which sizes thumbnails have: plain arithmetic.
//!
//! What clients ask for is rounded up to one of a few steps, so that an image has a bounded number of thumbnails,
//! and none is smaller than asked for.

/// How an image is fitted into the size asked for
/// (<https://spec.matrix.org/v1.19/client-server-api/#thumbnails>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Cut to the aspect ratio asked for.
    Crop,
    /// Whole, within the size asked for.
    Scale,
}

impl Method {
    /// The specification's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crop => "crop",
            Self::Scale => "scale",
        }
    }
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThumbnailRequest {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// How to fit the image.
    pub method: Method,
}

/// The steps, in pixels; among them the sizes which the specification recommends.
const STEPS: [u32; 13] = [32, 64, 96, 128, 192, 240, 320, 480, 600, 640, 800, 1200, 1600];

/// Stands for a side that is not bounded.
pub(crate) const UNBOUNDED: u32 = u32::MAX;

impl ThumbnailRequest {
    /// The request with its sides rounded up to steps; sides beyond the last step or the limit are not bounded.
    pub(crate) fn rounded(self, max_width: u32, max_height: u32) -> Self {
        let width = round_up(self.width, max_width);
        let height = round_up(self.height, max_height);
        // An unbounded side has no aspect ratio to cut to.
        match self.method {
            Method::Crop if width == UNBOUNDED || height == UNBOUNDED => {
                Self { width: UNBOUNDED, height: UNBOUNDED, ..self }
            }
            _ => Self { width, height, ..self },
        }
    }
}

fn round_up(side: u32, max: u32) -> u32 {
    STEPS.into_iter().find(|step| *step >= side && *step <= max).unwrap_or(UNBOUNDED)
}

/// What to do with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// It is small enough.
    Whole,
    /// Cut out a part, and shrink it.
    Shrink {
        /// From the left, from the top, width and height of the part.
        part: (u32, u32, u32, u32),
        /// Width and height of the result.
        size: (u32, u32),
    },
}

/// What to do with an image of this width and height. No result is larger than the image in any direction.
pub(crate) fn plan(image: (u32, u32), asked: ThumbnailRequest) -> Plan {
    if image.0 <= asked.width && image.1 <= asked.height {
        return Plan::Whole;
    }
    match asked.method {
        Method::Scale => Plan::Shrink {
            part: (0, 0, image.0, image.1),
            size: largest_within((asked.width, asked.height), image),
        },
        Method::Crop => {
            let (width, height) = largest_within(image, (asked.width, asked.height));
            Plan::Shrink {
                part: ((image.0 - width) / 2, (image.1 - height) / 2, width, height),
                size: (width.min(asked.width), height.min(asked.height)),
            }
        }
    }
}

/// The largest size within `bounds` that has the aspect ratio of `shape`.
fn largest_within(bounds: (u32, u32), shape: (u32, u32)) -> (u32, u32) {
    let (width, height) = (u64::from(shape.0), u64::from(shape.1));
    let (max_width, max_height) = (u64::from(bounds.0), u64::from(bounds.1));
    let side = |rounded: u64, max: u32| u32::try_from(rounded.max(1)).unwrap_or(u32::MAX).min(max);
    if width * max_height >= height * max_width {
        (bounds.0, side((height * max_width + width / 2) / width.max(1), bounds.1))
    } else {
        (side((width * max_height + height / 2) / height.max(1), bounds.0), bounds.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(width: u32, height: u32, method: Method) -> ThumbnailRequest {
        ThumbnailRequest { width, height, method }
    }

    #[test]
    fn request_is_rounded_up_to_a_step_and_never_down() {
        for (asked, rounded) in
            [(1, 32), (32, 32), (33, 64), (96, 96), (97, 128), (801, 1200), (1200, 1200), (1201, UNBOUNDED)]
        {
            let request = ask(asked, 240, Method::Scale).rounded(1200, 1200);
            assert_eq!((request.width, request.height), (rounded, 240), "{asked}");
        }
    }

    #[test]
    fn crop_beyond_the_limit_is_the_whole_image() {
        let request = ask(96, 5_000, Method::Crop).rounded(1600, 1200);
        assert_eq!(plan((9_000, 9_000), request), Plan::Whole);
    }

    #[test]
    fn image_is_never_enlarged() {
        let sides = [1, 2, 31, 32, 33, 95, 96, 97, 500, 4_000];
        for (width, height) in sides.into_iter().flat_map(|width| sides.map(|height| (width, height))) {
            for method in [Method::Crop, Method::Scale] {
                match plan((width, height), ask(96, 64, method)) {
                    Plan::Whole => assert!(width <= 96 && height <= 64),
                    Plan::Shrink { part, size } => {
                        assert!(size.0 >= 1 && size.1 >= 1, "{width}x{height} {method:?} {size:?}");
                        assert!(size.0 <= part.2 && size.1 <= part.3, "{width}x{height} {method:?} {size:?}");
                        assert!(part.0 + part.2 <= width && part.1 + part.3 <= height, "{part:?}");
                        assert!(size.0 <= 96 && size.1 <= 64, "{size:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn scaled_image_is_whole_and_fills_one_side() {
        for (image, size) in [
            ((1_000, 500), (320, 160)),
            ((500, 1_000), (120, 240)),
            ((640, 480), (320, 240)),
            ((10_000, 1), (320, 1)),
            ((100, 1_000), (24, 240)),
        ] {
            let part = (0, 0, image.0, image.1);
            assert_eq!(plan(image, ask(320, 240, Method::Scale)), Plan::Shrink { part, size });
        }
    }

    #[test]
    fn scaled_image_may_be_bounded_on_one_side_only() {
        let asked = ask(800, 10_000, Method::Scale).rounded(1600, 1200);
        let part = (0, 0, 1_600, 9_000);
        assert_eq!(plan((1_600, 9_000), asked), Plan::Shrink { part, size: (800, 4_500) });
    }

    #[test]
    fn cropped_image_is_cut_from_the_middle() {
        for (image, part, size) in [
            ((1_000, 500), (250, 0, 500, 500), (96, 96)),
            ((500, 1_000), (0, 250, 500, 500), (96, 96)),
            ((96, 97), (0, 0, 96, 96), (96, 96)),
            // Too narrow to fill the size without being enlarged: the ratio is kept, the size is not.
            ((50, 1_000), (0, 475, 50, 50), (50, 50)),
        ] {
            assert_eq!(plan(image, ask(96, 96, Method::Crop)), Plan::Shrink { part, size }, "{image:?}");
        }
    }
}
