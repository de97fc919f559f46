//! What chance brings in a simulation. Each question has a name and numbers of its own, and its answer depends on
//! these and the seed alone: what is asked elsewhere, or earlier, does not change it. So a run stays the same
//! though one more message was sent in it.

/// The chances that belong to a seed.
#[derive(Clone, Copy, Debug)]
pub struct Fate(u64);

/// The steps of the SplitMix64 generator, which scatters neighbouring numbers.
fn scatter(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Fate {
    /// The chances that belong to this seed.
    pub fn new(seed: u64) -> Self {
        Self(scatter(seed))
    }

    /// A random number for this question.
    pub fn number(&self, question: &str, about: &[u64]) -> u64 {
        let named = question.bytes().fold(self.0, |sum, byte| scatter(sum ^ u64::from(byte)));
        about.iter().fold(named, |sum, number| scatter(sum ^ number))
    }

    /// A number below `end`.
    pub fn below(&self, end: u64, question: &str, about: &[u64]) -> u64 {
        self.number(question, about) % end.max(1)
    }

    /// Whether it is one of `times` cases out of a thousand.
    pub fn per_mille(&self, times: u64, question: &str, about: &[u64]) -> bool {
        self.below(1000, question, about) < times
    }

    /// A chance of one's own, for what asks in an order that is always the same.
    pub fn stream(&self, question: &str, about: &[u64]) -> Stream {
        Stream { state: self.number(question, about) }
    }
}

/// Random numbers, one after the other.
#[derive(Clone, Debug)]
pub struct Stream {
    state: u64,
}

impl Stream {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(1);
        scatter(self.state)
    }

    /// The next number, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.number() % end.max(1)
    }

    /// An index into something of this length.
    pub fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// One of these.
    pub fn of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.index(choices.len())]
    }

    /// Whether it is one of `times` cases out of a hundred.
    pub fn percent(&mut self, times: u64) -> bool {
        self.below(100) < times
    }
}
