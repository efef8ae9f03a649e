//! The command line: the real binary against the real service. What a client does is the same on every store, so most of
//! this is tested on the embedded one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod support;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
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

#[tokio::test]
async fn the_recent_receipts_are_listed_by_their_schema() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    let client = service.sign_in("ada@example.org").await;
    assert!(ada.run(&["receipts", "recent"]).text().contains("no such receipts"));
    let (run, receipt) = client.minted().await;
    let title = ada.run(&["runs", "show", &run, "--json"]).json()["title"].as_str().unwrap().to_owned();
    let of_run = receipt["receipt_id"].as_str().unwrap();
    assert_eq!(ada.run(&["receipts", "recent", "-s", "incident", "--json"]).out, "[]\n");
    assert!(ada.run(&["receipts", "recent", "-s", "incident"]).text().contains("no such receipts"));
    let open = ["incidents", "open", "--title", "it ran", "--kind", "rogue", "--json"];
    let incident = id(&ada.run(&open).json());
    let sealed = ada.run(&["incidents", "receipt", &incident, "--json"]).json();
    let of_incident = sealed["receipt_id"].as_str().unwrap();

    let recent = ada.run(&["receipts", "recent"]);
    let lines: Vec<_> = recent.text().lines().collect();
    assert_eq!(words(lines[0]), ["RECEIPT", "LANE", "TITLE", "OUTCOME", "SHA-256", "MINTED"]);
    let hash = |receipt: &Value| receipt["receipt_sha256"].as_str().unwrap()[..16].to_owned() + " ";
    for part in [of_incident, "incident", "it ran", &hash(&sealed)] {
        assert!(lines[1].contains(part), "the newest first: {part}: {lines:?}");
    }
    for part in [of_run, "eval", &title, "pass", &hash(&receipt)] {
        assert!(lines[2].contains(part), "{part}: {lines:?}");
    }
    let listed = |arguments: &[&str]| -> Vec<String> {
        let receipts = ada.run(&[&["receipts", "recent", "--json"], arguments].concat()).json();
        receipts.as_array().unwrap().iter().map(|one| one["receipt_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed(&["-n", "50"]), [of_incident, of_run]);
    assert_eq!(listed(&["--limit", "1"]), [of_incident]);
    assert_eq!(listed(&["-s", "incident"]), [of_incident]);
    assert_eq!(listed(&["--schema", "eval"]), [of_run]);
    assert_eq!(listed(&["-s", "defendable.eval-receipt/v1"]), [of_run]);
    ada.run(&["receipts", "recent", "-s", "cook"]).fails(1, "API 400: ");
    assert_eq!(ada.run(&["receipts", "recent", "-n", "51"]).code, 2);
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
        &["agents", "show", run],
        &["incidents", "show", "7"],
        &["incidents", "receipt", run],
        &["verify", "https://example.org/nothing"],
        &["projects", "ls", "--api", "ftp://example.org"],
        &["flight-sheets", "show", ".."],
        &["nonsense"],
    ] {
        let told = ada.run(wrong);
        assert!(told.code == 2 && told.out.is_empty() && told.err.contains("--help"), "{wrong:?}: {told:?}");
    }
    // Something else than this service answers.
    for strange in [json!("hello"), json!({ "projects": 7 })] {
        let elsewhere = [("DEFENDABLE_API", stranger(&strange)), ("DEFENDABLE_TOKEN", "sk-x".to_owned())];
        let elsewhere = elsewhere.each_ref().map(|(name, value)| (*name, value.as_str()));
        ada.with(&elsewhere).run(&["projects", "ls"]).fails(1, "no list");
    }
    // A file of credentials that is none.
    fs::write(ada.credentials(), "nonsense").unwrap();
    ada.run(&["projects", "ls"]).fails(2, "sign in again");
    let again = Terminal::signed_in(&service, "ada@example.org");
    again.run(&["projects", "ls"]).text();
}

/// The address of something else than this service, which answers the first request with 200 and this.
fn stranger(answer: &Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = answer.to_string();
    thread::spawn(move || {
        let mut request = BufReader::new(listener.accept().unwrap().0);
        while request.read_line(&mut String::new()).unwrap() > "\r\n".len() {}
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", answer.len());
        request.into_inner().write_all((head + &answer).as_bytes()).unwrap();
    });
    url
}

#[tokio::test]
async fn an_organisations_own_sheets_are_tried_published_and_retired() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    // White space is the sheet's own: the service hashes what was written.
    let written = |version: &str| format!("{:#}\n", own_sheet("own_v1", version));
    let sheet = ada.file("sheet.json", &written("1.0"));
    assert!(ada.run(&["flight-sheets", "validate", &sheet]).text().contains("is valid"));
    assert_eq!(ada.piped(&["flight-sheets", "validate", "-", "--json"], &written("1.0")).json()["valid"], true);
    let good = ada.file("good.json", "{\"decision\": \"pay\"}");
    let told = ada.run(&["flight-sheets", "validate", &sheet, "--submission", &good]);
    assert!(told.text().contains("honey") && told.text().contains("decided"), "{told:?}");
    let bad = ada.file("bad.json", "no JSON");
    let told = ada.run(&["flight-sheets", "validate", &sheet, "--submission", &bad]);
    assert!(told.text().contains("propolis") && told.text().contains("is valid"), "{told:?}");

    // Inputs and notes go with the work, which rests on both here.
    let example = Example::of(GRADED, "pass");
    let built_in = format!("{}/catalog/flight-sheets/{GRADED}.json", env!("CARGO_MANIFEST_DIR"));
    let work = ada.file("work.json", &example.output);
    let inputs = ada.file("inputs.json", &example.inputs.to_string());
    let (label, content) = &example.evidence[0];
    let note = format!("{label}={}", ada.file("note.txt", content));
    let try_out = ["flight-sheets", "validate", &built_in, "--submission", &work, "--json"];
    let is_flagged = |more: &[&str]| {
        let tried = ada.run(&[&try_out, more].concat()).json();
        tried["checks"].as_array().unwrap().iter().any(|check| check["status"] == "flag")
    };
    assert!(is_flagged(&["--inputs", &inputs]) && is_flagged(&["--note", &note]));
    assert!(!is_flagged(&["--inputs", &inputs, "--note", &note]));
    let told = ada.run(&[&try_out[..5], &["--inputs", &inputs, "--note", &note]].concat());
    assert!(told.text().contains("No verdict: a person must grade"), "{told:?}");

    let mut wrong = own_sheet("own_v1", "1.0");
    wrong["eval_spec"]["rules"][0]["assert"]["op"] = json!("resembles");
    let wrong = ada.file("wrong.json", &wrong.to_string());
    let told = ada.run(&["flight-sheets", "validate", &wrong]);
    told.fails(1, "does not load");
    assert!(told.out.contains("eval_spec.rules[0].assert.op"), "{told:?}");
    let told = ada.run(&["flight-sheets", "validate", &wrong, "--json"]);
    told.fails(1, "does not load");
    assert_eq!(serde_json::from_str::<Value>(&told.out).unwrap()["valid"], false);
    ada.run(&["flight-sheets", "upload", &wrong]).fails(1, "API 400: ");
    ada.run(&["flight-sheets", "validate", &bad]).fails(2, "not JSON");
    ada.run(&["flight-sheets", "show", "own_v1"]).fails(1, "API 404: ");

    let published = ada.run(&["flight-sheets", "upload", &sheet, "--json"]).json();
    assert_eq!(published["content_sha256"], sha256(written("1.0").as_bytes()), "byte for byte");
    let told = ada.piped(&["flight-sheets", "upload", "-"], &written("1.1"));
    assert!(told.text().contains("own_v1") && told.text().contains("organisation"), "{told:?}");
    ada.run(&["flight-sheets", "upload", &sheet]).fails(1, "API 409: ");
    let version = |arguments: &[&str]| {
        ada.run(&[&["flight-sheets", "show", "own_v1", "--json"], arguments].concat()).json()["version"].clone()
    };
    assert_eq!((version(&[]), version(&["--at", "1.0"])), (json!("1.1"), json!("1.0")));

    let in_use = || ada.run(&["flight-sheets", "ls"]).text().contains("own_v1");
    assert!(in_use());
    let retired = ada.run(&["flight-sheets", "retire", "own_v1"]);
    let line = retired.text().lines().find(|line| line.starts_with("In use")).unwrap();
    assert_eq!(words(line), ["In", "use", "no"]);
    assert!(!in_use());
    assert_eq!(ada.run(&["flight-sheets", "show", "own_v1", "--json"]).json()["active"], false);
    ada.run(&["flight-sheets", "retire", SHEET]).fails(1, "API 409: ");
}

/// A run of a profile on the sheet, with the work of one of its examples; the run.
fn worked(terminal: &Terminal, profile: &str, case: &str) -> String {
    let example = Example::of(SHEET, "pass");
    let inputs = terminal.file("inputs.json", &example.inputs.to_string());
    let (label, content) = &example.evidence[0];
    let note = format!("{label}={}", terminal.file("note.txt", content));
    let new = ["runs", "submit-and-audit", "-p", "Loans", "-f", SHEET, "--agent-profile", profile, "--inputs", &inputs];
    let told = terminal.piped(&[&new[..], &["--note", &note, "--json"]].concat(), &Example::of(SHEET, case).output);
    let told: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    told["run_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn agents_earn_their_lanes() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    ada.run(&["projects", "create", "--name", "Loans"]).text();
    for empty in ["ls", "leaderboard"] {
        assert!(ada.run(&["agents", empty]).text().contains("no active agent profiles"), "{empty}");
        assert_eq!(ada.run(&["agents", empty, "--json"]).out, "[]\n", "{empty}");
    }
    let governance = json!({
        "requires_approval_client_output": true, "blocked_lanes": [GRADED], "spend_cap_usd": 12.5, "notes": "no letters",
    });
    let governance = ada.file("governance.json", &governance.to_string());
    let texts = [
        ("name", "memo analyst"),
        ("harness", "loop"),
        ("harness-version", "2.1"),
        ("model", "m-1"),
        ("model-provider", "maker"),
        ("served-by", "server"),
        ("runtime-host", "host-7"),
        ("runtime-os", "debian"),
        ("runtime-hardware", "two cores"),
        ("capability-tier", "mid"),
        ("notes", "- slow"),
    ];
    let options: Vec<_> = texts.iter().map(|(name, text)| format!("--{name}={text}")).collect();
    let mut new = vec!["agents", "create", "--tool", "search", "--tool", "mail", "--context-window", "128000"];
    new.extend(["--governance", &governance]);
    new.extend(options.iter().map(String::as_str));
    let created = ada.run(&[&new[..], &["--json"]].concat()).json();
    for (name, text) in texts {
        assert_eq!(created[name.replace('-', "_")], text, "{name}");
    }
    assert_eq!((&created["tools"], &created["context_window"]), (&json!(["search", "mail"]), &json!(128_000)));
    let demanded = &created["governance"];
    assert_eq!((&demanded["blocked_lanes"], &demanded["spend_cap_usd"]), (&json!([GRADED]), &json!(12.5)));
    let analyst = id(&created);
    let shown = ada.run(&["agents", "show", &analyst]);
    for (_, part) in texts.into_iter().chain([("lanes", GRADED), ("cap", "12.5"), ("notes", "no letters")]) {
        assert!(shown.text().contains(part), "{part}: {shown:?}");
    }
    let line = shown.text().lines().find(|line| line.starts_with("Approval for clients")).unwrap();
    assert_eq!(words(line), ["Approval", "for", "clients", "yes"]);
    ada.run(&["agents", "create", "--name", " "]).fails(1, "API 400: ");
    assert_eq!(ada.run(&["agents", "create", "--name", "x", "--capability-tier", "huge"]).code, 2);
    ada.run(&["agents", "show", "agt_01h455vb4pex5vsknk084sn02q"]).fails(1, "API 404: ");
    // What its owner forbids is refused.
    let new = ["runs", "new", "-p", "Loans", "-f", GRADED, "--agent-profile", &analyst];
    ada.run(&new).fails(1, "governance.blocked_lanes");

    let bold = id(&ada.run(&["agents", "create", "--name", "bold", "--json"]).json());
    for _ in 0..3 {
        worked(&ada, &analyst, "pass");
    }
    let last = worked(&ada, &bold, "fail");
    assert_eq!(ada.run(&["runs", "show", &last, "--json"]).json()["agent_profile_id"], bold);
    let name = ada.run(&["flight-sheets", "show", SHEET, "--json"]).json()["name"].as_str().unwrap().to_owned();
    let listed = ada.run(&["agents", "ls"]);
    let lines: Vec<_> = listed.text().lines().collect();
    assert_eq!(lines.len(), 3);
    for (line, parts) in [(1, [&bold, "restricted", "0/0/1"]), (2, [&analyst, "approved", "3/0/0"])] {
        assert!(parts.iter().all(|part| lines[line].contains(part)), "{parts:?}: {lines:?}");
    }
    assert!(lines[2].contains(&name) && !lines[1].contains(&name), "{lines:?}");
    assert_eq!(ada.run(&["agents", "ls", "--json"]).json()[1]["id"], analyst);
    let shown = ada.run(&["agents", "show", &analyst]);
    let lane = shown.text().lines().find(|line| line.starts_with(&name)).unwrap();
    assert_eq!(words(lane)[words(&name).len()..], ["approved", "3/0/0"]);
    let board = ada.run(&["agents", "leaderboard"]);
    let best = board.text().lines().nth(1).unwrap();
    for part in ["memo analyst", "m-1", "approved", "100", &analyst] {
        assert!(best.contains(part), "{part}: {board:?}");
    }
    assert_eq!(ada.run(&["agents", "leaderboard", "--json"]).json()[0]["honey"], 3);

    // The second failure blocks the lane. Whether the service or the watchdog was first, there is one incident.
    worked(&ada, &bold, "fail");
    let watched = ada.run(&["agents", "watch", &bold]);
    assert!(watched.text().contains(&name), "{watched:?}");
    let again = ada.run(&["agents", "watch", &bold, "--json"]).json();
    assert_eq!(again, json!({ "opened": [], "scanned_lanes": 1, "blocked_lanes": [name] }));
    let flags = ["incidents", "ls", "--agent-profile", &bold, "--kind", "recurring_flag", "--json"];
    assert_eq!(ada.run(&flags).json().as_array().unwrap().len(), 1);
    let new = ["runs", "new", "-p", "Loans", "-f", SHEET, "--agent-profile", &bold];
    ada.run(&new).fails(1, "API 409: ");
    assert!(ada.run(&["agents", "show", &bold]).text().contains("blocked"));
}

#[tokio::test]
async fn an_incident_goes_from_open_to_its_receipt() {
    let service = Service::start(Store::Embedded).await;
    let ada = Terminal::signed_in(&service, "ada@example.org");
    ada.run(&["projects", "create", "--name", "Loans"]).text();
    let agent = id(&ada.run(&["agents", "create", "--name", "memo analyst", "--json"]).json());
    let run = worked(&ada, &agent, "pass");
    assert!(ada.run(&["incidents", "ls"]).text().contains("no such incidents"));
    let open = [
        &["incidents", "open", "--title", "it ran", "--kind", "rogue", "--tier", "mid", "--detail", "- at night"][..],
        &["--agent-profile", &agent, "--run", &run, "--lane", "GDPR", "--response", "stopped", "--response", "told"],
    ];
    let opened = ada.run(&[&open.concat()[..], &["--json"]].concat()).json();
    let expected = json!({
        "title": "it ran", "kind": "rogue", "tier": "mid", "detail": "- at night", "agent_profile_id": agent,
        "agent_profile_name": "memo analyst", "run_id": run, "lane": "GDPR", "response": ["stopped", "told"],
        "status": "open",
    });
    for (field, value) in expected.as_object().unwrap() {
        assert_eq!(opened[field], *value, "{field}");
    }
    let incident = id(&opened);
    let shown = ada.run(&["incidents", "show", &incident]);
    for part in [&incident, "it ran", "rogue", "- at night", "GDPR", "memo analyst", &run, "stopped, told", "open"] {
        assert!(shown.text().contains(part), "{part}: {shown:?}");
    }
    // What is not said: a broken gate, of weight.
    let other = ada.run(&["incidents", "open", "--title", "too early", "--json"]).json();
    assert_eq!((&other["kind"], &other["tier"]), (&json!("policy_violation"), &json!("high")));
    ada.run(&["incidents", "open", "--title", " "]).fails(1, "API 400: ");
    assert_eq!(ada.run(&["incidents", "open", "--title", "x", "--kind", "single_flag"]).code, 2);
    ada.run(&["incidents", "show", "inc_01h455vb4pex5vsknk084sn02q"]).fails(1, "API 404: ");

    assert!(ada.run(&["incidents", "resolve", &incident]).text().contains("resolved"));
    ada.run(&["incidents", "resolve", &incident]).fails(1, "API 409: ");
    let titles = |filter: &[&str]| -> Vec<String> {
        let incidents = ada.run(&[&["incidents", "ls", "--json"], filter].concat()).json();
        incidents.as_array().unwrap().iter().map(|one| one["title"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(titles(&[]), ["too early", "it ran"]);
    assert_eq!(titles(&["--status", "open"]), ["too early"]);
    assert_eq!(titles(&["--status", "resolved"]), ["it ran"]);
    assert_eq!(titles(&["--kind", "rogue"]), ["it ran"]);
    assert_eq!(titles(&["--agent-profile", &agent]), ["it ran"]);
    assert!(titles(&["--agent-profile", &agent, "--status", "open"]).is_empty());
    let listed = ada.run(&["incidents", "ls", "--kind", "rogue"]);
    assert!(listed.text().contains("memo analyst") && listed.text().lines().count() == 2, "{listed:?}");

    let receipt = ada.run(&["incidents", "receipt", &incident, "--json"]).json();
    assert_eq!(ada.run(&["incidents", "receipt", &incident, "--json"]).json(), receipt, "an incident has one receipt");
    let told = ada.run(&["incidents", "receipt", &incident]);
    let token = receipt["share_token"].as_str().unwrap();
    assert!(told.text().contains(receipt["receipt_id"].as_str().unwrap()) && told.text().contains(token), "{told:?}");
    let shown = ada.run(&["incidents", "show", &incident]);
    assert!(
        shown.text().contains(receipt["receipt_id"].as_str().unwrap()) && shown.text().contains(token),
        "{shown:?}"
    );
    assert_eq!(ada.run(&["receipt", "show", token, "--json"]).json()["payload"]["incident"]["status"], "resolved");
    let verified = ada.run(&["verify", token]);
    assert!(verified.text().contains("Verified") && verified.text().contains("it ran"), "{verified:?}");
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

/// Profiles that differ, a lane in every state, and two incidents.
fn the_demos_agents_have_earned_something(you: &Terminal, runs: &Value) {
    let profiles: Vec<_> = you.run(&["agents", "ls", "--json"]).json().as_array().unwrap().iter().map(id).collect();
    let profiles: Vec<_> = profiles.iter().map(|one| you.run(&["agents", "show", one, "--json"]).json()).collect();
    let all = |of: fn(&Value) -> Vec<&Value>| -> BTreeSet<String> {
        profiles.iter().flat_map(of).filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let tiers = all(|profile| vec![&profile["capability_tier"]]);
    assert_eq!(tiers, ["edge", "small", "mid", "frontier"].map(str::to_owned).into());
    let earned = all(|profile| vec![&profile["capability"]["overall_status"]]);
    assert_eq!(earned, ["approved", "restricted"].map(str::to_owned).into());
    let lanes = |profile: &Value| profile["capability"]["lane_authorizations"].as_array().unwrap().clone();
    let states: BTreeSet<_> =
        profiles.iter().flat_map(lanes).map(|lane| lane["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["testing", "approved", "restricted", "blocked"].map(str::to_owned).into());
    assert!(profiles.iter().any(|profile| profile["governance"]["requires_approval_client_output"] == true));
    assert!(profiles.iter().any(|profile| profile["governance"]["spend_cap_usd"].is_f64()));
    for run in runs.as_array().unwrap() {
        let run = you.run(&["runs", "show", run["id"].as_str().unwrap(), "--json"]).json();
        let profile = profiles.iter().find(|profile| profile["id"] == run["agent_profile_id"]);
        assert_eq!(profile.is_some(), run["status"] != "draft", "{run}");
        assert!(profile.is_none_or(|profile| profile["name"] == run["agent_name"]), "{run}");
    }

    let incidents = you.run(&["incidents", "ls", "--json"]).json();
    let incidents = incidents.as_array().unwrap();
    let one = |kind: &str| incidents.iter().find(|incident| incident["kind"] == kind).unwrap();
    let (flag, other) = (one("recurring_flag"), one("policy_violation"));
    assert_eq!((incidents.len(), &flag["status"], &other["status"]), (2, &json!("open"), &json!("resolved")));
    let blocked = profiles.iter().find(|profile| profile["id"] == flag["agent_profile_id"]).unwrap();
    assert_eq!(blocked["governance"]["blocked_lanes"], json!([flag["lane"]]));
    assert!(lanes(blocked).iter().any(|lane| lane["name"] == flag["lane"] && lane["status"] == "blocked"));
    let sealed = you.run(&["receipts", "recent", "-s", "incident", "--json"]).json();
    assert_eq!((sealed.as_array().unwrap().len(), &sealed[0]["receipt_id"]), (1, &other["receipt_id"]));
}

async fn the_demo_fills_a_new_store_that_is_served_as_any_other(store: Store) {
    let mut service = Service::start(store).await;
    // What a store holds that was started once, the built-in library, is in nobody's way.
    service.stop().await;
    let output = service.on_store(&["demo"]);
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && told.contains("you@example.com"), "{output:?}");
    assert!(told.contains("4 agents, 17 runs, 2 incidents and 7 receipts"), "{told}");
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
    the_demos_agents_have_earned_something(&you, &runs);
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
    // The service's own watch, once it has read all of it, finds nothing left to do.
    let unread = "SELECT count(*) FROM events WHERE event_type = 'profile_evaluated' \
                  AND position > (SELECT coalesce(max(position), 0) FROM reactors)";
    let (mut raw, start) = (Raw::of(&service).await, Instant::now());
    while raw.number(unread).await > 0 {
        assert!(start.elapsed() < Duration::from_secs(10), "the reactor does not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let flags = you.run(&["incidents", "ls", "--kind", "recurring_flag", "--json"]).json();
    assert_eq!(flags.as_array().unwrap().len(), 1);
}
on_both_stores!(the_demo_fills_a_new_store_that_is_served_as_any_other);

#[tokio::test]
async fn the_demo_tells_a_program_what_it_made() {
    let service = Service::start(Store::Embedded).await;
    let told = Terminal::at(&service).with(&[]).run(&["demo", "--data", "demo", "--json"]).json();
    assert_eq!(keys(&told), ["admin", "projects", "agent_profiles", "runs", "incidents"].into());
    let all = |list: &str, field: &str| -> Vec<Value> {
        told[list].as_array().unwrap().iter().map(|one| one[field].clone()).collect()
    };
    assert_eq!(all("agent_profiles", "name"), ["memo-writer", "notice-reviewer", "log-reviewer", "figure-checker"]);
    assert!(all("agent_profiles", "id").iter().all(|id| id.as_str().unwrap().starts_with("agt_")));
    assert_eq!(all("incidents", "kind"), ["policy_violation", "recurring_flag"]);
    let sealed: Vec<_> = all("incidents", "share_token").iter().map(Value::is_string).collect();
    assert_eq!(sealed, [true, false]);
    assert_eq!(all("runs", "share_token").iter().filter(|token| token.is_string()).count(), 6);
}
