//! Reactors: what follows from an event in another aggregate.
//!
//! A reactor reads the ledger by position, at its own pace and behind whoever writes, and notes how far it is. It may meet
//! an event more than once: after a crash, or because another process reads as well. So what it does about an event has
//! ids that follow from the event ([`id_after`]), and doing it again changes nothing. One that fails waits and tries
//! again; writes go on meanwhile, and `/readyz` and `/metrics` tell.

use super::{App, Caller, Refused};
use aggregates::{
    ids::{Id, Kind},
    rulebooks::vocabulary::Severity,
    runs::RunEvent,
};
use futures::{FutureExt, future::BoxFuture};
use projections::{Happened, Recorded};
use prometheus::{IntCounterVec, IntGaugeVec, Opts};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::task::JoinHandle;
use uuid::Builder;

/// How many positions are looked through at a time.
const PAGE: i64 = 10_000;
/// How often the ledger is looked at when this process writes nothing: another process may.
const POLL: Duration = Duration::from_secs(2);
/// How long a reactor rests between two looks, so that a busy ledger is not read event by event.
const REST: Duration = Duration::from_millis(100);
/// The shortest and the longest wait of a reactor that has failed.
const PATIENCE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// A reactor.
#[derive(Clone, Copy)]
struct Reactor {
    /// Its name, under which it notes how far it is.
    name: &'static str,
    /// The events that it looks at, by their names on the ledger.
    events: &'static [&'static str],
    /// What it does about one of them. To do it again must change nothing.
    react: React,
}

type React = for<'a> fn(&'a App, &'a Recorded<'a>) -> BoxFuture<'a, Result<(), Refused>>;

/// All of them.
const REACTORS: [Reactor; 1] = [Reactor {
    name: "recurring_flags",
    events: &["profile_evaluated"],
    react: |app, event| flag_blocked_lane(app, event).boxed(),
}];

/// When an event has blocked a lane: an incident, and the lane is locked.
async fn flag_blocked_lane(app: &App, event: &Recorded<'_>) -> Result<(), Refused> {
    let Happened::Run(RunEvent::ProfileEvaluated(evaluation)) = &event.happened else { return Ok(()) };
    if evaluation.result.severity != Severity::Propolis {
        return Ok(());
    }
    let row = projections::agents::profile(app.db(), event.org(), evaluation.profile).await?;
    let lane = row.as_ref().and_then(|row| Some((row, row.record.lanes.get(&evaluation.sheet)?)));
    match lane {
        Some((row, lane)) if lane.blocked_by == Some(event.position) => {
            let id = id_after(event, "the incident over a blocked lane");
            app.raise_flag(&Caller::service(event.org()), row, lane, id, Some(event.id())).await.map(drop)
        }
        // It was blocked before, or is no longer.
        _ => Ok(()),
    }
}

/// The id of a record that follows from an event: the same whenever and wherever the event is met. `what` tells the records
/// apart that follow from one event. It sorts as if it were made when the event was recorded.
fn id_after<K: Kind>(event: &Recorded<'_>, what: &str) -> Id<K> {
    let mut hasher = blake3::Hasher::new_derive_key("defendable id after an event v1");
    for part in [event.org_id, event.aggregate_id, what] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    hasher.update(&event.position.to_le_bytes());
    let mut chance = [0; 10];
    hasher.finalize_xof().fill(&mut chance);
    let milliseconds = u64::try_from(event.recorded_at / 1_000).unwrap_or(0);
    Id::from_uuid(Builder::from_unix_timestamp_millis(milliseconds, &chance).into_uuid())
}

/// The reactors of this process, while they run, and their figures.
pub(super) struct Reactors {
    running: Mutex<Vec<JoinHandle<()>>>,
    pub(super) position: IntGaugeVec,
    pub(super) failures: IntCounterVec,
}

impl Reactors {
    pub(super) fn new() -> prometheus::Result<Self> {
        let position = Opts::new("defendable_reactor_position", "The last position that a reactor is done with");
        let failures = Opts::new("defendable_reactor_failures_total", "How often a reactor failed");
        let reactors = Self {
            running: Mutex::default(),
            position: IntGaugeVec::new(position, &["reactor"])?,
            failures: IntCounterVec::new(failures, &["reactor"])?,
        };
        for Reactor { name, .. } in REACTORS {
            // A series that is there before anything happens, so that an alert on it can be written.
            reactors.failures.with_label_values(&[name]);
        }
        Ok(reactors)
    }

    /// Ends them, wherever they are: what was not finished is met again.
    pub(super) fn stop(&self) {
        for task in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl App {
    /// Starts the reactors; they run until the service is closed.
    pub fn react(self: &Arc<Self>) {
        let mut running = self.reactors.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.extend(REACTORS.map(|reactor| tokio::spawn(reactor.run(Arc::clone(self)))));
    }
}

/// How far a reactor is.
#[derive(Clone, Copy, Default)]
struct Place {
    /// The last position that it is done with.
    at: i64,
    /// The last that was noted in the store.
    noted: i64,
    /// Whether the note says that it is stuck.
    stuck: bool,
}

impl Reactor {
    async fn run(self, app: Arc<App>) {
        let mut commits = app.store.reached();
        let mut place = None;
        let mut wait = PATIENCE[0];
        loop {
            match self.look(&app, &mut place).await {
                Ok(true) => {
                    // The appender ends with the store, and so does this.
                    if tokio::time::timeout(POLL, commits.changed()).await.is_ok_and(|changed| changed.is_err()) {
                        return;
                    }
                    wait = PATIENCE[0];
                    tokio::time::sleep(REST).await;
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(reactor = self.name, %error, "a reactor failed; it tries again");
                    app.reactors.failures.with_label_values(&[self.name]).inc();
                    tokio::time::sleep(wait).await;
                    wait = (2 * wait).min(PATIENCE[1]);
                }
            }
        }
    }

    /// Looks through the next page; answers whether that was the last for now.
    async fn look(self, app: &App, place: &mut Option<Place>) -> Result<bool, Refused> {
        let place = match place {
            Some(place) => place,
            None => {
                let at = app.store.reactor_at(self.name).await?;
                // Whoever was stuck when the process ended may no longer be: the first note says so.
                place.insert(Place { at, noted: at, stuck: true })
            }
        };
        let head = app.store.position().await?;
        let to = head.min(place.at + PAGE);
        let events = app.store.passed(place.at, to, self.events).await?;
        for event in &events {
            let reacted = match event.recorded() {
                Ok(recorded) => (self.react)(app, &recorded).await,
                Err(error) => Err(Refused::Fault(error.into())),
            };
            if let Err(error) = reacted {
                place.stuck = true;
                place.noted = place.at;
                app.store.note_reactor(self.name, place.at, Some(event.position())).await?;
                return Err(error);
            }
            place.at = event.position();
        }
        place.at = place.at.max(to);
        app.reactors.position.with_label_values(&[self.name]).set(place.at);
        // A note costs a commit, and without it only some events are met again.
        if place.stuck || !events.is_empty() || place.at - place.noted >= PAGE {
            app.store.note_reactor(self.name, place.at, None).await?;
            (place.noted, place.stuck) = (place.at, false);
        }
        Ok(to >= head)
    }
}
