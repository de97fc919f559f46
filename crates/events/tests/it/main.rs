//! Tests of `parvis-events`, one module for each subject.
#![expect(clippy::unwrap_used, reason = "tests")]

mod draft;
mod world;
