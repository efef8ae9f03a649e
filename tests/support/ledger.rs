//! What tests of the store need: work that leaves records, the store's own commands, and hands that reach round the
//! service, as an attacker's would.

use super::{Client, Service, Value, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::process::Output;

/// A flight sheet of the library.
pub const SHEET: &str = "cre_memo_dscr_ltv_v1";

/// A new project's id.
pub async fn project(caller: &Client) -> String {
    id(&caller.post("/projects").json(json!({"name": "Bridge"})).await.created())
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

/// The id in an answer.
pub fn id(answer: &Value) -> String {
    answer["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
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

    /// A connection to the database itself.
    pub async fn intruder(&self) -> Intruder {
        match self.database_url() {
            None => {
                let url = format!("sqlite://{}", self.data().join("ledger.db").display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                connection.execute("PRAGMA busy_timeout = 20000").await.unwrap();
                Intruder::Sqlite(connection)
            }
            Some(url) => {
                let mut connection = PgConnection::connect(&url).await.unwrap();
                connection.execute("SET search_path = ledger, views").await.unwrap();
                Intruder::Postgres(connection)
            }
        }
    }
}

/// Somebody with full rights on the database.
#[derive(Debug)]
pub enum Intruder {
    /// With the embedded file in hand.
    Sqlite(SqliteConnection),
    /// With the owner's password.
    Postgres(PgConnection),
}

impl Intruder {
    /// Runs statements; `JSON` stands for the type of payloads.
    pub async fn run(&mut self, sql: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(connection) => connection.execute(sql.replace("JSON", "text").as_str()).await.map(drop),
            Self::Postgres(connection) => connection.execute(sql.replace("JSON", "json").as_str()).await.map(drop),
        }
        .map_err(|error| error.to_string())
    }

    /// A whole number.
    pub async fn number(&mut self, sql: &str) -> i64 {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }

    /// A text.
    pub async fn text(&mut self, sql: &str) -> String {
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await.unwrap(),
        }
    }

    /// The table that holds what readers see of a model.
    pub async fn table(&mut self, model: &str) -> String {
        let build = self.number(&format!("SELECT build FROM projections WHERE name = '{model}'")).await;
        format!("{model}_v{build}")
    }

    /// Takes the triggers away that make the ledger append-only.
    pub async fn disarm(&mut self) {
        let triggers = match self {
            Self::Sqlite(_) => {
                "SELECT group_concat('DROP TRIGGER ' || name, ';') FROM sqlite_master WHERE type = 'trigger'"
            }
            Self::Postgres(_) => {
                "SELECT string_agg(format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass), ';') \
                 FROM pg_trigger WHERE NOT tgisinternal"
            }
        };
        let drop = self.text(triggers).await;
        self.run(&drop).await.unwrap();
    }
}
