//! Given what happened, when somebody asks, then this follows: the form of every decider's tests.

use crate::{Decider, Fact};
use std::fmt::Debug;

/// An aggregate to which these events have happened.
///
/// Each event goes through its stored form first, so that a test folds what the ledger would hold.
pub(crate) fn given<D: Decider>(events: impl IntoIterator<Item = D::Event>) -> Given<D> {
    let mut state = D::default();
    for event in events {
        state.evolve(&stored(event));
    }
    Given(state)
}

/// What has happened so far.
pub(crate) struct Given<D>(pub(crate) D);

impl<D: Decider> Given<D> {
    /// What the aggregate answers to the command.
    pub(crate) fn when(self, command: D::Command) -> Answer<D> {
        Answer(self.0.decide(command))
    }
}

/// What the aggregate answered.
#[must_use = "a test says what should follow"]
pub(crate) struct Answer<D: Decider>(Result<Vec<D::Event>, D::Refusal>);

impl<D: Decider> Answer<D> {
    /// Exactly these events follow; none: nothing was left to do.
    pub(crate) fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        let events: Vec<_> = self.0.expect("the command is accepted").into_iter().map(stored).collect();
        assert_eq!(events, expected.into_iter().collect::<Vec<_>>());
    }

    /// The command is refused, and so.
    pub(crate) fn refused(self, expected: D::Refusal)
    where
        D::Refusal: Debug + PartialEq,
    {
        assert_eq!(self.0, Err(expected));
    }
}

/// The event as it comes back from the ledger.
fn stored<E: Fact>(event: E) -> E {
    let text = serde_json::to_string(&event).expect("an event can be written");
    let read = serde_json::from_str(&text).expect("an event can be read back");
    assert_eq!(event, read, "an event reads back as it was");
    read
}
