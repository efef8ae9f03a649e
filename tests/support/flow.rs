//! What a run passes through from its opening to its receipt, with the examples of the catalog.

use super::{Client, Value, json};
use std::{collections::BTreeMap, fs, path::PathBuf};

/// One of the two examples that each flight sheet comes with: `pass` or `fail`.
#[derive(Clone, Debug)]
pub struct Example {
    /// The flight sheet's slug.
    pub sheet: String,
    /// The run's inputs.
    pub inputs: Value,
    /// Label and text of each note.
    pub evidence: Vec<(String, String)>,
    /// The agent's output, as its author wrote it.
    pub output: String,
}

impl Example {
    /// The example of a sheet.
    pub fn of(sheet: &str, case: &str) -> Self {
        let read = |name: String| fs::read_to_string(catalog().join(sheet).join(name)).unwrap();
        let run: Value = serde_json::from_str(&read(format!("{case}.run.json"))).unwrap();
        let text = |note: &Value, key: &str| note[key].as_str().unwrap().to_owned();
        let notes = run["evidence"].as_array().into_iter().flatten();
        Self {
            sheet: sheet.to_owned(),
            inputs: run["inputs"].clone(),
            evidence: notes.map(|note| (text(note, "label"), text(note, "content"))).collect(),
            output: read(format!("{case}.json")),
        }
    }

    /// All of them, by sheet and case.
    pub fn all() -> BTreeMap<(String, &'static str), Self> {
        let sheets = fs::read_dir(catalog()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        sheets.flat_map(|sheet| ["pass", "fail"].map(|case| ((sheet.clone(), case), Self::of(&sheet, case)))).collect()
    }
}

fn catalog() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "catalog", "examples"].iter().collect()
}

/// A sheet that needs no person and whose passing example flags nothing.
pub const SHEET: &str = "cre_memo_dscr_ltv_v1";
/// A sheet with two checks that a person grades.
pub const GRADED: &str = "comp_data_privacy_gdpr_v1";

/// The id of a record.
#[track_caller]
pub fn id(record: &Value) -> String {
    record["id"].as_str().unwrap_or_else(|| panic!("no id in {record}")).to_owned()
}

impl Client {
    /// The id of a new project.
    pub async fn project(&self, name: &str) -> String {
        id(&self.post("/projects").json(json!({ "name": name })).await.created())
    }

    /// The id of a new run on a sheet, in a project of its own.
    pub async fn open(&self, sheet: &str) -> String {
        let project = self.project("Bridge").await;
        id(&self.post("/runs").json(json!({ "project_id": project, "flight_sheet_id": sheet })).await.created())
    }

    /// The id of a run that has everything an example gives it, and the example's work.
    pub async fn submitted(&self, example: &Example) -> String {
        let project = self.project("Bridge").await;
        let new = json!({ "project_id": project, "flight_sheet_id": example.sheet, "inputs": example.inputs });
        let run = id(&self.post("/runs").json(new).await.created());
        for (label, content) in &example.evidence {
            let note = json!({ "kind": "note", "label": label, "content": content });
            self.post(&format!("/runs/{run}/evidence")).json(note).await.created();
        }
        let work = self.post(&format!("/runs/{run}/submission"));
        work.body("application/json", example.output.clone()).await.created();
        run
    }

    /// The same, audited.
    pub async fn audited(&self, example: &Example) -> (String, Value) {
        let run = self.submitted(example).await;
        let audit = self.post(&format!("/runs/{run}/audit")).await.ok();
        (run, audit)
    }

    /// The id of an approved run without a flag.
    pub async fn approved(&self) -> String {
        let (run, _) = self.audited(&Example::of(SHEET, "pass")).await;
        self.decide(&run, json!({ "decision": "approved" })).await;
        run
    }

    /// A receipt, with the id of its run.
    pub async fn minted(&self) -> (String, Value) {
        let run = self.approved().await;
        let receipt = self.post(&format!("/runs/{run}/receipt")).await.ok();
        (run, receipt)
    }

    /// Decides on a run.
    pub async fn decide(&self, run: &str, decision: Value) -> Value {
        self.post(&format!("/runs/{run}/approve")).json(decision).await.ok()
    }

    /// Where a run stands.
    pub async fn status(&self, run: &str) -> String {
        let run = self.get(&format!("/runs/{run}")).await.ok();
        run["status"].as_str().unwrap().to_owned()
    }

    /// The secret of a new API key of the caller's organisation.
    pub async fn api_key(&self, role: &str) -> (String, String) {
        let path = format!("/api/v1/orgs/{}/api-keys", self.org_id());
        let key = self.post(&path).json(json!({ "name": role, "role": role })).await.created();
        (id(&key), key["secret"].as_str().expect("the secret is shown once").to_owned())
    }
}

/// The path behind the host of a link to the service.
pub fn path_of(link: &Value) -> String {
    reqwest::Url::parse(link.as_str().unwrap()).unwrap().path().to_owned()
}

/// SHA-256, as hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(bytes))
}

/// The canonical form of what is no floating-point number, as somebody else than the service would write it: keys by
/// code point, no white space.
pub fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<_, _> = fields.iter().collect();
            let fields = sorted.into_iter().map(|(key, value)| format!("{}:{}", json!(key), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Number(number) => {
            assert!(number.is_i64() || number.is_u64(), "a receipt carries no floating-point number: {number}");
            number.to_string()
        }
        plain => plain.to_string(),
    }
}
