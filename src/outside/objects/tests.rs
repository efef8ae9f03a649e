use super::*;
use crate::outside::{chance, tests::Folder};
use futures::stream;

fn key() -> Key {
    Key::of_evidence(chance::id(), chance::id(), chance::id())
}

fn store() -> (Folder, Objects) {
    let folder = Folder::new();
    let objects = Objects::in_folder(folder.path()).expect("a store");
    (folder, objects)
}

/// The bytes in chunks, as a client would send them.
fn sent(bytes: &[u8]) -> impl Stream<Item = Result<Bytes, &'static str>> + Unpin + use<> {
    stream::iter(bytes.chunks(64 * 1024).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect::<Vec<_>>())
}

fn megabytes(count: usize) -> Vec<u8> {
    (0..count * 1024 * 1024).map(|at| (at % 251) as u8).collect()
}

async fn read(objects: &Objects, key: &Key) -> Vec<u8> {
    let (size, bytes) = objects.get(key).await.expect("is there");
    let bytes: Vec<Bytes> = bytes.try_collect().await.expect("reads");
    assert_eq!(bytes.iter().map(Bytes::len).sum::<usize>() as u64, size);
    bytes.concat()
}

/// Every file below the folder, whole or not.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("an entry").path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Giving up goes on behind the answer.
async fn nothing_is_left(folder: &Folder) {
    for _ in 0..500 {
        if files(folder.path()).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("left over: {:?}", files(folder.path()));
}

#[tokio::test]
async fn what_is_stored_is_hashed_and_comes_back() {
    let (_folder, objects) = store();
    for bytes in [vec![], b"memo".to_vec(), megabytes(5), megabytes(12)] {
        let key = key();
        let stored = objects.put_stream(&key, sent(&bytes), u64::MAX).await.expect("stores");
        let expected =
            Stored { sha256: proof::digest::sha256(&bytes), blake3: blake3::hash(&bytes), size: bytes.len() as u64 };
        assert_eq!(stored, expected);
        assert!(read(&objects, &key).await == bytes);
    }
}

#[tokio::test]
async fn the_limit_is_inclusive_and_beyond_it_nothing_is_left() {
    let (folder, objects) = store();
    for size in [1, 6] {
        let (bytes, key) = (megabytes(size), key());
        let limit = bytes.len() as u64;
        let refused = objects.put_stream(&key, sent(&bytes), limit - 1).await;
        assert!(matches!(refused, Err(ObjectError::TooLarge { limit: at }) if at == limit - 1));
        nothing_is_left(&folder).await;
        assert!(objects.put_stream(&key, sent(&bytes), limit).await.is_ok());
        objects.delete(&key).await.expect("deletes");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let (folder, objects) = store();
    for size in [1, 11] {
        let broken = sent(&megabytes(size)).chain(stream::iter([Err("the client hung up")]));
        let refused = objects.put_stream(&key(), broken, u64::MAX).await;
        assert!(matches!(refused, Err(ObjectError::Interrupted(reason)) if reason == "the client hung up"));
        nothing_is_left(&folder).await;
    }
}

#[tokio::test]
async fn an_upload_that_nobody_waits_for_leaves_nothing() {
    let (folder, objects) = store();
    let hanging = sent(&megabytes(11)).chain(stream::pending());
    let patience = Duration::from_millis(500);
    assert!(tokio::time::timeout(patience, objects.put_stream(&key(), hanging, u64::MAX)).await.is_err());
    nothing_is_left(&folder).await;
}

#[tokio::test]
async fn an_object_that_is_gone_is_told_apart_from_a_store_that_is_away() {
    let (folder, objects) = store();
    let key = key();
    objects.put_stream(&key, sent(b"memo"), 100).await.expect("stores");
    objects.delete(&key).await.expect("deletes");
    objects.delete(&key).await.expect("deletes what is gone");
    assert!(matches!(objects.get(&key).await.err(), Some(ObjectError::NotFound)));
    objects.probe().await.expect("answers");
    fs::remove_dir_all(folder.path()).expect("removes");
    assert!(objects.probe().await.is_err());
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_unavailable() {
    let (folder, objects) = store();
    fs::write(folder.path().join("orgs"), "in the way").expect("writes");
    let refused = objects.put_stream(&key(), sent(b"memo"), 100).await;
    assert!(matches!(refused, Err(ObjectError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_bucket_that_is_away_is_unavailable() {
    let bucket = Bucket {
        name: "evidence".into(),
        prefix: String::new(),
        region: "us-east-1".into(),
        endpoint: Some("http://127.0.0.1:1".into()),
        access_key_id: "id".into(),
        secret_access_key: "secret".into(),
    };
    let objects = Objects::in_bucket(bucket).expect("a store");
    assert!(matches!(objects.probe().await, Err(ObjectError::Unavailable(_))));
}

#[test]
fn a_key_is_made_of_ids_alone() {
    let (org, run, evidence) = (OrgId::default(), RunId::default(), EvidenceId::default());
    let key = Key::of_evidence(org, run, evidence);
    assert_eq!(key.to_string(), format!("orgs/{org}/runs/{run}/evidence/{evidence}"));
}

#[test]
fn a_full_disk_is_told_apart() {
    let full = || io::Error::from(io::ErrorKind::StorageFull);
    assert!(matches!(ObjectError::from(full()), ObjectError::Full));
    let wrapped = object_store::Error::Generic { store: "LocalFileSystem", source: Box::new(full()) };
    assert!(matches!(ObjectError::from(wrapped), ObjectError::Full));
    assert!(matches!(ObjectError::from(io::Error::other("cable")), ObjectError::Unavailable(_)));
}
