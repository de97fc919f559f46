//! Passwords: what a good one is, and Argon2 on a bounded number of blocking threads.

use std::{fmt, sync::Arc};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};
use parvis_ambient::Chance;
use tokio::sync::Semaphore;

use crate::settings::{PasswordCost, PasswordRules};

/// Longer passwords would make hashing itself a burden.
const LONGEST_BYTES: usize = 1024;

/// Why a password is not accepted: a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WeakPassword(pub String);

/// Why a password is not hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many wait for it already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The hashing failed; only a fault in the program can cause it.
    #[error("passwords cannot be hashed: {0}")]
    Failed(String),
}

/// How many passwords wait for each worker at most: about three seconds' work.
const QUEUE_PER_WORKER: usize = 64;

/// Hashes passwords, a few at a time. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// Who may wait or work.
    places: Arc<Semaphore>,
    /// Who may work.
    turns: Arc<Semaphore>,
    chance: Arc<dyn Chance>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Passwords")
    }
}

impl Passwords {
    /// A pool of so many workers. A cost that Argon2 does not accept is replaced by the default.
    pub(crate) fn new(cost: PasswordCost, workers: usize, chance: Arc<dyn Chance>) -> Self {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).unwrap_or_default();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let workers = workers.clamp(1, 1_024);
        let places = Arc::new(Semaphore::new(workers * QUEUE_PER_WORKER));
        Self { argon2, places, turns: Arc::new(Semaphore::new(workers)), chance }
    }

    /// The hash of a password with a new salt, in the form of PHC strings.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, HashError> {
        let mut salt = [0; 16];
        self.chance.fill(&mut salt);
        self.work(password, move |argon2, password| {
            let hash = argon2.hash_password_with_salt(password, &salt);
            hash.map(|hash: PasswordHash| hash.to_string())
                .map_err(|error| HashError::Failed(error.to_string()))
        })
        .await?
    }

    /// Whether a password has this hash. Without a hash the answer is no and takes as long, so that nobody
    /// learns by the time it took who has an account.
    pub(crate) async fn verify(&self, password: &str, hash: Option<String>) -> Result<bool, HashError> {
        self.work(password, move |argon2, password| match hash {
            Some(hash) => argon2.verify_password(password, &*hash).is_ok(),
            None => {
                let _: Result<PasswordHash, _> = argon2.hash_password_with_salt(password, &[0; 16]);
                false
            }
        })
        .await
    }

    async fn work<T: Send + 'static>(
        &self,
        password: &str,
        work: impl FnOnce(&Argon2<'static>, &[u8]) -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let _place = self.places.try_acquire().map_err(|_| HashError::Busy)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let (argon2, password) = (self.argon2.clone(), password.as_bytes().to_vec());
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&argon2, &password)
        });
        done.await.map_err(|error| HashError::Failed(error.to_string()))
    }
}

impl PasswordRules {
    /// Checks a new password.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn check(&self, password: &str) -> Result<(), WeakPassword> {
        let any = |test: fn(char) -> bool| password.chars().any(test);
        let broken = if password.chars().count() < self.min_length {
            format!("A password needs {} characters at least.", self.min_length)
        } else if password.len() > LONGEST_BYTES {
            format!("A password has {LONGEST_BYTES} bytes at most.")
        } else if self.needs_digit && !any(char::is_numeric) {
            "A password needs a digit.".to_owned()
        } else if self.needs_both_cases && !(any(char::is_uppercase) && any(char::is_lowercase)) {
            "A password needs a capital and a small letter.".to_owned()
        } else if self.needs_symbol && password.chars().all(char::is_alphanumeric) {
            "A password needs a character that is neither letter nor digit.".to_owned()
        } else {
            return Ok(());
        };
        Err(WeakPassword(broken))
    }
}

#[cfg(test)]
mod tests {
    use parvis_ambient::SeededChance;

    use super::*;

    fn passwords() -> Passwords {
        let cost = PasswordCost { memory_kib: 8, passes: 1 };
        Passwords::new(cost, 1, Arc::new(SeededChance::new(1)))
    }

    #[tokio::test]
    async fn only_the_password_itself_has_its_hash() {
        let passwords = passwords();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("battery staple", Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
        assert!(!passwords.verify("correct horse", Some("damaged".to_owned())).await.unwrap());
    }

    #[tokio::test]
    async fn hash_made_at_another_cost_still_holds() {
        let hash = passwords().hash("correct horse").await.unwrap();
        let dearer =
            Passwords::new(PasswordCost { memory_kib: 64, passes: 2 }, 1, Arc::new(SeededChance::new(2)));
        assert!(dearer.verify("correct horse", Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn those_who_would_wait_too_long_are_sent_away() {
        let passwords = passwords();
        let tries = (0..QUEUE_PER_WORKER + 8).map(|_| passwords.hash("correct horse"));
        let outcomes = futures_util::future::join_all(tries).await;
        let refused = outcomes.iter().filter(|outcome| matches!(outcome, Err(HashError::Busy))).count();
        assert_eq!(refused, 8);
        assert!(passwords.hash("correct horse").await.is_ok(), "the places are free again");
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let rules =
            PasswordRules { min_length: 8, needs_digit: true, needs_both_cases: true, needs_symbol: true };
        for weak in ["Sh0rt!", "NoDigit!!", "nocapital1!", "NoSymbol12"] {
            assert!(rules.check(weak).is_err(), "{weak}");
        }
        assert_eq!(rules.check("L0ng enough"), Ok(()));
        assert!(PasswordRules::default().check(&"x".repeat(1025)).is_err());
    }
}
