//! Payloads to lay out.

use serde_json::{Value, json};

pub(crate) const ID: &str = "DCR-000004-3a7c9f2b";
pub(crate) const DIGEST: &str = "a83e1b2c94d07f5b6b1e0c3d2a7f88e1c5d9b04477aa10fe2396d1e8b07777f1";
pub(crate) const PARENT: &str = "9c2f4e5d01b7aa4c3e8d6f9021c7b5a4de0f13829c6b7d50418f2a6b3c9de1a4";
pub(crate) const URL: &str = "https://grc.northlake.example/share/kQ8vN2xJ7pR4tW1mZ9bL3cF6";

fn hash(of: u8) -> String {
    format!("{of:02x}").repeat(32)
}

/// A check. `told` are its detail, what was expected, what was found and the remedy; empty is none.
pub(crate) fn check(status: &str, tier: &str, category: &str, label: &str, told: [&str; 4]) -> Value {
    let told = told.map(|text| (!text.is_empty()).then_some(text));
    json!({
        "id": "chk_01", "key": "k", "check_key": "k", "label": label, "category": category, "kind": "auto",
        "source": "auto", "status": status, "severity": tier, "tier": tier,
        "detail": told[0], "expected": told[1], "found": told[2], "remedy": told[3],
    })
}

/// The receipt of a run with these checks, and the verdict that follows from them.
pub(crate) fn run(title: &str, checks: Vec<Value>) -> Value {
    let count = |status: &str| checks.iter().filter(|check| check["status"] == status).count();
    let flags = |tier: &str| -> Vec<Value> {
        let flags = checks.iter().filter(|check| check["status"] == "flag" && check["tier"] == tier);
        flags.map(|check| check["label"].clone()).collect()
    };
    let (high, mid, low) = (flags("high"), flags("mid"), flags("low"));
    let (severity, outcome, client_ready, action) = match (high.len(), mid.len(), low.len()) {
        (1.., ..) => ("propolis", "fail", "no", "Resolve the high flags, then resubmit."),
        (_, 1.., _) => ("jelly", "risk", "after_repair", "Clear the mid flags, then resubmit."),
        (_, _, 1..) => ("honey", "pass", "yes_with_notes", "Safe to release; the notes are listed."),
        _ => ("honey", "pass", "yes", "Approve and issue the receipt."),
    };
    json!({
        "schema": "defendable.eval-receipt/v1",
        "receipt_id": ID, "org_seq": 4, "parent_hash": PARENT, "created_at": "2026-11-22T10:05:00Z", "share_url": URL,
        "organization": {"id": "01", "name": "Northlake Capital"},
        "run": {
            "id": "run_01", "title": title, "lane": "agent", "project": {"id": "prj_01", "name": "Lakeside Terrace"},
            "inputs_sha256": hash(1),
        },
        "flight_sheet": {
            "id": "fs_01", "slug": "cre_memo_dscr_ltv_v1", "name": "DSCR and LTV analysis", "version": "1.0",
            "content_sha256": hash(2),
        },
        "assignment": {"title": title, "sha256": hash(3)},
        "submission": {
            "agent_name": "claude-code", "model_name": "claude-opus", "provider": "Anthropic", "sha256": hash(4),
            "round": 2, "earlier": [hash(5)], "submitted_at": "2026-11-22T09:31:00Z",
        },
        "evidence": [
            {"id": "evd_01", "kind": "note", "label": "deal terms", "sha256": hash(6), "byte_size": 312, "content_type": null},
            {"id": "evd_02", "kind": "file", "label": "property-memo.pdf", "sha256": hash(7), "byte_size": 1_812_004,
             "content_type": "application/pdf"},
        ],
        "verdict": {
            "outcome": outcome, "severity": severity, "score_100": 97, "checks_passed": count("pass"),
            "checks_failed": count("flag"), "checks_skipped": count("skip"), "client_ready": client_ready,
            "next_action": "approve", "recommended_action": action, "summary": "…",
            "risk_breakdown": {"high": high, "mid": mid, "low": low}, "threshold_band": "above",
        },
        "findings": checks,
        "approval": {
            "decision": "approved", "approver": "approver@northlake.example", "approver_user_id": "01",
            "note": "ship it", "approved_at": "2026-11-22T10:04:00Z",
        },
        "ownership": {
            "agent_created": "claude-code", "audited_by": "defendable", "referee_logic": "DSCR and LTV analysis v1.0",
            "final_authority": "approver@northlake.example", "approval": "approved",
        },
        "engine": {"name": "defendable", "version": "0.1.0"},
        "events": {"org_position": 40, "hash": hash(8)},
        "agent_profile": null,
    })
}

/// Work that passes, with a note.
pub(crate) fn honey() -> Value {
    let none = ["", "", "", ""];
    run(
        "Q2 deal, Lakeside Terrace: loan sizing memo",
        vec![
            check("pass", "high", "math", "DSCR ≥ 1.20", ["1.303 recomputed from NOI 920,000", "", "", ""]),
            check("pass", "high", "math", "LTV ≤ 0.80", ["0.750 from 8,625,000 / 11,500,000", "", "", ""]),
            check("pass", "mid", "evidence", "Every claim cites evidence", ["4 of 4 references resolve", "", "", ""]),
            check(
                "flag",
                "low",
                "math",
                "Debt service",
                [
                    "The stated figure is off by 12,947.55 (1.8 %).",
                    "706,052.45",
                    "719,000",
                    "State the debt service that follows from the rate and the term.",
                ],
            ),
            check("pass", "low", "structure", "The memo has a summary", none),
            check("skip", "mid", "policy", "Mezzanine cap", ["No mezzanine loan is stated.", "", "", ""]),
        ],
    )
}

/// Work that fails, held against 200 rules.
pub(crate) fn propolis() -> Value {
    let tiers = ["high", "mid", "low"];
    let categories = ["math", "policy", "evidence", "structure", "schema"];
    let checks = (0..200).map(|place| {
        let (tier, category) = (tiers[place % 3], categories[place % 5]);
        let label = format!("Rule {place:03}: the stated figure agrees with the one that follows from its inputs");
        match place % 10 {
            0..=2 => check(
                "flag",
                tier,
                category,
                &label,
                [
                    "The stated figure is not the one that follows.",
                    "706,052.45",
                    "719,000",
                    "Recompute the figure from the rate, the term and the principal, and state the rounding.",
                ],
            ),
            3 => check("open", tier, category, &label, ["", "", "", ""]),
            4 => check("skip", tier, category, &label, ["An operand is missing: $.loan.rate", "", "", ""]),
            _ => check("pass", tier, category, &label, ["as stated: 1.303", "", "", ""]),
        }
    });
    run("Portfolio review", checks.collect())
}

/// Texts in other scripts.
pub(crate) fn scripts() -> Value {
    let told = |detail| [detail, "", "", ""];
    let mut payload = run(
        "תזכיר הלוואה: Lakeside Terrace, מהדורה 2",
        vec![
            check(
                "flag",
                "high",
                "policy",
                "نسبة تغطية خدمة الدين أقل من 1.20",
                [
                    "النسبة المذكورة 1.15 والنسبة المحسوبة 1.14 (DSCR).",
                    "1.20 على الأقل",
                    "1.14",
                    "أعد حساب خدمة الدين ثم قدّم العمل مرة أخرى.",
                ],
            ),
            check("flag", "mid", "math", "יחס ההלוואה לשווי", told("הערך שצוין הוא 0.81, מעל התקרה של 0.80.")),
            check("pass", "mid", "math", "贷款价值比不超过百分之八十", told("根据评估价值计算为 0.750，符合规则。")),
            check(
                "pass",
                "mid",
                "math",
                "借入金返済余裕率",
                told("計算値は1.303で、基準の1.20を上回っています。カタカナ、ひらがな、漢字。"),
            ),
            check("pass", "low", "structure", "대출 메모의 요약", told("요약이 있습니다. 세 문장입니다.")),
            check("pass", "low", "structure", "हिन्दी में सारांश", told("सारांश में तीन वाक्य हैं; क्षेत्रफल बताया गया है।")),
            check("pass", "low", "structure", "สรุปเป็นภาษาไทย", told("มีบทสรุปสามประโยคและระบุพื้นที่ไว้อย่างชัดเจนในเอกสารนี้")),
            check(
                "pass",
                "low",
                "structure",
                "Ελληνικά, Кириллица, Հայերեն, ქართული, አማርኛ",
                told("வணக்கம், నమస్కారం, ನಮಸ್ಕಾರ, নমস্কার, ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ"),
            ),
            check(
                "pass",
                "low",
                "structure",
                "Combining: e\u{301} n\u{303} a\u{30a} Z\u{335}\u{310}a\u{34a}l\u{352}g\u{33b}o\u{31b}",
                told("Vietnamese: Tiếng Việt có dấu; Polish: Zażółć gęślą jaźń."),
            ),
            check(
                "pass",
                "low",
                "structure",
                "Emoji 🎉 👩\u{200d}🔬 🇺🇳 ☃\u{fe0f}",
                told("✓ ✗ ☑ → ⇒ ∀x∈ℝ: x² ≥ 0, 𝑥, ½, №, €, ₿"),
            ),
        ],
    );
    payload["submission"]["agent_name"] = json!("وكيل التدقيق");
    payload["organization"]["name"] = json!("株式会社サンプル");
    payload
}

/// Texts that would be markup, code or a disguise anywhere else.
pub(crate) const HOSTILE: [&str; 8] = [
    "#panic(\"no\") #read(\"/etc/passwd\") #import \"@preview/x:1.0.0\"",
    "*bold* _emphasis_ `raw` = heading $ sum_(i=1)^n $ @reference <label>",
    "\"); #eval(\"1+1\") //",
    "]#set page(width: 1pt)[ \\ #{ } #let value = none",
    "</script><b>markup</b> & %PDF-1.7 endstream endobj (string) <</JS (x)>>",
    "- list\n+ enum\n/ term: x\n== title",
    "'single' \"double\" -- --- ... ~ \\u{41}",
    "https://example.org/not-a-link#fragment",
];
