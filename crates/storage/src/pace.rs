//! When the database works: at once; or, where a simulation wants to see every order of things, when its turn
//! comes. Knows nothing of what the work is for.

use std::{any::Any, fmt, future::Future, pin::Pin, sync::Arc};

/// A piece of the database's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Work {
    /// A reading statement, by its name.
    Read(&'static str),
    /// A transaction, up to its commit.
    Write,
    /// The commit of a transaction: before it everything is lost by a crash, after it nothing is.
    Commit,
    /// What follows a commit: memory is brought up to date, and whoever waits is answered.
    Committed,
}

/// Held while a piece of work is done.
pub struct Turn(Option<Box<dyn Any + Send>>);

impl Turn {
    /// A turn whose end is noticed by whatever is dropped with it.
    pub fn noticed_by(token: impl Any + Send) -> Self {
        Self(Some(Box::new(token)))
    }

    /// A turn whose end nobody needs to notice.
    pub fn unnoticed() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Turn").field(&self.0.is_some()).finish()
    }
}

/// Says when the database works.
pub trait Pace: Send + Sync + fmt::Debug {
    /// Waits until a piece of work may be done.
    fn turn(&self, work: Work) -> Pin<Box<dyn Future<Output = Turn> + Send + '_>>;
}

/// The pace of a store; none is at once.
pub(crate) type StorePace = Option<Arc<dyn Pace>>;

/// Waits for the turn of a piece of work.
pub(crate) async fn turn(pace: &StorePace, work: Work) -> Turn {
    match pace {
        Some(pace) => pace.turn(work).await,
        None => Turn::unnoticed(),
    }
}
