//! What tests of the store need: work that leaves records, and the store's own commands.

use super::{Client, SHEET, Service, Value, id, json};
use std::process::Output;

/// A new project's id.
pub async fn project(caller: &Client) -> String {
    caller.project("Bridge").await
}

/// A new run's id.
pub async fn run(caller: &Client, project: &str) -> String {
    let body = json!({"project_id": project, "flight_sheet_id": SHEET, "title": "Span"});
    id(&caller.post("/runs").json(body).await.created())
}

/// A note as evidence.
pub fn note(content: &str) -> Value {
    json!({"kind": "note", "label": "a note", "content": content})
}

/// Takes a new run all the way to its receipt; answers its name.
pub async fn receipt(caller: &Client, project: &str) -> String {
    let run = format!("/runs/{}", run(caller, project).await);
    caller.post(&format!("{run}/submission")).json(json!({"output_text": "{}"})).await.created();
    let audit = caller.post(&format!("{run}/audit")).await.ok();
    for check in audit["checks"].as_array().unwrap().iter().filter(|check| check["status"] == "open") {
        let check = format!("{run}/checks/{}", check["id"].as_str().unwrap());
        caller.patch(&check).json(json!({"status": "pass"})).await.ok();
    }
    caller.post(&format!("{run}/findings")).await.json();
    caller.post(&format!("{run}/approve")).json(json!({"decision": "approved", "note": "fine"})).await.json();
    let receipt = caller.post(&format!("{run}/receipt")).await.json();
    receipt["receipt_id"].as_str().unwrap_or_else(|| panic!("no receipt: {receipt}")).to_owned()
}

impl Service {
    /// Runs a command on the store itself, such as `ledger verify`.
    pub fn on_store(&self, command: &[&str]) -> Output {
        let data = self.data();
        let url = self.database_url();
        let mut arguments = [command, &["--data", data.to_str().unwrap()]].concat();
        if let Some(url) = &url {
            arguments.extend(["--database-url", url]);
        }
        self.cli(&arguments)
    }

    /// The JSON that such a command answers with, and its exit code.
    pub fn told(&self, command: &[&str]) -> (Value, i32) {
        let output = self.on_store(&[command, &["--json"]].concat());
        let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{command:?}: {output:?}"));
        (told, output.status.code().unwrap())
    }

    /// Holds everything recorded, and every row of the read models, against the events.
    #[track_caller]
    pub fn expect_sound(&self) {
        for command in [["ledger", "verify"], ["projections", "check"]] {
            let (told, code) = self.told(&command);
            assert_eq!((&told["ok"], code), (&Value::Bool(true), 0), "{command:?}: {told:#}");
        }
    }
}
