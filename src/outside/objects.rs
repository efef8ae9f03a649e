//! Objects: evidence files, too large for the ledger, which holds their digests.

use aggregates::ids::{EvidenceId, OrgId, RunId};
use bytes::Bytes;
use futures::{
    Stream, StreamExt,
    stream::{BoxStream, TryStreamExt},
};
use object_store::prefix::PrefixStore;
use object_store::{
    BackoffConfig, MultipartUpload, ObjectStore, PutPayload, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem,
    path::Path as Location,
};
use proof::digest::Sha256Hex;
use sha2::{Digest, Sha256};
use std::{error::Error, fmt::Display, fs, io, path::PathBuf, sync::Arc, time::Duration};

/// What is held in memory of an upload, and sent as one part: the least that S3 takes.
const PART: usize = 5 * 1024 * 1024;

/// How often a bucket is asked again that does not answer, and for how long, before the caller is told.
const RETRIES: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);

/// Where objects are kept.
#[derive(Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    /// The folder, where it is one.
    folder: Option<Arc<LocalFileSystem>>,
}

/// A bucket of a store that speaks S3.
#[derive(Clone)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What every object's name begins with there; may be empty.
    pub prefix: String,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The store's address, such as `https://s3.example.com`; absent: Amazon's of that region.
    pub endpoint: Option<String>,
    /// The access key's id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
}

/// The name of an object. No part of it comes from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Location);

impl Key {
    /// Where a piece of evidence lies.
    pub fn of_evidence(org: OrgId, run: RunId, evidence: EvidenceId) -> Self {
        Self(Location::from(format!("orgs/{org}/runs/{run}/evidence/{evidence}")))
    }
}

impl Display for Key {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(out)
    }
}

/// What was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// SHA-256 of the bytes.
    pub sha256: Sha256Hex,
    /// BLAKE3 of the bytes.
    pub blake3: blake3::Hash,
    /// How many bytes.
    pub size: u64,
}

/// Why an object is not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// More bytes came than are allowed.
    #[error("the upload is larger than the {limit} bytes that are allowed")]
    TooLarge {
        /// The most bytes that are allowed.
        limit: u64,
    },
    /// The upload broke off.
    #[error("the upload broke off: {0}")]
    Interrupted(String),
    /// There is no such object.
    #[error("the object is not in the object store")]
    NotFound,
    /// There is no room left.
    #[error("the object store is full")]
    Full,
    /// The store cannot be reached or does not answer as it should.
    #[error("the object store is not available")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl From<object_store::Error> for ObjectError {
    fn from(error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::NotFound,
            error if is_full(&error) => Self::Full,
            error => Self::Unavailable(Box::new(error)),
        }
    }
}

impl From<io::Error> for ObjectError {
    fn from(error: io::Error) -> Self {
        if is_full(&error) { Self::Full } else { Self::Unavailable(Box::new(error)) }
    }
}

fn is_full(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
}

impl Objects {
    /// Objects in a folder, which is made if it is missing.
    pub fn in_folder(folder: &std::path::Path) -> Result<Self, ObjectError> {
        fs::create_dir_all(folder)?;
        let folder = Arc::new(LocalFileSystem::new_with_prefix(folder)?);
        Ok(Self { store: folder.clone(), folder: Some(folder) })
    }

    /// Objects in a bucket. Nothing is asked of it yet; [`Objects::probe`] does.
    pub fn in_bucket(bucket: Bucket) -> Result<Self, ObjectError> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket.name)
            .with_region(bucket.region)
            .with_access_key_id(bucket.access_key_id)
            .with_secret_access_key(bucket.secret_access_key)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: RETRIES,
                retry_timeout: PATIENCE,
            });
        if let Some(endpoint) = bucket.endpoint {
            builder = builder.with_allow_http(endpoint.starts_with("http://")).with_endpoint(endpoint);
        }
        Ok(Self { store: Arc::new(PrefixStore::new(builder.build()?, bucket.prefix)), folder: None })
    }

    /// Stores what the stream gives, hashed on the way, in memory of one part. Whatever breaks, be
    /// it the stream, the store or the limit, leaves no object. Only a caller that goes away while the
    /// last part is being written may leave a whole one, which no event names.
    pub async fn put_stream<S, E>(&self, key: &Key, mut stream: S, limit: u64) -> Result<Stored, ObjectError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Display,
    {
        let mut upload = Upload(None);
        let stored = self.receive(key, &mut stream, limit, &mut upload).await;
        if stored.is_err() {
            // Here, so that nothing is left by the time the caller is told; `drop` does it for a caller who has gone.
            upload.abort().await;
        }
        let stored = stored?;
        self.make_durable(key).await?;
        Ok(stored)
    }

    async fn receive<S, E>(
        &self,
        key: &Key,
        stream: &mut S,
        limit: u64,
        upload: &mut Upload,
    ) -> Result<Stored, ObjectError>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
        E: Display,
    {
        let (mut sha256, mut blake3, mut size) = (Sha256::new(), blake3::Hasher::new(), 0_u64);
        let (mut part, mut filled) = (Vec::new(), 0);
        while let Some(bytes) = stream.next().await {
            let bytes = bytes.map_err(|error| ObjectError::Interrupted(error.to_string()))?;
            size += bytes.len() as u64;
            if size > limit {
                return Err(ObjectError::TooLarge { limit });
            }
            sha256.update(&bytes);
            blake3.update(&bytes);
            filled += bytes.len();
            part.push(bytes);
            if filled >= PART {
                if upload.0.is_none() {
                    upload.0 = Some(self.store.put_multipart(&key.0).await?);
                }
                upload.send(std::mem::take(&mut part)).await?;
                filled = 0;
            }
        }
        if upload.0.is_none() {
            drop(self.store.put(&key.0, PutPayload::from_iter(part)).await?);
        } else {
            if !part.is_empty() {
                upload.send(part).await?;
            }
            upload.complete().await?;
        }
        Ok(Stored { sha256: Sha256Hex::from_bytes(sha256.finalize().into()), blake3: blake3.finalize(), size })
    }

    /// The object's length, and its bytes as they are read.
    pub async fn get(&self, key: &Key) -> Result<(u64, BoxStream<'static, Result<Bytes, ObjectError>>), ObjectError> {
        let object = self.store.get(&key.0).await?;
        Ok((object.meta.size, object.into_stream().map_err(ObjectError::from).boxed()))
    }

    /// Removes the object; that there is none is no error.
    pub async fn delete(&self, key: &Key) -> Result<(), ObjectError> {
        match self.store.delete(&key.0).await.map_err(ObjectError::from) {
            Err(ObjectError::NotFound) => Ok(()),
            done => done,
        }
    }

    /// Whether the store answers, and its credential is good.
    pub async fn probe(&self) -> Result<(), ObjectError> {
        let probe = Location::from("probe");
        if let Some(folder) = &self.folder {
            // A missing folder reads like a missing object.
            if let Some(root) = folder.path_to_filesystem(&probe)?.parent() {
                drop(tokio::fs::read_dir(root).await?);
            }
        }
        match self.store.head(&probe).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until a file and the folders above it are on disk, so that an event never outlives
    /// the object that it names. A bucket does so by itself.
    async fn make_durable(&self, key: &Key) -> Result<(), ObjectError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let file = folder.path_to_filesystem(&key.0)?;
        let depth = key.0.parts().count();
        let synced = tokio::task::spawn_blocking(move || sync_up(file, depth)).await;
        synced.map_err(|error| ObjectError::Unavailable(Box::new(error)))?.map_err(ObjectError::from)
    }
}

fn sync_up(mut path: PathBuf, levels: usize) -> io::Result<()> {
    fs::File::open(&path)?.sync_all()?;
    for _ in 0..levels {
        path.pop();
        fs::File::open(&path)?.sync_all()?;
    }
    Ok(())
}

/// An upload in parts, which is given up unless it is completed.
struct Upload(Option<Box<dyn MultipartUpload>>);

impl Upload {
    async fn send(&mut self, part: Vec<Bytes>) -> Result<(), ObjectError> {
        if let Some(upload) = &mut self.0 {
            upload.put_part(PutPayload::from_iter(part)).await?;
        }
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), ObjectError> {
        if let Some(upload) = &mut self.0 {
            upload.complete().await?;
        }
        self.0 = None;
        Ok(())
    }

    async fn abort(mut self) {
        if let Some(mut upload) = self.0.take() {
            give_up(&mut *upload).await;
        }
    }
}

async fn give_up(upload: &mut dyn MultipartUpload) {
    if let Err(error) = upload.abort().await {
        tracing::warn!(%error, "a broken upload could not be given up");
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { give_up(&mut *upload).await });
        }
    }
}

#[cfg(test)]
mod tests;
