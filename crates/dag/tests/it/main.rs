//! Tests of `parvis-dag`, one module for each subject.
