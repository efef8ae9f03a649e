//! The OpenAPI document of the service under test, and the check that a reply keeps it.

use super::{Method, Problem, Reply, Value, json};
use jsonschema::{Registry, Validator};
use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
};

/// Under this name the document is known to the schemas that refer into it.
const DOCUMENT: &str = "urn:openapi";

/// The codes of the one error shape, by status.
const CODES: [(u16, &[&str]); 12] = [
    // A body that parses but breaks a rule is 400 on the runs surface and 422 on the other.
    (400, &["BAD_REQUEST", "VALIDATION_ERROR"]),
    (401, &["UNAUTHORIZED"]),
    (403, &["FORBIDDEN"]),
    (404, &["NOT_FOUND"]),
    (405, &["METHOD_NOT_ALLOWED"]),
    (409, &["CONFLICT"]),
    (412, &["PRECONDITION_FAILED"]),
    (413, &["PAYLOAD_TOO_LARGE"]),
    (415, &["UNSUPPORTED_MEDIA_TYPE"]),
    (422, &["VALIDATION_ERROR"]),
    (429, &["RATE_LIMITED"]),
    (503, &["UNAVAILABLE"]),
];

/// One operation of the document.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Its `operationId`.
    pub id: String,
    /// Its method.
    pub method: Method,
    /// Its path with `{parameters}`.
    pub path: String,
    /// What the document says of it.
    pub says: Value,
}

impl Operation {
    /// Whether it asks for a credential.
    pub fn is_public(&self) -> bool {
        let none = |need: &Value| need.as_object().is_some_and(serde_json::Map::is_empty);
        self.says["security"].as_array().is_some_and(|needs| needs.is_empty() || needs.iter().any(none))
    }

    /// The permission that it needs: `read`, `work`, `judge` or `administer`.
    pub fn permission(&self) -> Option<&str> {
        self.says["x-permission"].as_str()
    }

    /// How many literal segments of the path match, if it is this operation's; the more, the better the match.
    fn matches(&self, method: &Method, path: &str) -> Option<usize> {
        let (mine, theirs) = (self.path.split('/'), path.split('/'));
        let same_length = mine.clone().count() == theirs.clone().count();
        let open = |segment: &str| segment.starts_with('{');
        let fits = mine.clone().zip(theirs).all(|(mine, theirs)| mine == theirs || open(mine) && !theirs.is_empty());
        (self.method == *method && same_length && fits).then(|| mine.filter(|segment| !open(segment)).count())
    }
}

/// The document, ready to check replies.
#[derive(Debug)]
pub struct Contract {
    document: Arc<Value>,
    registry: Registry<'static>,
    operations: Vec<Operation>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
    answered: Answered,
}

static CONTRACT: OnceLock<Contract> = OnceLock::new();

impl Contract {
    /// Fetches the document from the first service that this process starts; all others are the same binary.
    pub(super) async fn learn(url: &str) {
        if CONTRACT.get().is_none() {
            let answer = reqwest::get(format!("{url}/openapi.json")).await.unwrap();
            let document = answer.json().await.expect("/openapi.json is a JSON document");
            CONTRACT.get_or_init(|| Self::new(document, Path::new(env!("CARGO_TARGET_TMPDIR")).join("answered")));
        }
    }

    /// The document of the services that this process starts.
    pub fn get() -> &'static Self {
        CONTRACT.get().expect("a service has been started")
    }

    /// A document, with the folder for notes on which operations answered.
    pub fn new(document: Value, notes: PathBuf) -> Self {
        let registry = Registry::new().add(DOCUMENT, document.clone()).unwrap().prepare().unwrap();
        let operations = operations(&document);
        let answered = Answered { folder: notes, seen: Mutex::default() };
        Self { document: Arc::new(document), registry, operations, validators: Mutex::default(), answered }
    }

    /// The document itself.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// Its operations.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operations that no test has had a success from, since the folder of notes was last removed.
    pub fn unanswered(&self) -> Vec<&str> {
        let answered = self.answered.all();
        self.operations.iter().map(|operation| operation.id.as_str()).filter(|id| !answered.contains(*id)).collect()
    }

    /// Holds a reply against the document; the error says what is amiss.
    pub fn check(&self, method: &Method, path: &str, reply: &Reply) -> Result<(), String> {
        let status = reply.status.as_u16();
        if *method == Method::HEAD || *method == Method::OPTIONS {
            return Ok(());
        }
        if status >= 400 {
            check_problem(reply)?;
        }
        let Some(operation) = self.find(method, path) else {
            let stray = matches!(status, 404 | 405);
            return if stray { Ok(()) } else { Err("the document has no such operation".to_owned()) };
        };
        let (key, response) = self.documented(operation, status)?;
        match response["content"].as_object() {
            None if reply.body.is_empty() => {}
            None => return Err("the document gives it no body".to_owned()),
            Some(content) => self.check_body(operation, key, content, reply)?,
        }
        if status == 201 && reply.header("location").is_none() {
            return Err("what creates says where, in `Location`".to_owned());
        }
        if reply.status.is_success() {
            self.answered.note(&operation.id);
        }
        Ok(())
    }

    fn find(&self, method: &Method, path: &str) -> Option<&Operation> {
        let path = path.split('?').next().unwrap_or(path);
        // The runs surface answers under /api/v1 as well, undocumented.
        let twin = path.strip_prefix("/api/v1");
        let best = |path: &str| {
            // A path that is written out is never a parameter of another.
            let written_out = self.operations.iter().any(|operation| operation.path == path);
            let operations = self.operations.iter().filter(|operation| !written_out || operation.path == path);
            let fits = operations.filter_map(|operation| Some((operation.matches(method, path)?, operation)));
            fits.max_by_key(|(literal, _)| *literal).map(|(_, operation)| operation)
        };
        best(path).or_else(|| best(twin?))
    }

    /// The response that the document has for a status, under its own key or that of a range.
    fn documented<'a>(&'a self, operation: &'a Operation, status: u16) -> Result<(String, &'a Value), String> {
        let responses = &operation.says["responses"];
        let keys = [status.to_string(), format!("{}XX", status / 100), "default".to_owned()];
        let found = keys.into_iter().find_map(|key| responses.get(&key).map(|response| (key, response)));
        let (key, response) = found.ok_or_else(|| format!("{} has no response {status}", operation.id))?;
        match response["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            None => Ok((key, response)),
            Some(pointer) => {
                Ok((key, self.document.pointer(pointer).ok_or_else(|| format!("{pointer} leads nowhere"))?))
            }
        }
    }

    fn check_body(
        &self,
        operation: &Operation,
        key: String,
        content: &serde_json::Map<String, Value>,
        reply: &Reply,
    ) -> Result<(), String> {
        let kind = reply.media_type().ok_or("it has no content type")?;
        let described = content.get(kind).ok_or_else(|| format!("{} does not answer {kind}", operation.id))?;
        let is_json = kind == "application/json" || kind.ends_with("+json");
        let Some(schema) = described.get("schema").filter(|_| is_json) else {
            return Ok(());
        };
        let body = serde_json::from_slice(&reply.body).map_err(|error| format!("no JSON: {error}"))?;
        let validator = self.validator(format!("{} {key} {kind}", operation.id), schema)?;
        let faults: Vec<_> =
            validator.iter_errors(&body).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
        if faults.is_empty() { Ok(()) } else { Err(faults.join("; ")) }
    }

    /// The validator of one documented body; made once, since that costs more than using it.
    fn validator(&self, name: String, schema: &Value) -> Result<Arc<Validator>, String> {
        let mut validators = self.validators.lock().unwrap();
        if let Some(validator) = validators.get(&name) {
            return Ok(validator.clone());
        }
        let schema = anchored(schema);
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).with_registry(&self.registry);
        let validator = options.should_validate_formats(true).build(&schema);
        let validator = Arc::new(validator.map_err(|error| format!("its schema is none: {error}"))?);
        validators.insert(name, validator.clone());
        Ok(validator)
    }
}

/// The schema with its references into the document spelled in full. A named component is also closed: a field that
/// the document does not know is a fault, since no generated client would see it.
fn anchored(schema: &Value) -> Value {
    match schema["$ref"].as_str() {
        Some(reference) => json!({ "$ref": format!("{DOCUMENT}{reference}"), "unevaluatedProperties": false }),
        None => spelled_in_full(schema),
    }
}

fn spelled_in_full(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(at)) if at.starts_with('#') => (key.clone(), format!("{DOCUMENT}{at}").into()),
                _ => (key.clone(), spelled_in_full(value)),
            })
            .collect(),
        Value::Array(items) => items.iter().map(spelled_in_full).collect(),
        plain => plain.clone(),
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("the document has paths");
    let mut operations = Vec::new();
    for (path, item) in paths {
        for (method, says) in item.as_object().into_iter().flatten() {
            // Beside methods, a path item may hold `parameters`, `summary` and the like.
            let Some(id) = says["operationId"].as_str() else { continue };
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let mut says = says.clone();
            if says.get("security").is_none() {
                says["security"] = document["security"].clone();
            }
            operations.push(Operation { id: id.to_owned(), method, path: path.clone(), says });
        }
    }
    operations
}

/// The one error shape: its fields, its code, and no 500 whatever was sent.
fn check_problem(reply: &Reply) -> Result<(), String> {
    let status = reply.status.as_u16();
    if status == 500 {
        return Err("nothing that is sent may end in 500".to_owned());
    }
    let problem: Problem =
        serde_json::from_slice(&reply.body).map_err(|error| format!("not the error shape: {error}"))?;
    let known = CODES.iter().find(|(known, _)| *known == status);
    let (_, codes) = known.ok_or_else(|| format!("{status} is no status of errors"))?;
    if !codes.contains(&problem.code.as_str()) {
        return Err(format!("{status} has the code {}, not {}", codes.join(" or "), problem.code));
    }
    if problem.detail.trim().is_empty() {
        return Err("an error says what was wrong".to_owned());
    }
    if status == 429 && reply.header("retry-after").is_none() {
        return Err("429 says when to come again".to_owned());
    }
    Ok(())
}

/// Notes on which operations answered with success, shared by all test processes through a folder.
#[derive(Debug)]
struct Answered {
    folder: PathBuf,
    seen: Mutex<BTreeSet<String>>,
}

impl Answered {
    fn note(&self, id: &str) {
        if self.seen.lock().unwrap().insert(id.to_owned()) {
            fs::create_dir_all(&self.folder).unwrap();
            let file = self.folder.join(std::process::id().to_string());
            let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
            writeln!(file, "{id}").unwrap();
        }
    }

    fn all(&self) -> BTreeSet<String> {
        let files = fs::read_dir(&self.folder).into_iter().flatten();
        let texts = files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
        texts.flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }
}
