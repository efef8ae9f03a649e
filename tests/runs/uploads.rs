//! Files: streamed in, hashed, limited, and never where their sender says.

use crate::{on_both_stores, support::*};
use std::{
    fs,
    path::{Path, PathBuf},
};

const LIMIT: usize = 26_214_400;

/// The files that hold evidence, with their length.
fn stored(service: &Service) -> Vec<(PathBuf, u64)> {
    fn walk(folder: &Path, found: &mut Vec<(PathBuf, u64)>) {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            match entry.metadata().unwrap() {
                folder if folder.is_dir() => walk(&entry.path(), found),
                file => found.push((entry.path(), file.len())),
            }
        }
    }
    let mut found = vec![];
    walk(&service.data().join("objects"), &mut found);
    found
}

fn file(bytes: impl Into<std::borrow::Cow<'static, [u8]>>) -> Part {
    Part::bytes(bytes).file_name("memo.txt")
}

async fn a_file_of_25_mib_is_kept_and_one_byte_more_is_not(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let upload = |form: Form| ada.post(&format!("/runs/{run}/evidence/upload")).form(form);
    let bytes: Vec<u8> = (0..LIMIT).map(|at| (at * 31 % 251) as u8).collect();
    let digest = sha256(&bytes);
    let evidence = upload(Form::new().part("file", file(bytes.clone())).text("label", " memo ")).await.created();
    assert_eq!((&evidence["byte_size"], &evidence["sha256"]), (&json!(LIMIT), &json!(digest)));
    assert_eq!((&evidence["label"], &evidence["content"]), (&json!("memo"), &json!(null)));
    let kept = stored(&service);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!(sha256(&fs::read(&kept[0].0).unwrap()), digest);

    let mut more = bytes;
    more.push(0);
    upload(Form::new().part("file", file(more.clone()))).await.refused(413);
    // The same when nothing declares how long it is.
    let chunks = more.chunks(1 << 20).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let undeclared = Part::stream(reqwest::Body::wrap_stream(futures::stream::iter(chunks))).file_name("memo.txt");
    let answer = ada.post(&format!("/runs/{run}/evidence/upload")).form(Form::new().part("file", undeclared));
    answer.await.refused(413);
    assert_eq!(stored(&service), kept, "what is refused leaves no file behind");
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["evidence"], json!([evidence]));
}

async fn a_file_name_is_a_label_and_no_path(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let names = [
        ("../../../../etc/cron.d/evil", "evil"),
        ("/etc/passwd", "passwd"),
        ("C:\\Windows\\system.ini", "system.ini"),
        ("..\\..\\x.txt", "x.txt"),
        ("Übersicht 数据.pdf", "Übersicht 数据.pdf"),
        ("a b.txt", "a b.txt"),
        ("..", ".."),
        ("dir/", "file"),
    ];
    for (name, label) in names {
        let part = Part::bytes(b"x".as_slice()).file_name(name);
        let evidence = ada.post(&format!("/runs/{run}/evidence/upload")).form(Form::new().part("file", part));
        let evidence = evidence.await.created();
        assert_eq!(evidence["label"], label, "{name}");
        assert_eq!(evidence["content_type"], "application/octet-stream");
    }
    let kept = stored(&service);
    assert_eq!(kept.len(), names.len());
    for (path, _) in kept {
        let path = path.to_str().unwrap();
        assert!(
            !["evil", "passwd", "system.ini", "x.txt", "bersicht"].iter().any(|name| path.contains(name)),
            "{path}"
        );
    }
}

async fn a_form_that_is_not_as_described_is_refused_and_leaves_nothing(store: Store) {
    let service = Service::start(store).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let path = format!("/runs/{run}/evidence/upload");
    let upload = |form: Form| ada.post(&path).form(form);
    let field = async |form: Form| upload(form).await.refused(400).field;
    let some = || file(b"x".as_slice());
    assert_eq!(field(Form::new().text("label", "no file")).await.as_deref(), Some("file"));
    assert_eq!(field(Form::new().part("file", some()).part("file", some())).await.as_deref(), Some("file"));
    assert_eq!(field(Form::new().part("file", some()).text("kind", "note")).await.as_deref(), Some("kind"));
    assert_eq!(field(Form::new().part("file", some()).text("label", "x".repeat(301))).await.as_deref(), Some("label"));
    assert_eq!(field(Form::new().part("file", some()).text("label", "a\0b")).await.as_deref(), Some("label"));
    let not_text = Part::bytes(b"\xff\xfe".as_slice());
    assert_eq!(field(Form::new().part("file", some()).part("label", not_text)).await.as_deref(), Some("label"));
    let maybe = Form::new().part("file", some()).text("customer_provided", "maybe");
    assert_eq!(field(maybe).await.as_deref(), Some("customer_provided"));

    ada.post(&path).json(json!({ "file": "x" })).await.refused(415);
    ada.post(&path).await.refused(415);
    ada.post(&path).body("text/plain", "x").await.refused(415);
    ada.post(&path).body("multipart/form-data", "x").await.refused(400);
    for torn in [
        "",
        "--b",
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nhalf a fi",
        "--b\r\nno header\r\n\r\nx\r\n--b--\r\n",
        "--b\r\nContent-Type: text/plain\r\n\r\nnameless\r\n--b--\r\n",
        "--other\r\n\r\nx\r\n--other--\r\n",
    ] {
        ada.post(&path).body("multipart/form-data; boundary=b", torn).await.refused(400);
    }
    assert_eq!(stored(&service), []);
    assert_eq!(ada.get(&format!("/runs/{run}")).await.ok()["evidence"], json!([]));

    let empty = upload(Form::new().part("file", file(b"".as_slice())).text("customer_provided", "false"));
    let empty = empty.await.created();
    assert_eq!((&empty["byte_size"], &empty["sha256"]), (&json!(0), &json!(sha256(b""))));
    assert_eq!(empty["customer_provided"], false);
}

async fn nothing_is_read_for_a_run_that_cannot_take_it(store: Store) {
    let service = Service::start(store).await;
    let (ada, eve) = (service.sign_in("ada@example.org").await, service.sign_in("eve@example.com").await);
    let run = ada.open(SHEET).await;
    let form = || Form::new().part("file", file(b"x".as_slice()));
    eve.post(&format!("/runs/{run}/evidence/upload")).form(form()).await.refused(404);
    service.anonymous().post(&format!("/runs/{run}/evidence/upload")).form(form()).await.refused(401);
    ada.post("/runs/run_00000000000000000000000000/evidence/upload").form(form()).await.refused(404);
    let (done, _) = ada.minted().await;
    ada.post(&format!("/runs/{done}/evidence/upload")).form(form()).await.refused(409);
    assert_eq!(stored(&service), []);
}

async fn uploads_an_hour_are_limited(store: Store) {
    let service = Service::start_with(store, &[("DEFENDABLE_UPLOADS_PER_HOUR", "2")]).await;
    let ada = service.sign_in("ada@example.org").await;
    let run = ada.open(SHEET).await;
    let upload = || {
        let form = Form::new().part("file", file(b"x".as_slice()));
        ada.post(&format!("/runs/{run}/evidence/upload")).form(form)
    };
    upload().await.created();
    upload().await.created();
    upload().await.refused(429);
    assert_eq!(stored(&service).len(), 2);
}

on_both_stores!(
    a_file_of_25_mib_is_kept_and_one_byte_more_is_not,
    a_file_name_is_a_label_and_no_path,
    a_form_that_is_not_as_described_is_refused_and_leaves_nothing,
    nothing_is_read_for_a_run_that_cannot_take_it,
    uploads_an_hour_are_limited,
);
