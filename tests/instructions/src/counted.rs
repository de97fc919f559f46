//! What is counted, and what it is called. Callgrind begins to count when [`counted_begin`] is entered, and writes down
//! its figures, of all threads together, when [`counted_end`] is: one file for each path, in the order of the names that
//! are printed.

use std::hint::black_box;

/// Names the paths, and walks them.
#[derive(Debug, Default)]
pub(crate) struct Script {}

impl Script {
    /// Walks a path once to warm it up, then `times` times for the count. Each walk is told a number of its own.
    pub(crate) fn count(&mut self, name: &str, times: u32, mut walk: impl FnMut(u32)) {
        walk(0);
        self.at_once(name, times, || (1..=times).for_each(&mut walk));
    }

    /// Walks a path that holds the same work `times` times.
    pub(crate) fn at_once(&mut self, name: &str, times: u32, mut walk: impl FnMut()) {
        println!("{name}\t{times}");
        counted_begin();
        walk();
        counted_end();
    }
}

/// The task that reads the figures knows this function by its name.
#[inline(never)]
fn counted_begin() {
    black_box(());
}

/// And this one.
#[inline(never)]
fn counted_end() {
    black_box(());
}
