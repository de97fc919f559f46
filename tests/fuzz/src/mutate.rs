//! Damage to JSON: of its text, and of its meaning.

use parvis_ambient::{Chance, SeededChance};
use serde_json::{Map, Value, json};

/// Makes damage, the same for the same seed.
pub(crate) struct Damage(SeededChance);

impl Damage {
    pub(crate) fn new(seed: u64) -> Self {
        Self(SeededChance::new(seed))
    }

    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.0.number() % (end.max(1) as u64)).unwrap_or_default()
    }

    /// A value that nobody expects.
    fn odd(&self) -> Value {
        let deep = || (0..self.below(200)).fold(json!(1), |inner, _| json!([inner]));
        match self.below(14) {
            0 => Value::Null,
            1 => json!(-1),
            2 => json!(i64::MAX),
            3 => json!(9_007_199_254_740_992_i64),
            4 => json!(1.5),
            5 => json!(""),
            6 => json!("@a:\u{0}"),
            7 => json!("x".repeat(self.below(70_000))),
            8 => json!([]),
            9 => json!({}),
            10 => deep(),
            11 => json!(true),
            12 => json!("\u{1F600}\u{FFFF}"),
            _ => json!({ "a": { "b": [1, null, { "c": "d" }] } }),
        }
    }

    /// Damages the meaning, in some places.
    pub(crate) fn value(&self, value: &mut Value) {
        for _ in 0..=self.below(3) {
            self.once(value, 0);
        }
    }

    fn once(&self, value: &mut Value, depth: usize) {
        match value {
            Value::Object(map) if !map.is_empty() && (depth == 0 || self.below(3) > 0) => {
                self.object(map, depth)
            }
            Value::Array(list) if !list.is_empty() && self.below(3) > 0 => {
                let index = self.below(list.len());
                match self.below(4) {
                    0 => drop(list.remove(index)),
                    1 => list.extend(vec![list[index].clone(); self.below(40)]),
                    _ => self.once(&mut list[index], depth + 1),
                }
            }
            other => *other = self.odd(),
        }
    }

    fn object(&self, map: &mut Map<String, Value>, depth: usize) {
        let key = map.keys().nth(self.below(map.len())).cloned().unwrap_or_default();
        match self.below(8) {
            0 => drop(map.remove(&key)),
            1 => drop(map.insert(key, self.odd())),
            2 => drop(map.insert(self.0.text(3), self.odd())),
            _ => {
                if let Some(inner) = map.get_mut(&key) {
                    self.once(inner, depth + 1);
                }
            }
        }
    }

    /// Damages the text, in some places.
    pub(crate) fn text(&self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.insert(at, u8::try_from(self.below(256)).unwrap_or_default()),
                3 => {
                    let piece = b"\"}]{[:,\\u0000\xff\xfe-0.1e9"[self.below(20)..].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
    }
}
