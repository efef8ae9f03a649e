//! The real `defendable` process.

use super::{
    client::{Address, Client},
    contract::Contract,
    json,
    store::{Fresh, Store},
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

const BINARY: &str = env!("CARGO_BIN_EXE_defendable");

/// More than any start should take, even on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running service, killed when dropped.
#[derive(Debug)]
pub struct Service {
    store: Arc<Fresh>,
    settings: Vec<(String, String)>,
    log: String,
    address: Address,
    process: Child,
}

impl Service {
    /// Starts a service on a fresh store, with rate limits off.
    pub async fn start(store: Store) -> Self {
        Self::start_with(store, &[]).await
    }

    /// The same with further settings (environment variables); a later one wins.
    pub async fn start_with(store: Store, settings: &[(&str, &str)]) -> Self {
        let settings = [("DEFENDABLE_RATE_LIMIT", "0")].iter().chain(settings);
        let settings = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::launch(Arc::new(Fresh::new(store).await), settings, "service").await
    }

    /// Another process of the same installation, on the same database and keys. Only on PostgreSQL: the embedded
    /// store has one writer.
    pub async fn beside(&self) -> Self {
        Self::launch(self.store.clone(), self.settings.clone(), "beside").await
    }

    async fn launch(store: Arc<Fresh>, settings: Vec<(String, String)>, log: &str) -> Self {
        let process = spawn(&store, &settings, log);
        let service = Self { store, settings, log: log.to_owned(), address: Address::default(), process };
        service.wait().await
    }

    /// Waits until the process has said where it listens and answers that it is ready.
    async fn wait(mut self) -> Self {
        let start = Instant::now();
        let mut ready = false;
        while !ready {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the service ended at its start with {status}");
            }
            assert!(start.elapsed() < PATIENCE, "the service is not ready after {PATIENCE:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Some(url) = self.listening() {
                self.address.set(&url);
                let answer = reqwest::get(format!("{url}/readyz")).await;
                ready = answer.is_ok_and(|answer| answer.status().is_success());
            }
        }
        Contract::learn(&self.address.url()).await;
        self
    }

    fn listening(&self) -> Option<String> {
        let output = self.output();
        // Only a whole line: a part of one may hold a part of the port.
        let lines = output.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let mut urls = lines.filter_map(|line| line.trim_end().split_once("Listening on "));
        urls.next().map(|(_, url)| url.split_whitespace().next().unwrap_or(url).trim_end_matches('/').to_owned())
    }

    /// What the process has printed since its last start.
    pub fn output(&self) -> String {
        fs::read_to_string(self.file("out")).unwrap_or_default()
    }

    /// What the process has logged since its last start.
    pub fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.store.folder().join(format!("{}.{kind}", self.log))
    }

    /// Ends the process as `kill -9` or a power cut does: at once, with no chance to tidy up.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks the process to end, and waits until it has finished what it accepted.
    pub async fn stop(&mut self) -> ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(asked.success(), "the service had already ended");
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the service does not stop");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Starts an ended service again on the same store, perhaps at another port; clients follow it there.
    pub async fn restart(mut self) -> Self {
        let _ = self.process.kill();
        let _ = self.process.wait();
        self.process = spawn(&self.store, &self.settings, &self.log);
        self.wait().await
    }

    /// A client without a credential.
    pub fn anonymous(&self) -> Client {
        Client::new(self.address.clone())
    }

    /// Signs in by magic link; an unknown address becomes the admin of a new organisation.
    pub async fn sign_in(&self, email: &str) -> Client {
        let anonymous = self.anonymous();
        let sent = anonymous.post("/auth/request").json(json!({ "email": email })).await.ok();
        let link = sent["dev_link"].as_str().expect("development mode gives a sign-in link");
        let verified = anonymous.post("/auth/verify").json(json!({ "token": parameter(link, "token") })).await.ok();
        anonymous.signed_in(&verified)
    }

    /// Has a person join the admin's organisation with a role.
    pub async fn colleague(&self, admin: &Client, role: &str, email: &str) -> Client {
        let invite = admin.post("/org/invites").json(json!({ "email": email, "role": role })).await.created();
        let link = invite["invite_url"].as_str().expect("an invitation shows its link once");
        let anonymous = self.anonymous();
        let token = json!({ "token": parameter(link, "invite") });
        anonymous.signed_in(&anonymous.post("/auth/accept-invite").json(token).await.ok())
    }

    /// Runs the command line to its end, with `arguments`, a home of its own and this service as its default.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = bare(self.store.folder());
        command.env("DEFENDABLE_API", self.address.url()).args(arguments).output().unwrap()
    }

    /// Where the service is found, also after a restart.
    pub(super) fn address(&self) -> Address {
        self.address.clone()
    }

    /// Where the service listens, such as `http://127.0.0.1:39811`.
    pub fn url(&self) -> String {
        self.address.url()
    }

    /// The data folder.
    pub fn data(&self) -> PathBuf {
        self.store.data()
    }

    /// The database's URL with the owner's rights, for tests that reach round the service; none when embedded.
    pub fn database_url(&self) -> Option<String> {
        self.store.database_url()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if thread::panicking() {
            eprintln!("--- the service printed\n{}--- and logged\n{}---", self.output(), self.log());
        }
    }
}

fn spawn(store: &Fresh, settings: &[(String, String)], log: &str) -> Child {
    let mut command = bare(store.folder());
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(store.data());
    if let Some(url) = store.database_url() {
        command.args(["--database-url", &url]);
    }
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    // Into files, not pipes: a pipe that nobody empties would in the end stop the service.
    let file = |kind| File::create(store.folder().join(format!("{log}.{kind}"))).unwrap();
    command.stdin(Stdio::null()).stdout(file("out")).stderr(file("log")).spawn().unwrap()
}

/// The binary with nothing of the caller's environment that could configure it.
fn bare(home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home).current_dir(home);
    command
}

fn parameter(link: &str, name: &str) -> String {
    let url = reqwest::Url::parse(link).expect("a link is a URL");
    let found = url.query_pairs().find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{link} has no parameter `{name}`")).1.into_owned()
}
