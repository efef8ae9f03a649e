//! Any decider as a cqrs-es aggregate. The only file in this crate that names cqrs-es.

use crate::{Decider, Fact};
use cqrs_es::{Aggregate, DomainEvent, event_sink::EventSink};
use serde::{Deserialize, Serialize};

/// A decider in the shape that cqrs-es loads and tests.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent, bound = "D: Decider")]
pub struct Sourced<D>(pub D);

/// An event in the shape that cqrs-es stores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "E: Fact")]
pub struct Stored<E>(pub E);

impl<E: Fact> DomainEvent for Stored<E> {
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }

    fn event_version(&self) -> String {
        E::VERSION.to_owned()
    }
}

impl<D: Decider> Aggregate for Sourced<D> {
    const TYPE: &'static str = D::TYPE;
    type Command = D::Command;
    type Event = Stored<D::Event>;
    type Error = D::Refusal;
    type Services = ();

    async fn handle(&mut self, command: D::Command, _: &(), sink: &EventSink<Self>) -> Result<(), D::Refusal> {
        for event in self.0.decide(command)? {
            sink.write(Stored(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event.0);
    }
}
