//! Receipts as PDF: what they say, what they are made of, and that they are the same each time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod sample;

use documents::receipt::Receipt;
use sample::*;
use serde_json::{Value, json};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    process::{Command, Stdio},
    time::Instant,
};

/// The receipt of a payload, as PDF.
fn pdf(payload: &Value) -> Vec<u8> {
    sealed(&serde_json::to_vec(payload).unwrap(), true, true)
}

fn sealed(payload: &[u8], verified: bool, chain_consistent: bool) -> Vec<u8> {
    let receipt = Receipt {
        receipt_id: ID,
        org_seq: 4,
        parent_hash: PARENT,
        receipt_sha256: DIGEST,
        created_at: "2026-11-22T10:05:00Z".parse().unwrap(),
        share_url: URL,
        verified,
        chain_consistent,
        payload,
    };
    receipt.pdf().unwrap()
}

/// What a program of Poppler says of it.
fn poppler(program: &str, arguments: &[&str], pdf: &[u8]) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .args(if program == "pdftotext" { &["-", "-"][..] } else { &["-"] })
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} (Debian package poppler-utils): {error}"));
    child.stdin.take().unwrap().write_all(pdf).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a reader can copy out of it, page by page, in the order of the tags, its words one space apart.
fn pages(pdf: &[u8]) -> Vec<String> {
    let text = poppler("pdftotext", &["-raw"], pdf);
    let pages = text.strip_suffix('\u{c}').unwrap_or(&text).split('\u{c}');
    pages.map(squeezed).collect()
}

fn text(pdf: &[u8]) -> String {
    pages(pdf).join(" ")
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn it_says_what_came_of_the_work() {
    let text = text(&pdf(&honey()));
    for said in [
        "Defendable",
        "Issued 22 November 2026, 10:05 UTC",
        "RECEIPT · DCR-000004-3a7c9f2b",
        "Q2 deal, Lakeside Terrace: loan sizing memo",
        "Passed",
        "Honey",
        "97/100",
        "Work by the agent claude-code, held against DSCR and LTV analysis v1.0: 4 of 5 applied rules satisfied, 1 flag, 1 skipped",
        "Approved by approver@northlake.example before this receipt was issued.",
        "Yes, with notes",
        "Safe to release",
        "High 0",
        "Mid 0",
        "Low 1",
        "claude-opus (Anthropic)",
        "Northlake Capital",
        "round 2, after 1 earlier one",
        "Page 1 of ",
    ] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
}

#[test]
fn it_shows_every_finding_and_the_spot_of_a_miss() {
    let text = text(&pdf(&honey()));
    for said in [
        "Debt service",
        "The stated figure is off by 12,947.55 (1.8 %).",
        "Expected 706,052.45",
        "Found 719,000",
        "Remedy State the debt service that follows from the rate and the term.",
        "1.303 recomputed from NOI 920,000",
        "The memo has a summary",
        "Mezzanine cap",
        "Flags (1)",
        "Passed (4)",
        "Skipped (1)",
        "math",
        "policy",
    ] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
    assert!(!text.contains("Open ("), "no group without a finding");
}

#[test]
fn flags_come_first_and_the_worst_of_them_before_the_others() {
    let mut payload = honey();
    let told = ["", "", "", ""];
    let of = |status, tier, label| check(status, tier, "policy", label, told);
    payload["findings"] = json!([
        of("skip", "high", "seventh"),
        of("pass", "low", "sixth"),
        of("pass", "high", "fifth"),
        of("open", "mid", "fourth"),
        of("flag", "low", "third"),
        of("flag", "mid", "second"),
        of("flag", "high", "first"),
    ]);
    let text = text(&pdf(&payload));
    let place = |label: &str| text.find(label).unwrap_or_else(|| panic!("{label} is not in {text}"));
    let order = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"].map(place);
    assert!(order.is_sorted(), "{order:?} in {text}");
}

#[test]
fn it_has_the_numbers_to_keep_whole() {
    let text = text(&pdf(&honey()));
    let digests = [1, 2, 3, 4, 6, 7].map(|of: u8| format!("{of:02x}").repeat(32));
    for number in digests.iter().map(String::as_str).chain([DIGEST, PARENT, URL]) {
        assert!(text.contains(number), "{number} is not in {text}");
    }
}

#[test]
fn what_the_payload_does_not_have_is_left_out() {
    let mut payload = honey();
    for field in ["agent_name", "model_name", "provider"] {
        payload["submission"][field] = Value::Null;
    }
    payload["ownership"]["agent_created"] = Value::Null;
    payload["approval"]["note"] = Value::Null;
    payload["assignment"]["sha256"] = Value::Null;
    payload["evidence"] = json!([]);
    payload["submission"]["earlier"] = json!([]);
    payload["findings"] = json!([]);
    let text = text(&pdf(&payload));
    for absent in
        ["by the agent", "Model", "Made by", "Note", "Assignment SHA-256", "Evidence", "round", "none", "Stack"]
    {
        assert!(!text.contains(absent), "{absent:?} is in {text}");
    }
}

#[test]
fn the_stack_of_a_profile_is_shown_as_far_as_it_is_told() {
    let mut payload = honey();
    payload["agent_profile"] = json!({
        "id": "agt_01", "name": "Sizing desk", "capability_tier": "frontier", "harness": "claude-code",
        "harness_version": "2.1", "model": "claude-opus", "model_provider": "Anthropic", "served_by": "Bedrock",
        "runtime_host": "ci-3", "runtime_hardware": "2 cores", "runtime_os": "Debian 12", "notes": null,
        "governance": {"blocked_lanes": []}, "tools": ["bash"],
    });
    let told = text(&pdf(&payload));
    for said in [
        "Sizing desk",
        "frontier",
        "claude-code 2.1",
        "claude-opus, by Anthropic, served by Bedrock",
        "ci-3, 2 cores, Debian 12",
    ] {
        assert!(told.contains(said), "{said:?} is not in {told}");
    }
    payload["agent_profile"] = json!({"id": "agt_01"});
    assert!(text(&pdf(&payload)).contains("agt_01"));
}

#[test]
fn an_incident_has_a_page_of_its_own() {
    let payload = json!({
        "schema": "defendable.incident-receipt/v1", "receipt_id": ID, "org_seq": 4, "parent_hash": PARENT,
        "created_at": "2026-11-22T10:05:00Z", "share_url": URL,
        "organization": {"id": "01", "name": "Northlake Capital"},
        "incident": {
            "id": "inc_01", "kind": "policy_violation", "tier": "high", "title": "Wired money without a second person",
            "detail": "The gate asks for two.\nOne was asked.", "lane": "payments",
            "response": ["Revoke the key", "Tell the client"], "status": "open", "run_id": "run_01",
            "opened_at": "2026-11-21T08:00:00Z",
        },
        "agent_profile": null,
    });
    let text = text(&pdf(&payload));
    for said in [
        "INCIDENT RECEIPT · DCR-000004-3a7c9f2b",
        "Wired money without a second person",
        "High tier",
        "Open",
        "Policy violation: it breached a declared gate.",
        "The gate asks for two. One was asked.",
        "Revoke the key",
        "Tell the client",
        "payments",
        "21 November 2026, 08:00 UTC",
        "inc_01",
        DIGEST,
        PARENT,
        URL,
    ] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
}

#[test]
fn two_hundred_checks_fill_pages_that_are_numbered_and_named() {
    let pages = pages(&pdf(&propolis()));
    assert!(pages.len() > 4, "{} pages", pages.len());
    for (place, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of {}", place + 1, pages.len())), "{page}");
        assert!(page.contains(ID), "{page}");
    }
    let text = pages.join(" ");
    for place in 0..200 {
        assert!(text.contains(&format!("Rule {place:03}")), "rule {place}");
    }
}

/// Each script's text is set by a font that draws it, and can be copied out again.
#[test]
fn texts_in_any_script_come_out_as_they_went_in() {
    let pdf = pdf(&scripts());
    let text = text(&pdf).replace(' ', "");
    for said in
        ["贷款价值比不超过百分之八十", "計算値は1.303で", "대출메모의요약", "株式会社サンプル", "Zażółć", "Кириллица"]
    {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
    assert!(is_accessible(&pdf));
}

#[test]
fn nothing_in_a_payload_is_markup() {
    for hostile in HOSTILE {
        let mut payload = run(hostile, vec![check("flag", "high", "policy", hostile, [hostile; 4])]);
        for place in [
            "/organization/name",
            "/submission/agent_name",
            "/submission/model_name",
            "/approval/note",
            "/flight_sheet/name",
            "/evidence/0/label",
            "/run/project/name",
            "/verdict/recommended_action",
            "/ownership/final_authority",
        ] {
            *payload.pointer_mut(place).unwrap() = json!(hostile);
        }
        let text = text(&pdf(&payload));
        assert!(text.contains("held against"), "{hostile:?} has its page: {text}");
        let said = squeezed(hostile).replace(' ', "");
        assert!(text.replace(' ', "").matches(&said).count() >= 10, "{hostile:?} stands as it is in {text}");
    }
}

#[test]
fn what_no_font_draws_is_named_and_nothing_turns_the_page_around() {
    let hostile = "a\u{7}b \u{e000} \u{13000} exe.\u{202e}fdp \u{fffe} \u{300}\u{301}";
    let pdf = pdf(&run(hostile, vec![check("flag", "high", "policy", hostile, [hostile; 4])]));
    assert!(text(&pdf).contains("a⟨U+0007⟩b ⟨U+E000⟩ ⟨U+13000⟩ exe.⟨U+202E⟩fdp ⟨U+FFFE⟩"), "{}", text(&pdf));
}

#[test]
fn a_word_as_long_as_a_page_stays_on_it() {
    let word = "antidisestablishmentarianism".repeat(40);
    let pages = pages(&pdf(&run(&word, vec![check("flag", "high", "policy", &word, [&word; 4])])));
    let text = pages.concat().replace(' ', "");
    assert!(text.contains(&word), "it can be copied whole");
}

#[test]
fn a_record_that_was_changed_says_so() {
    let payload = serde_json::to_vec(&honey()).unwrap();
    let genuine = text(&sealed(&payload, true, true));
    assert!(!genuine.contains("Not as it was issued"));
    let changed = text(&sealed(&payload, false, true));
    assert!(changed.contains("Not as it was issued. This record does not hash to the number"), "{changed}");
    let moved = text(&sealed(&payload, true, false));
    assert!(moved.contains("Not as it was issued. This record does not stand where it was sealed"), "{moved}");
}

#[test]
fn a_record_without_a_form_is_shown_as_it_is_stored() {
    let mut formless = honey();
    formless["verdict"]["severity"] = json!({"not": "a word"});
    for payload in [
        b"\xff no JSON #panic()".to_vec(),
        br#"{"schema": "somebody-elses/v1", "x": 1}"#.to_vec(),
        b"[1]".to_vec(),
        serde_json::to_vec(&formless).unwrap(),
    ] {
        let text = text(&sealed(&payload, false, false));
        for said in ["This record has no known form.", "Not as it was issued", DIGEST] {
            assert!(text.contains(said), "{said:?} is not in {text}");
        }
    }
}

/// Whether it claims PDF/UA-1, has a tree of tags, a title and a language.
fn is_accessible(pdf: &[u8]) -> bool {
    let (about, metadata) = (poppler("pdfinfo", &[], pdf), poppler("pdfinfo", &["-meta"], pdf));
    let title = about.lines().find_map(|line| line.strip_prefix("Title:")).unwrap_or_default();
    title.trim().starts_with(&format!("Receipt {ID}: "))
        && about.lines().any(|line| line.starts_with("Tagged:") && line.ends_with("yes"))
        && metadata.contains("<pdfuaid:part>1</pdfuaid:part>")
        && metadata.contains("<dc:language>")
}

#[test]
fn it_is_tagged_and_claims_the_standard() {
    for payload in [honey(), scripts()] {
        assert!(is_accessible(&pdf(&payload)));
    }
}

#[test]
fn it_is_a_pdf_made_when_the_receipt_was() {
    let pdf = pdf(&honey());
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 800);
    let about = poppler("pdfinfo", &["-isodates"], &pdf);
    let says = |key: &str| squeezed(about.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default());
    assert_eq!(says("CreationDate:"), "2026-11-22T10:05:00Z");
    assert_eq!(says("Page size:"), "595.276 x 841.89 pts (A4)");
    assert_eq!(says("JavaScript:"), "no");
    assert_eq!(says("Encrypted:"), "no");
}

/// The digests of the samples as PDF. The standard library's hasher has fixed keys: other processes come to the same.
fn digests() -> String {
    let digest = |payload| {
        let mut hasher = DefaultHasher::new();
        pdf(&payload).hash(&mut hasher);
        hasher.finish().to_string()
    };
    [honey(), scripts()].map(digest).join(" ")
}

#[test]
#[ignore = "the other half of the_same_receipt_is_the_same_bytes_in_another_process"]
#[allow(clippy::print_stdout, reason = "its output is read")]
fn in_another_process() {
    println!("digests: {}", digests());
}

#[test]
fn the_same_receipt_is_the_same_bytes_in_another_process() {
    let ours = digests();
    assert_eq!(ours, digests(), "twice in one process");
    for _ in 0..2 {
        let program = std::env::current_exe().unwrap();
        let other = Command::new(program).args(["--exact", "in_another_process", "--ignored", "--nocapture"]).output();
        let said = String::from_utf8(other.unwrap().stdout).unwrap();
        assert!(said.contains(&format!("digests: {ours}")), "{said}");
    }
}

/// Renders at once from many threads agree.
#[test]
fn renders_do_not_disturb_each_other() {
    let alone = [honey(), scripts()].map(|payload| pdf(&payload));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!([honey(), scripts()].map(|payload| pdf(&payload)), alone));
        }
    });
}

/// `cargo test --release -p documents --test receipt -- --ignored --nocapture how_long`
#[test]
#[ignore = "a measurement, and only in a release build"]
#[allow(clippy::print_stdout, reason = "its output is the measurement")]
fn how_long_it_takes() {
    for (name, payload) in [("honey", honey()), ("200 checks", propolis()), ("scripts", scripts())] {
        let mut payload = payload;
        let times = (0..20).map(|round| {
            // Another receipt each time, as in service.
            payload["run"]["project"]["name"] = json!(format!("Project {round}"));
            payload["assignment"]["title"] = json!(format!("Assignment {round}"));
            let begun = Instant::now();
            let size = pdf(&payload).len();
            (begun.elapsed(), size)
        });
        let times: Vec<_> = times.collect();
        let mut warm: Vec<_> = times[1..].iter().map(|(time, _)| *time).collect();
        warm.sort();
        let (middle, last, size) = (warm[warm.len() / 2], warm[warm.len() - 1], times[0].1);
        println!("{name}: first {:?}, then {middle:?} at the median and {last:?} at most; {size} bytes", times[0].0);
    }
}
