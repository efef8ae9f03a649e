//! The command line: the real binary against the real service. What a client does is the same on every store, so most of
//! this is tested on the embedded one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Instant,
};
use support::*;

/// A person at a terminal.
struct Terminal {
    home: PathBuf,
    environment: Vec<(&'static str, String)>,
}

/// What a command said.
#[derive(Debug)]
struct Told {
    code: i32,
    out: String,
    err: String,
}

impl Told {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// What a person is told.
    #[track_caller]
    fn text(&self) -> &str {
        assert_eq!(self.code, 0, "{self:?}");
        &self.out
    }

    /// Fails, with one line that says why.
    #[track_caller]
    fn fails(&self, code: i32, with: &str) {
        assert_eq!(self.code, code, "{self:?}");
        assert!(self.err.contains(with) && self.err.trim_end().lines().count() == 1, "{with}: {self:?}");
        assert!(!self.err.contains("panicked"), "{self:?}");
    }
}

impl Terminal {
    /// At the machine that the service runs on, with a home of its own.
    fn at(service: &Service) -> Self {
        Self { home: service.data().parent().unwrap().to_owned(), environment: vec![("DEFENDABLE_API", service.url())] }
    }

    /// The same, signed in.
    fn signed_in(service: &Service, email: &str) -> Self {
        let terminal = Self::at(service);
        let sent = terminal.run(&["auth", "login", "--email", email, "--json"]).json();
        terminal.run(&["auth", "verify", sent["dev_link"].as_str().unwrap()]).text();
        terminal
    }

    /// The same, with another environment.
    fn with(&self, environment: &[(&'static str, &str)]) -> Self {
        let environment = environment.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { home: self.home.clone(), environment }
    }

    fn run(&self, arguments: &[&str]) -> Told {
        self.piped(arguments, "")
    }

    fn piped(&self, arguments: &[&str], input: &str) -> Told {
        let mut child = Command::new(env!("CARGO_BIN_EXE_defendable"))
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever does not read its input may have ended already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Told { code: output.status.code().expect("no signal"), out: text(output.stdout), err: text(output.stderr) }
    }

    /// A file in the home folder.
    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.home.join(name), text).unwrap();
        name.to_owned()
    }

    fn credentials(&self) -> PathBuf {
        self.home.join(".defendable/credentials.json")
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[tokio::test]
async fn a_sign_in_is_kept_for_its_owner_alone_and_forgotten_on_both_sides() {
    let service = Service::start(Store::Embedded).await;
    let terminal = Terminal::at(&service);
    let nobody = terminal.run(&["auth", "status", "--json"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (2, "{\n  \"signed_in\": false\n}\n"));
    nobody.fails(2, "not signed in");
    terminal.run(&["projects", "ls"]).fails(2, "auth login");

    let told = terminal.run(&["auth", "login", "-e", "ada@example.org"]);
    let link = told.text().lines().find_map(|line| line.trim().strip_prefix("http")).map(|rest| format!("http{rest}"));
    let command = told.text().lines().find_map(|line| line.trim().strip_prefix("defendable ")).unwrap();
    let (_, token) = link.as_ref().unwrap().split_once("token=").unwrap();
    assert_eq!(command, format!("auth verify --api {} {token}", service.url()));
    terminal.run(&words(command)).text();
    terminal.run(&words(command)).fails(2, "API 401: ");

    let file = terminal.credentials();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let fields = ["api_base_url", "jwt", "user_email", "user_id", "org_id", "signed_in_at"];
    assert_eq!(keys(&saved["default"]), fields.into());
    assert_eq!(
        (&saved["default"]["api_base_url"], &saved["default"]["user_email"]),
        (&json!(service.url()), &json!("ada@example.org"))
    );

    let me = terminal.run(&["auth", "status", "--json"]).json();
    assert_eq!(
        (&me["signed_in"], &me["email"], &me["role"]),
        (&json!(true), &json!("ada@example.org"), &json!("admin"))
    );
    assert!(terminal.run(&["auth", "status"]).text().contains("ada@example.org"));
    // A profile is enough: the service is the one that was signed in to.
    let at_home = terminal.with(&[]);
    assert_eq!(at_home.run(&["auth", "status", "--json"]).json()["api"], json!(service.url()));
    // What a sign-in gave is sent to the service that it came from alone.
    at_home.run(&["projects", "ls", "--api", "http://127.0.0.1:9"]).fails(2, "not signed in to http://127.0.0.1:9");

    let jwt = saved["default"]["jwt"].as_str().unwrap().to_owned();
    let by_token = at_home.with(&[("DEFENDABLE_TOKEN", &jwt), ("DEFENDABLE_HOME", "/nonexistent")]);
    by_token.run(&["auth", "status", "--api", &service.url()]).text();
    assert_eq!(terminal.run(&["auth", "logout", "--json"]).json()["session_ended"], true);
    assert!(!file.exists());
    by_token.run(&["auth", "status", "--api", &service.url()]).fails(2, "API 401: ");
    let rejected = by_token.run(&["auth", "status", "--json", "--api", &service.url()]);
    assert_eq!((rejected.code, rejected.out.as_str()), (2, "{\n  \"signed_in\": false\n}\n"));
    terminal.run(&["auth", "logout"]).text();
}

#[tokio::test]
async fn who_is_asked_and_as_whom_is_settled_in_one_order() {
    let service = Service::start(Store::Embedded).await;
    let (ada, bob) = (service.sign_in("ada@example.org").await, service.sign_in("bob@example.org").await);
    let terminal = Terminal::signed_in(&service, "ada@example.org");
    let (_, key) = bob.api_key("viewer").await;
    let url = service.url();
    let whose = |environment: &[(&'static str, &str)], more: &[&str]| {
        let told = terminal.with(environment).run(&[&["auth", "status", "--json"], more].concat());
        (told.code, serde_json::from_str::<Value>(&told.out).ok().map(|me| me["org_id"].clone()))
    };
    let (adas, bobs) = (Some(json!(ada.org_id())), Some(json!(bob.org_id())));
    assert_eq!(whose(&[], &[]), (0, adas.clone()));
    assert_eq!(whose(&[("DEFENDABLE_TOKEN", &key)], &[]), (0, bobs.clone()), "the environment before the profile");
    assert_eq!(whose(&[("DEFENDABLE_TOKEN", "")], &[]), (0, adas.clone()), "an empty one is none");
    let nowhere = "http://127.0.0.1:9";
    assert_eq!(whose(&[("DEFENDABLE_API", nowhere)], &[]).0, 2);
    assert_eq!(whose(&[("DEFENDABLE_API", nowhere)], &["--api", &format!("{url}/")]), (0, adas), "the option first");
    assert_eq!(whose(&[("DEFENDABLE_API", nowhere), ("DEFENDABLE_TOKEN", &key)], &["--api", &url]), (0, bobs));
    let token = [("DEFENDABLE_TOKEN", key.as_str())];
    terminal.with(&token).run(&["runs", "ls", "--api", nowhere]).fails(1, "http://127.0.0.1:9 cannot be reached: ");
    let proxy = [("DEFENDABLE_TOKEN", key.as_str()), ("http_proxy", nowhere)];
    terminal.with(&proxy).run(&["runs", "ls", "--api", &url]).text();

    // A person of several organisations names one.
    service.colleague(&bob, "viewer", "ada@example.org").await;
    let asked = terminal.run(&["auth", "status", "--json", "--org", bob.org_id()]).json();
    assert_eq!((&asked["org_id"], &asked["role"]), (&json!(bob.org_id()), &json!("viewer")));
    let stranger = service.sign_in("eve@example.org").await;
    terminal.run(&["auth", "status", "--org", stranger.org_id()]).fails(1, "API 404: ");
}

#[tokio::test]
async fn a_run_goes_from_its_project_to_a_receipt_that_anyone_verifies() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    for (empty, says) in [
        (&["projects", "ls"][..], "no projects yet"),
        (&["runs", "ls"], "no such runs"),
        (&["ledger", "ls"], "no receipts"),
    ] {
        assert!(ada.run(empty).text().contains(says), "{empty:?}");
        assert_eq!(ada.run(&[empty, &["--json"]].concat()).out, "[]\n", "{empty:?}");
    }

    let project = ada.run(&["projects", "create", "--name", "Privacy review", "--json"]).json();
    assert_eq!(ada.run(&["projects", "ls", "--json"]).json()[0]["id"], project["id"]);
    let listed = ada.run(&["projects", "ls"]);
    let lines: Vec<_> = listed.text().lines().collect();
    assert_eq!(words(lines[0]), ["ID", "NAME", "SLUG", "RUNS", "CREATED"]);
    assert!(lines.len() == 2 && lines[1].contains("Privacy review"), "{lines:?}");

    let sheets = ada.run(&["flight-sheets", "ls", "--json"]).json();
    assert!(sheets.as_array().unwrap().iter().any(|sheet| sheet["slug"] == GRADED));
    let compute = ada.run(&["flight-sheets", "ls", "--lane", "compute", "--json"]).json();
    assert!(compute.as_array().unwrap().iter().all(|sheet| sheet["lane"] == "compute"));
    assert!(ada.run(&["flight-sheets", "ls"]).text().contains(GRADED));
    assert!(ada.run(&["flight-sheets", "show", GRADED]).text().contains("quotations_support_status"));
    assert_eq!(ada.run(&["flight-sheets", "show", GRADED, "--json"]).json()["slug"], GRADED);

    let example = Example::of(GRADED, "pass");
    let inputs = ada.file("inputs.json", &example.inputs.to_string());
    let slug = project["slug"].as_str().unwrap();
    for by in ["Privacy review", slug, project["id"].as_str().unwrap()] {
        let new = ["runs", "new", "-p", by, "-f", GRADED, "--title", "Autumn", "--inputs", &inputs, "--json"];
        assert_eq!(ada.run(&new).json()["inputs"], example.inputs, "{by}");
    }
    let new = ada.run(&["runs", "new", "--project", slug, "--title", "Without a sheet", "--json"]).json();
    assert_eq!(new["status"], "draft");
    assert!(ada.run(&["runs", "new", "-p", slug, "-f", GRADED]).text().contains("assignment_issued"));
    assert_eq!(ada.run(&["runs", "ls", "--json"]).json().as_array().unwrap().len(), 5);
    assert_eq!(ada.run(&["runs", "ls", "-n", "2", "-p", slug, "--json"]).json().as_array().unwrap().len(), 2);
    let run = ada.run(&["runs", "ls", "--json"]).json()[4]["id"].as_str().unwrap().to_owned();
    let run = run.as_str();

    assert_eq!(ada.run(&["runs", "checks", run, "--json"]).out, "[]\n");
    assert!(ada.run(&["runs", "flags", run]).text().contains("Nothing is flagged"));
    ada.run(&["runs", "verdict", run]).fails(1, "API 404: ");
    ada.run(&["runs", "submission", run]).fails(1, "API 404: ");
    ada.run(&["audit", "run", run]).fails(1, "API 409: ");

    let (label, content) = &example.evidence[0];
    let note = ["evidence", "add", run, "--label", label, "--content", content, "--json"];
    let note = ada.run(&note).json();
    assert_eq!((&note["kind"], &note["sha256"]), (&json!("note"), &json!(sha256(content.as_bytes()))));
    let piped = ["evidence", "add", run, "--kind", "log", "--label", "piped", "--content", "-", "--json"];
    assert_eq!(ada.piped(&piped, "one\ntwo\n").json()["content"], "one\ntwo\n");
    let terms = ada.file("terms.txt", "on instruction alone");
    let file = ada.run(&["evidence", "upload", run, "--file", &terms, "--json"]).json();
    assert_eq!((&file["kind"], &file["label"]), (&json!("file"), &json!("terms.txt")));
    assert_eq!(file["sha256"], sha256(b"on instruction alone"));
    let labelled = ["evidence", "upload", run, "--file", &terms, "--label", "terms of the processor"];
    assert!(ada.run(&labelled).text().contains("terms of the processor"));

    let work = ada.file("work.json", &example.output);
    let add =
        ["submission", "add", run, "-o", &work, "--agent", "reviewer", "--model", "m-1", "--provider", "us", "--json"];
    assert_eq!(ada.run(&add).json()["sha256"], sha256(example.output.trim().as_bytes()));
    let text = ["submission", "add", run, "--output-text", "-", "--json"];
    assert_eq!(ada.piped(&text, &example.output).json()["round"], 2);
    let shown = ada.run(&["runs", "submission", run, "--json"]).json();
    assert_eq!(
        (&shown["agent_name"], &shown["model_name"], &shown["provider"]),
        (&json!("reviewer"), &json!("m-1"), &json!("us"))
    );
    assert!(ada.run(&["runs", "submission", run]).text().contains(example.output.trim()));

    let audit = ada.run(&["audit", "run", run, "--json"]).json();
    assert_eq!((&audit["needs_grading"], &audit["verdict"]), (&json!(true), &Value::Null));
    assert!(ada.run(&["audit", "run", run]).text().contains("a person must grade 2 checks"));
    ada.run(&["audit", "finalize", run]).fails(1, "API 409: ");
    let checks = ada.run(&["runs", "checks", run, "--json"]).json();
    assert_eq!(checks, audit["checks"]);
    let open: Vec<_> = checks.as_array().unwrap().iter().filter(|check| check["status"] == "open").collect();
    let by_id = ["audit", "grade", run, open[0]["id"].as_str().unwrap(), "pass", "--detail", "read", "--json"];
    assert_eq!(ada.run(&by_id).json()["status"], "pass");
    let by_key = ["audit", "grade", run, open[1]["key"].as_str().unwrap(), "flag", "--json"];
    assert_eq!(ada.run(&by_key).json()["status"], "flag");
    ada.run(&["audit", "grade", run, "no_such_rule", "pass"]).fails(1, "no_such_rule");
    let verdict = ada.run(&["audit", "finalize", run, "--json"]).json();
    assert_eq!(verdict, ada.run(&["runs", "verdict", run, "--json"]).json());
    assert!(ada.run(&["runs", "verdict", run]).text().contains("of 100"));
    let flags = ada.run(&["runs", "flags", run, "--json"]).json();
    assert_eq!((flags.as_array().unwrap().len(), &flags[0]["key"]), (1, &open[1]["key"]));
    let flags = ada.run(&["runs", "flags", run]);
    assert_eq!(words(flags.text().lines().next().unwrap()), ["TIER", "BUCKET", "KEY", "DETAIL", "REMEDY"]);

    let approve = ["approval", "set", run, "--decision", "approved"];
    if verdict["severity"] == "propolis" {
        ada.run(&approve).fails(1, "API 400: ");
    }
    ada.run(&["receipt", "generate", run]).fails(1, "API 409: ");
    let approved = ada.run(&[&approve[..], &["--note", "ship it", "--json"]].concat()).json();
    assert_eq!((&approved["decision"], &approved["approver_email"]), (&json!("approved"), &json!("ada@example.org")));
    let receipt = ada.run(&["receipt", "generate", run, "--json"]).json();
    assert_eq!(ada.run(&["receipt", "generate", run, "--json"]).json(), receipt, "a run has one receipt");
    let whole = ada.run(&["runs", "show", run]);
    for part in
        [run, "Autumn", "reviewer", "terms of the processor", "ship it", receipt["receipt_id"].as_str().unwrap()]
    {
        assert!(whole.text().contains(part), "{part}: {whole:?}");
    }
    assert_eq!(ada.run(&["runs", "show", run, "--json"]).json()["receipt"], receipt);

    let ledger = ada.run(&["ledger", "ls", "--json"]).json();
    assert_eq!(ledger[0]["receipt_sha256"], receipt["receipt_sha256"]);
    let hash = receipt["receipt_sha256"].as_str().unwrap();
    let listed = ada.run(&["ledger", "ls"]);
    assert!(listed.text().contains(&hash[..16]) && !listed.text().contains(&hash[..17]), "{listed:?}");
    let walked = ada.run(&["ledger", "verify", "--json"]).json();
    assert_eq!(walked, json!({ "ok": true, "receipts_checked": 1, "errors": [] }));
    assert!(ada.run(&["ledger", "verify"]).text().contains("1 receipts checked"));

    // Anyone: no credential, no environment, nothing but the link.
    let anyone = ada.with(&[("DEFENDABLE_HOME", "/nonexistent")]);
    let (url, token) = (receipt["share_url"].as_str().unwrap(), receipt["share_token"].as_str().unwrap());
    let verified = anyone.run(&["verify", url, "--json"]).json();
    assert_eq!((&verified["verified"], &verified["chain_consistent"]), (&json!(true), &json!(true)));
    assert_eq!(verified["local"], json!({ "payload_sha256": hash, "matches": true, "coordinates_agree": true }));
    assert_eq!(verified["payload"]["run"]["id"], run);
    // A link says itself which service it is of, whatever the usual one is; and --api goes before it.
    let usual = ada.with(&[("DEFENDABLE_API", "http://127.0.0.1:9")]);
    usual.run(&["verify", url]).text();
    usual.run(&["verify", token]).fails(1, "cannot be reached");
    ada.run(&["verify", url, "--api", "http://127.0.0.1:9"]).fails(1, "cannot be reached");
    ada.run(&["verify", &format!("https://127.0.0.1:9/share/{token}")])
        .fails(1, "https://127.0.0.1:9 cannot be reached");
    let told = anyone.run(&["verify", token, "--api", &service.url()]);
    assert!(told.text().contains("computed here") && told.text().contains(hash), "{told:?}");
    assert!(anyone.run(&["verify", &format!("{}/r/{token}", service.url())]).text().contains("Verified"));
    assert_eq!(ada.run(&["receipt", "show", token, "--json"]).json()["receipt_sha256"], hash);
    assert!(ada.run(&["receipt", "show", url]).text().contains("DCR-000000-"));
    ada.run(&["verify", "unknown"]).fails(1, "API 404: ");
}

#[test]
fn the_recent_receipts_are_listed_by_their_schema() {
    let rollup = |name: &str, summary: Value| json!({ "receipt_id": name, "receipt_sha256": "0123456789abcdef0", "summary": summary });
    let run = rollup("DCR-000001-0a1b2c3d", json!({ "lane": "eval", "run_title": "Q2 deal", "outcome": "pass" }));
    let incident = rollup("DCR-000000-0a1b2c3d", json!({ "lane": "incident", "incident_title": "it ran" }));
    let service = StandIn::answering(vec![
        ("GET /receipts/recent?limit=10&schema=defendable.incident-receipt%2Fv1", json!({ "rollups": [], "count": 0 })),
        ("GET /receipts/recent", json!({ "rollups": [run, incident], "count": 2 })),
    ]);
    let terminal = service.terminal();
    let told = terminal.run(&["receipts", "recent", "--limit", "2"]);
    for part in ["DCR-000001-0a1b2c3d", "Q2 deal", "pass", "it ran", "0123456789abcdef "] {
        assert!(told.text().contains(part), "{part}: {told:?}");
    }
    assert_eq!(service.asked().0, "GET /receipts/recent?limit=2");
    assert_eq!(terminal.run(&["receipts", "recent", "-n", "50", "--json"]).json(), json!([run, incident]));
    assert_eq!(terminal.run(&["receipts", "recent", "-s", "incident", "--json"]).out, "[]\n");
    assert!(terminal.run(&["receipts", "recent", "-s", "incident"]).text().contains("no such receipts"));
    terminal.run(&["receipts", "recent", "-s", "defendable.eval-receipt/v1"]).text();
    assert_eq!(service.asked().0, "GET /receipts/recent?limit=10&schema=defendable.eval-receipt%2Fv1");
    assert_eq!(terminal.run(&["receipts", "recent", "-n", "51"]).code, 2);
}

#[tokio::test]
async fn lists_go_on_to_their_end() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let client = service.sign_in("ada@example.org").await;
    for number in 0..205 {
        client.post("/projects").json(json!({ "name": format!("Bridge {number}") })).await.created();
    }
    let listed = ada.run(&["projects", "ls", "--json"]).json();
    let ids: BTreeSet<_> = listed.as_array().unwrap().iter().map(|project| project["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), listed.as_array().unwrap().len()), (205, 205));
    assert_eq!(ada.run(&["projects", "ls"]).text().lines().count(), 206);
    // One that stands on the second page is found by its name.
    assert_eq!(ada.run(&["runs", "new", "-p", "Bridge 99", "--title", "x", "--json"]).code, 0);
    client.post("/projects").json(json!({ "name": "Bridge 99" })).await.created();
    ada.run(&["runs", "ls", "-p", "Bridge 99"]).fails(1, "2 projects are called `Bridge 99`");
}

#[tokio::test]
async fn a_pipeline_takes_work_to_its_verdict_and_is_told_by_the_exit_code() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    ada.run(&["projects", "create", "--name", "CI"]).text();
    let pass = Example::of(SHEET, "pass");
    let inputs = ada.file("inputs.json", &pass.inputs.to_string());
    let note = ada.file("note.txt", &pass.evidence[0].1);
    let note = format!("{}={note}", pass.evidence[0].0);
    let memo = ada.file("memo.pdf", "%PDF-1.7 memo");
    let new = ["runs", "submit-and-audit", "--project", "CI", "--flight-sheet", SHEET, "--title", "build 7"];
    let more = ["--inputs", &inputs, "--note", &note, "--evidence", &memo, "--agent", "memo-writer", "--json"];
    let passed = ada.piped(&[&new[..], &more].concat(), &pass.output).json();
    let run = passed["run_id"].as_str().unwrap();
    assert_eq!(passed["verdict"]["outcome"], "pass");
    let expected = ["run_id", "submission", "checks", "needs_grading", "deterministic", "verdict"];
    assert_eq!(keys(&passed), expected.into());
    let whole = ada.run(&["runs", "show", run, "--json"]).json();
    assert_eq!((&whole["title"], &whole["agent_name"]), (&json!("build 7"), &json!("memo-writer")));
    let kinds: Vec<_> = whole["evidence"].as_array().unwrap().iter().map(|evidence| &evidence["kind"]).collect();
    assert_eq!(kinds, ["note", "file"]);

    // The same run again, with a file; the next round.
    let fail = ada.file("fail.json", &Example::of(SHEET, "fail").output);
    let failed = ada.run(&["runs", "submit-and-audit", run, &fail]);
    failed.fails(1, "the verdict on");
    assert!(failed.out.contains("dscr_gate") && failed.out.contains("propolis"), "{failed:?}");
    let failed = ada.run(&["runs", "submit-and-audit", run, &fail, "--json"]);
    let told: Value = serde_json::from_str(&failed.out).unwrap();
    assert_eq!((failed.code, &told["submission"]["round"]), (1, &json!(3)));
    // What is no JSON is the agent's fault, and judged.
    let broken = ada.piped(&["runs", "submit-and-audit", run, "-", "--json"], "I could not do it");
    let told: Value = serde_json::from_str(&broken.out).unwrap();
    assert_eq!((broken.code, &told["verdict"]["severity"]), (1, &json!("propolis")));

    let graded = Example::of(GRADED, "pass");
    let inputs = ada.file("graded.json", &graded.inputs.to_string());
    let new = ["runs", "submit-and-audit", "-p", "CI", "-f", GRADED, "--inputs", &inputs];
    let open = ada.piped(&new, &graded.output);
    open.fails(3, "a person must grade");
    assert!(open.out.contains("defendable audit grade run_"), "{open:?}");

    // One claim without its source is a mid flag: risk.
    let wacc = Example::of("fin_wacc_calculation_v1", "pass");
    let mut work: Value = serde_json::from_str(&wacc.output).unwrap();
    work["claims"][0]["evidence_reference"] = json!("");
    let inputs = ada.file("wacc.json", &wacc.inputs.to_string());
    let new = ["runs", "submit-and-audit", "-p", "CI", "-f", "fin_wacc_calculation_v1", "--inputs", &inputs];
    let risky = ada.piped(&new, &work.to_string());
    assert!(risky.text().contains("risk"), "{risky:?}");
    ada.piped(&[&new[..], &["--strict"]].concat(), &work.to_string()).fails(1, "is risk");

    for (wrong, says) in [
        (&["runs", "submit-and-audit", run, "missing.json"][..], "missing.json"),
        (&["runs", "submit-and-audit", "run_x", &fail], "RUN"),
        (&["runs", "submit-and-audit", run, &fail, "--evidence", "missing.pdf"], "missing.pdf"),
        (&["runs", "submit-and-audit", "-p", "CI", "-f", SHEET, "a", "b"], "give a RUN"),
    ] {
        ada.run(wrong).fails(2, says);
    }
    let before = ada.run(&["runs", "ls", "--json"]).json().as_array().unwrap().len();
    ada.piped(&["runs", "submit-and-audit", "-p", "CI", "-f", "no_such_sheet"], "{}").fails(1, "API 404: ");
    ada.piped(&["runs", "submit-and-audit", "-p", "No such", "-f", SHEET], "{}").fails(1, "No such");
    ada.run(&["runs", "submit-and-audit", "-p", "CI", "-f", SHEET, &fail, "--note", "l=missing"]).fails(2, "missing");
    ada.piped(&["runs", "submit-and-audit", run, "-"], " ").fails(1, &format!("({run})"));
    assert_eq!(ada.run(&["runs", "ls", "--json"]).json().as_array().unwrap().len(), before, "nothing was recorded");
}

#[tokio::test]
async fn flags_stand_with_the_weightiest_first() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let client = service.sign_in("ada@example.org").await;
    let (run, _) = client.audited(&Example::of("fin_wacc_calculation_v1", "fail")).await;
    let flags = ada.run(&["runs", "flags", &run, "--json"]).json();
    let tiers: Vec<_> = flags.as_array().unwrap().iter().map(|flag| flag["tier"].as_str().unwrap()).collect();
    let mut sorted = tiers.clone();
    sorted.sort_by_key(|tier| ["high", "mid", "low"].iter().position(|known| known == tier));
    assert!(tiers.len() > 1 && tiers == sorted, "{tiers:?}");
}

#[tokio::test]
async fn a_receipt_that_was_tampered_with_is_not_verified() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let client = service.sign_in("ada@example.org").await;
    let (first, second) = (client.minted().await.1, client.minted().await.1);
    let mut raw = Raw::of(&service).await;
    raw.disarm().await;
    assert_eq!(raw.edit_receipt(0, "\"pass\"", "\"fail\"").await, 1);
    let link = first["share_url"].as_str().unwrap();
    let told = ada.run(&["verify", link]);
    told.fails(1, "NOT VERIFIED: the SHA-256 of its payload, computed here");
    assert!(!told.out.contains("Verified"), "{told:?}");
    let told = ada.run(&["verify", link, "--json"]);
    let json: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &json["verified"], &json["local"]["matches"]), (1, &json!(false), &json!(false)));
    // The one after it is whole, but does not follow what is there now.
    ada.run(&["verify", second["share_url"].as_str().unwrap()]).fails(1, "does not follow");
    let told = ada.run(&["ledger", "verify"]);
    told.fails(1, "NOT VERIFIED");
    assert!(told.out.contains("hash mismatch"), "{told:?}");
    let told = ada.run(&["ledger", "verify", "--json"]);
    let json: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &json["ok"], json["errors"].as_array().unwrap().len()), (1, &json!(false), 1));
    // Bytes that are no JSON any more.
    assert_eq!(raw.edit_receipt(1, "{", "").await, 1);
    ada.run(&["verify", second["share_url"].as_str().unwrap()]).fails(1, "NOT VERIFIED");
}

#[tokio::test]
async fn the_ledger_is_verified_through_the_service_or_in_the_store_itself() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let data = service.data();
    let data = data.to_str().unwrap();
    let is_store = |told: &Value| told.get("heads").is_some();
    assert!(!is_store(&ada.run(&["ledger", "verify", "--json"]).json()));
    assert!(is_store(&ada.run(&["ledger", "verify", "--data", data, "--json"]).json()));
    let url = service.url();
    let named = ada.with(&[("DEFENDABLE_DATA", data)]);
    assert!(is_store(&named.run(&["ledger", "verify", "--json"]).json()));
    assert!(!is_store(&named.run(&["ledger", "verify", "--json", "--api", &url]).json()));
    let both = ada.with(&[("DEFENDABLE_DATA", data), ("DEFENDABLE_API", &url)]);
    assert!(!is_store(&both.run(&["ledger", "verify", "--json"]).json()));
    // That an address of a database is around names no store.
    let database = ada.with(&[("DATABASE_URL", "postgres://127.0.0.1:9/x")]);
    assert!(!is_store(&database.run(&["ledger", "verify", "--json"]).json()));
}

#[tokio::test]
async fn what_is_wrong_is_said_in_a_line() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let run = "run_01h455vb4pex5vsknk084sn02q";
    ada.run(&["runs", "show", run]).fails(1, "API 404: ");
    ada.run(&["flight-sheets", "show", "no/../such?sheet"]).fails(1, "API 404: ");
    ada.run(&["projects", "create", "--name", ""]).fails(1, "API 400: ");
    ada.run(&["submission", "add", run, "-o", "missing.json"]).fails(2, "missing.json");
    ada.run(&["evidence", "upload", run, "--file", "missing.pdf"]).fails(2, "missing.pdf");
    ada.run(&["evidence", "upload", run, "--file", "."]).fails(2, "folder");
    let list = ada.file("list.json", "[1]");
    ada.run(&["runs", "new", "-p", run, "--title", "x", "--inputs", &list]).fails(2, "object");
    let broken = ada.file("broken.json", "{");
    ada.run(&["runs", "new", "-p", run, "--title", "x", "--inputs", &broken]).fails(2, "not JSON");
    fs::write(ada.home.join("binary"), [0xff, 0xfe]).unwrap();
    ada.run(&["submission", "add", run, "-o", "binary"]).fails(2, "UTF-8");
    for wrong in [
        &["runs", "show", "7"][..],
        &["runs", "show"],
        &["runs", "new", "-p", "x"],
        &["runs", "ls", "-n", "0"],
        &["audit", "grade", run, "x", "open"],
        &["approval", "set", run, "--decision", "maybe"],
        &["submission", "add", run],
        &["evidence", "add", run, "--label", "x", "--kind", "file"],
        &["verify", "https://example.org/nothing"],
        &["projects", "ls", "--api", "ftp://example.org"],
        &["flight-sheets", "show", ".."],
        &["nonsense"],
    ] {
        let told = ada.run(wrong);
        assert!(told.code == 2 && told.out.is_empty() && told.err.contains("--help"), "{wrong:?}: {told:?}");
    }
    // Something else than this service answers.
    for (strange, says) in [(json!("hello"), "no list"), (json!({ "projects": 7 }), "no list")] {
        let strange = StandIn::answering(vec![("GET /projects", strange)]);
        strange.terminal().run(&["projects", "ls"]).fails(1, says);
    }
    // A file of credentials that is none.
    fs::write(ada.credentials(), "nonsense").unwrap();
    ada.run(&["projects", "ls"]).fails(2, "sign in again");
    let again = Terminal::signed_in(&service, "ada@example.org");
    again.run(&["projects", "ls"]).text();
}

/// A service that answers what it is told to, and remembers what it was asked.
struct StandIn {
    url: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl StandIn {
    /// Answers each request line that begins as given with 200 and that body; the first that fits.
    fn answering(answers: Vec<(&'static str, Value)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(vec![]));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut reader = BufReader::new(stream.unwrap());
                let (mut head, mut length) = (String::new(), 0);
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
                        break;
                    }
                    if let Some(given) = line.to_lowercase().strip_prefix("content-length:") {
                        length = given.trim().parse().unwrap();
                    }
                    if head.is_empty() {
                        head = line.trim_end_matches(" HTTP/1.1\r\n").to_owned();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let answer = answers.iter().find(|(begin, _)| head.starts_with(begin));
                let answer = answer.map_or_else(|| panic!("nobody expected {head}"), |(_, answer)| answer.to_string());
                seen.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
                let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
                reader.into_inner().write_all((head + &answer).as_bytes()).unwrap();
            }
        });
        Self { url, asked }
    }

    /// The last request: its line, and its body.
    fn asked(&self) -> (String, Value) {
        let (line, body) = self.asked.lock().unwrap().last().unwrap().clone();
        (line, serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// A terminal that talks to it.
    fn terminal(&self) -> Terminal {
        let home =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("stand-in-{}", self.url.replace([':', '/'], "")));
        fs::create_dir_all(&home).unwrap();
        Terminal { home, environment: vec![("DEFENDABLE_API", self.url.clone()), ("DEFENDABLE_TOKEN", "sk-x".into())] }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.home.file_name().is_some_and(|name| name.to_string_lossy().starts_with("stand-in-")) {
            let _ = fs::remove_dir_all(&self.home);
        }
    }
}

#[test]
fn an_organisations_own_sheets_are_tried_published_and_retired() {
    let verdict = json!({ "outcome": "fail", "severity": "propolis", "score_100": 0 });
    let own = json!({ "id": "fs_1", "slug": "own_v1", "version": "1.1", "active": true, "origin": "organisation" });
    let service = StandIn::answering(vec![
        (
            "POST /flight-sheets/validate",
            json!({ "valid": true, "errors": [], "checks": [{ "key": "k", "status": "flag" }], "verdict": verdict }),
        ),
        ("POST /flight-sheets/own_v1/retire", own.clone()),
        ("POST /flight-sheets", own.clone()),
        ("GET /flight-sheets/own_v1?version=1.0", own),
    ]);
    let terminal = service.terminal();
    // Floating-point numbers and white space are the sheet's own: they go as they were written.
    let written = "{ \"slug\": \"own_v1\",  \"n\": 1.50 }";
    let (sheet, work) = (terminal.file("sheet.json", written), terminal.file("work.json", "no JSON"));
    let (inputs, note) = (terminal.file("inputs.json", "{\"a\": 1.0}"), terminal.file("note.txt", "said"));
    let note = format!("a note={note}");
    let told = terminal.run(&[
        "flight-sheets",
        "validate",
        &sheet,
        "--submission",
        &work,
        "--inputs",
        &inputs,
        "--note",
        &note,
    ]);
    assert!(told.text().contains("propolis") && told.text().contains("valid"), "{told:?}");
    let (_, body) = service.asked.lock().unwrap().last().unwrap().clone();
    let expected = format!(
        "{{\"sheet\":{written},\"submission\":{{\"output_text\":\"no JSON\"}},\"inputs\":{{\"a\": 1.0}},\
         \"evidence\":[{{\"content\":\"said\",\"label\":\"a note\"}}]}}"
    );
    assert_eq!(body, expected);
    terminal.run(&["flight-sheets", "validate", &sheet]).text();
    assert_eq!(service.asked().1, serde_json::from_str::<Value>(&format!("{{\"sheet\":{written}}}")).unwrap());
    terminal.run(&["flight-sheets", "validate", &work]).fails(2, "not JSON");

    assert!(terminal.run(&["flight-sheets", "upload", &sheet]).text().contains("own_v1"));
    assert_eq!(service.asked.lock().unwrap().last().unwrap(), &("POST /flight-sheets".into(), written.to_owned()));
    assert_eq!(terminal.piped(&["flight-sheets", "upload", "-", "--json"], written).json()["version"], "1.1");
    assert!(terminal.run(&["flight-sheets", "retire", "own_v1"]).text().contains("organisation"));
    assert!(terminal.run(&["flight-sheets", "show", "own_v1", "--at", "1.0"]).text().contains("1.1"));

    let wrong = json!({ "path": "eval_spec.rules[2]", "message": "no such operator" });
    let service = StandIn::answering(vec![(
        "POST /flight-sheets/validate",
        json!({ "valid": false, "errors": [wrong], "checks": null, "verdict": null }),
    )]);
    let terminal = service.terminal();
    let sheet = terminal.file("sheet.json", written);
    let told = terminal.run(&["flight-sheets", "validate", &sheet]);
    told.fails(1, "does not load");
    assert!(told.out.contains("eval_spec.rules[2]"), "{told:?}");
    terminal.run(&["flight-sheets", "validate", &sheet, "--json"]).fails(1, "does not load");
}

#[test]
fn agents_and_incidents_have_their_commands() {
    let agent = "agt_01h455vb4pex5vsknk084sn02q";
    let run = "run_01h455vb4pex5vsknk084sn02q";
    let counts = json!({ "honey": 3, "jelly": 1, "propolis": 0 });
    let profile = json!({
        "id": agent, "name": "memo analyst", "model": "m-1", "governance": { "blocked_lanes": ["x"] },
        "summary": { "overall_status": "approved", "verdict_counts": counts, "approved_lanes": ["GDPR"] },
        "capability": { "overall_status": "approved", "lane_authorizations": [
            { "name": "GDPR", "status": "approved", "honey": 3, "jelly": 1, "propolis": 0 },
        ] },
    });
    let incident = json!({ "id": "inc_1", "kind": "rogue", "tier": "mid", "title": "it ran", "status": "open" });
    let entry = json!({ "agent_profile_id": agent, "name": "memo analyst", "approved_lanes": 1, "honey": 3 });
    let service = StandIn::answering(vec![
        ("GET /agent-profiles/leaderboard", json!({ "entries": [entry], "next_cursor": null })),
        ("GET /agent-profiles/agt_", profile.clone()),
        ("GET /agent-profiles?", json!({ "agent_profiles": [profile], "next_cursor": null })),
        ("POST /agent-profiles/agt_", json!({ "opened": [incident], "scanned_lanes": 2, "blocked_lanes": ["GDPR"] })),
        ("POST /agent-profiles", profile.clone()),
        ("GET /incidents?", json!({ "incidents": [incident], "next_cursor": null })),
        ("GET /incidents/inc_1", incident.clone()),
        ("POST /incidents/inc_1/receipt", json!({ "receipt_id": "DCR-000007-0a1b2c3d", "org_seq": 7 })),
        ("POST /incidents", incident.clone()),
        ("PATCH /incidents/inc_1", incident),
    ]);
    let terminal = service.terminal();
    assert!(terminal.run(&["agents", "ls"]).text().contains("3/1/0"));
    assert_eq!(terminal.run(&["agents", "ls", "--json"]).json()[0]["id"], agent);
    assert!(terminal.run(&["agents", "show", agent]).text().contains("GDPR"));
    assert!(terminal.run(&["agents", "leaderboard"]).text().contains("memo analyst"));
    assert_eq!(terminal.run(&["agents", "leaderboard", "--json"]).json()[0]["honey"], 3);
    assert!(terminal.run(&["agents", "watch", agent]).text().contains("GDPR"));
    assert_eq!(service.asked().0, format!("POST /agent-profiles/{agent}/watchdog"));
    let governance = terminal.file("governance.json", "{\"blocked_lanes\": [\"x\"]}");
    let new = [
        "agents",
        "create",
        "--name",
        "memo analyst",
        "--model",
        "m-1",
        "--tool",
        "search",
        "--tool",
        "mail",
        "--context-window",
        "128000",
        "--capability-tier",
        "mid",
        "--governance",
        &governance,
    ];
    assert!(terminal.run(&new).text().contains(agent));
    let body = json!({
        "name": "memo analyst", "model": "m-1", "tools": ["search", "mail"], "context_window": 128_000,
        "capability_tier": "mid", "governance": { "blocked_lanes": ["x"] },
    });
    assert_eq!(service.asked(), ("POST /agent-profiles".to_owned(), body));

    let filtered = ["incidents", "ls", "--agent-profile", agent, "--status", "open", "--kind", "rogue"];
    assert!(terminal.run(&filtered).text().contains("it ran"));
    let query = format!("GET /incidents?agent_profile_id={agent}&status=open&kind=rogue&limit=200");
    assert_eq!(service.asked().0, query);
    let open = [
        "incidents",
        "open",
        "--title",
        "it ran",
        "--kind",
        "rogue",
        "--tier",
        "mid",
        "--agent-profile",
        agent,
        "--run",
        run,
        "--response",
        "stopped",
        "--lane",
        "GDPR",
        "--detail",
        "- at night",
    ];
    assert!(terminal.run(&open).text().contains("inc_1"));
    let body = json!({
        "title": "it ran", "kind": "rogue", "tier": "mid", "agent_profile_id": agent, "run_id": run,
        "response": ["stopped"], "lane": "GDPR", "detail": "- at night",
    });
    assert_eq!(service.asked(), ("POST /incidents".to_owned(), body));
    assert!(terminal.run(&["incidents", "show", "inc_1"]).text().contains("it ran"));
    terminal.run(&["incidents", "resolve", "inc_1"]).text();
    assert_eq!(service.asked(), ("PATCH /incidents/inc_1".to_owned(), json!({ "status": "resolved" })));
    assert!(terminal.run(&["incidents", "receipt", "inc_1"]).text().contains("DCR-000007"));
}

#[tokio::test]
async fn a_shell_and_a_manual_know_the_commands() {
    let service = Service::start(Store::Embedded).await;
    let terminal = Terminal::at(&service);
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = terminal.run(&["completions", shell]);
        assert!(script.text().contains("submit-and-audit") && script.text().contains("flight-sheets"), "{shell}");
    }
    terminal.run(&["man", "pages/deep"]).text();
    let page = |name: &str| fs::read_to_string(terminal.home.join("pages/deep").join(name)).unwrap();
    assert!(page("defendable.1").contains("tamper\\-evident"));
    assert!(page("defendable-runs-submit-and-audit.1").contains("pipeline"));
    terminal.run(&["man", "/proc/nowhere"]).fails(1, "/proc/nowhere");
    let start = Instant::now();
    assert!(terminal.run(&["--help"]).text().contains("Exit codes"));
    assert!(start.elapsed().as_millis() < 500, "help waits for nothing: {:?}", start.elapsed());
}

#[tokio::test]
async fn who_asks_too_often_waits_for_their_turn() {
    let service = Service::start_with(Store::Embedded, &[("DEFENDABLE_RATE_LIMIT", "60")]).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let told: Vec<_> = (0..64).map(|_| ada.run(&["auth", "status"])).collect();
    assert!(told.iter().all(|told| told.code == 0), "{told:?}");
    assert!(told.iter().any(|told| told.err.contains("too many requests; going on in")), "{told:?}");
    // Ten minutes are too long to wait for.
    for _ in 0..5 {
        ada.run(&["auth", "login", "--email", "bob@example.org"]).text();
    }
    ada.run(&["auth", "login", "--email", "bob@example.org"]).fails(1, "API 429: ");
}

async fn the_demo_fills_a_new_store_that_is_served_as_any_other(store: Store) {
    let mut service = Service::start(store).await;
    // What a store holds that was started once, the built-in library, is in nobody's way.
    service.stop().await;
    let output = service.on_store(&["demo"]);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && told.contains("you@example.com"), "{output:?}");
    let again = service.on_store(&["demo"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("has organisations already"));
    service.expect_sound();
    let service = service.restart().await;
    let you = Terminal::signed_in(&service, "you@example.com");
    let runs = you.run(&["runs", "ls", "--json"]).json();
    let all = |field: &str| -> BTreeSet<String> {
        runs.as_array().unwrap().iter().filter_map(|run| run[field].as_str().map(str::to_owned)).collect()
    };
    let stages = [
        "draft",
        "assignment_issued",
        "submitted",
        "audited",
        "findings_ready",
        "approved",
        "rejected",
        "escalated",
        "receipted",
    ];
    assert_eq!(all("status"), stages.map(str::to_owned).into());
    assert_eq!(all("verdict"), ["pass", "risk", "fail"].map(str::to_owned).into());
    assert_eq!(you.run(&["ledger", "verify", "--json"]).json()["ok"], true);
    let client = service.sign_in("you@example.com").await;
    let members = client.get("/org/members").await.ok();
    let members = members["members"].as_array().unwrap();
    let roles: BTreeSet<_> = members.iter().map(|member| member["role"].as_str().unwrap()).collect();
    assert_eq!((members.len(), roles), (5, ["admin", "auditor", "analyst", "viewer"].into()));
    // Each command that it points to works.
    for line in told.lines().filter_map(|line| line.trim().strip_prefix("defendable ")) {
        if !line.starts_with("serve") {
            you.run(&words(line)).text();
        }
    }
}
on_both_stores!(the_demo_fills_a_new_store_that_is_served_as_any_other);
