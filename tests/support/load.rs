//! Writers that note what they sent and what of it was acknowledged.

use super::{Client, StatusCode, Value, id, ledger::note};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// Writers at work.
#[derive(Debug)]
pub struct Load {
    noted: Arc<Noted>,
    writers: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Noted {
    /// What was acknowledged: the piece's id and what it says.
    acknowledged: Mutex<BTreeMap<String, String>>,
    /// How many requests were sent.
    sent: AtomicUsize,
    /// How many were answered with 503.
    unavailable: AtomicUsize,
    over: AtomicBool,
}

/// What the writers saw.
#[derive(Debug)]
pub struct Outcome {
    /// What was acknowledged: the piece's id and its content's digest.
    pub acknowledged: BTreeMap<String, String>,
    /// How many requests were sent.
    pub sent: usize,
    /// How many were answered with 503.
    pub unavailable: usize,
}

impl Load {
    /// Starts writers who attach evidence to the runs until they get no answer, or are told to end. Whatever else than a
    /// 201 or a 503 is answered fails the test.
    pub fn on(caller: &Client, runs: &[String]) -> Self {
        let noted = Arc::new(Noted::default());
        let mut writers = JoinSet::new();
        for (writer, run) in runs.iter().enumerate() {
            let (caller, noted, run) = (caller.clone(), noted.clone(), run.clone());
            writers.spawn(async move {
                for turn in 0_usize.. {
                    if noted.over.load(Ordering::Relaxed) {
                        return;
                    }
                    noted.sent.fetch_add(1, Ordering::Relaxed);
                    let content = format!("writer {writer}, turn {turn}");
                    let call = caller.post(&format!("/runs/{run}/evidence")).json(note(&content));
                    let Ok(reply) = call.attempt().await else { return };
                    if reply.status == StatusCode::SERVICE_UNAVAILABLE {
                        noted.unavailable.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    }
                    let piece = reply.created();
                    noted.acknowledged.lock().unwrap().insert(id(&piece), text(&piece["sha256"]));
                }
            });
        }
        Self { noted, writers }
    }

    /// How many pieces are acknowledged by now.
    pub fn acknowledged(&self) -> usize {
        self.noted.acknowledged.lock().unwrap().len()
    }

    /// How many 503s there were by now.
    pub fn unavailable(&self) -> usize {
        self.noted.unavailable.load(Ordering::Relaxed)
    }

    /// Waits until so many more pieces are acknowledged.
    pub async fn more(&self, pieces: usize) {
        let until = self.acknowledged() + pieces;
        let waited = async {
            while self.acknowledged() < until {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(tokio::time::timeout(Duration::from_secs(30), waited).await.is_ok(), "no writes are acknowledged");
    }

    /// Tells the writers to end.
    pub fn end(&self) {
        self.noted.over.store(true, Ordering::Relaxed);
    }

    /// Waits for the writers.
    pub async fn outcome(mut self) -> Outcome {
        while let Some(writer) = self.writers.join_next().await {
            writer.unwrap();
        }
        Outcome {
            acknowledged: self.noted.acknowledged.lock().unwrap().clone(),
            sent: self.noted.sent.load(Ordering::Relaxed),
            unavailable: self.unavailable(),
        }
    }
}

/// The pieces of evidence of these runs, with their digests.
pub async fn kept(caller: &Client, runs: &[String]) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    for run in runs {
        let shown = caller.get(&format!("/runs/{run}")).await.ok();
        let pieces = shown["evidence"].as_array().unwrap().iter();
        kept.extend(pieces.map(|piece| (id(piece), text(&piece["sha256"]))));
    }
    kept
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}
