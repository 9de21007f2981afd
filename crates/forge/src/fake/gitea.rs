//! A real Gitea on loopback, with nothing in it: `scripts/prepare test` has built it.
//!
//! Its pages have two entries, so that no list is short enough for one. It refuses to run as root, so it runs in a user namespace in which it is somebody else. It ends with the value.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::settings::{Credentials, Settings};

/// Until it answers.
const START: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);
const ADMINISTRATOR: &str = "root-of-all";

/// A Gitea.
pub struct RealGitea {
    dir: PathBuf,
    port: u16,
    child: Option<Child>,
    administrator: String,
    http: reqwest::Client,
}

impl RealGitea {
    /// A new one that answers, keeping everything below `dir`.
    pub async fn start(dir: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let port = free_port();
        write_settings(dir, port);
        run(dir, &["migrate"]);
        let new = ["admin", "user", "create", "--admin", "--username", ADMINISTRATOR];
        let with = [
            "--random-password",
            "--email",
            "root@example.com",
            "--must-change-password=false",
        ];
        let token = ["--access-token", "--access-token-scopes", "all"];
        let said = run(dir, &[&new[..], &with, &token].concat());
        let said = said.lines().find(|line| line.starts_with("Access token"));
        let administrator = said.and_then(|line| line.rsplit(' ').next());
        let administrator = administrator.expect("a token is printed").to_owned();
        let mut gitea = Self {
            dir: dir.to_owned(),
            port,
            child: None,
            administrator,
            http: reqwest::Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(30))
                .build()
                .expect("a client"),
        };
        gitea.resume().await;
        gitea
    }

    /// Without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The settings by which a forge talks to it as the owner of `token`.
    pub fn settings(&self, token: &str) -> Settings {
        let token = Credentials::Token {
            token: token.to_owned(),
        };
        Settings::gitea(&self.url(), token)
    }

    /// Makes a user, and gives a token with which everything can be done that the user may.
    pub async fn user(&self, name: &str) -> String {
        let password = format!("secret-of-{name}");
        let user = json!({
            "username": name,
            "email": format!("{name}@example.com"),
            "password": password,
            "must_change_password": false,
        });
        self.as_administrator(Method::POST, "/admin/users", user).await;
        let url = format!("{}/api/v1/users/{name}/tokens", self.url());
        let body = json!({ "name": "tests", "scopes": ["all"] });
        let request = self.http.post(url).basic_auth(name, Some(password));
        let made = answer(
            request
                .header("content-type", "application/json")
                .body(body.to_string()),
        )
        .await;
        made["sha1"].as_str().expect("a token").to_owned()
    }

    /// Calls the API at `path` as the owner of `token`; the answer, which is a success.
    pub async fn api(&self, token: &str, (method, path): (Method, &str), body: Value) -> Value {
        let url = format!("{}/api/v1{path}", self.url());
        let mut request = self
            .http
            .request(method, url)
            .header("authorization", format!("token {token}"));
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        answer(request).await
    }

    /// The same as somebody who may do everything.
    pub async fn as_administrator(&self, method: Method, path: &str, body: Value) -> Value {
        self.api(&self.administrator, (method, path), body).await
    }

    /// Ends it; what it knows stays.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again at the same address.
    pub async fn resume(&mut self) {
        self.stop();
        let log = std::fs::File::create(self.dir.join("web.log")).expect("a log");
        let mut command = command(&self.dir, &["web"]);
        let errors = log.try_clone().expect("a log");
        self.child = Some(command.stdout(log).stderr(errors).spawn().expect("unshare"));
        let (begun, url) = (Instant::now(), format!("{}/api/v1/version", self.url()));
        while self.http.get(&url).send().await.is_err() {
            assert!(
                begun.elapsed() < START,
                "it did not answer: {}",
                std::fs::read_to_string(self.dir.join("web.log")).unwrap_or_default()
            );
            tokio::time::sleep(PAUSE).await;
        }
    }
}

impl Drop for RealGitea {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let response = request.send().await.expect("an answer");
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.expect("a whole answer");
    assert!(status.is_success(), "{url} answered {status}: {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// Where `scripts/prepare` puts what tests need.
fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/gitea");
    tools
        .canonicalize()
        .expect("run `scripts/prepare test`, which builds Gitea")
}

#[allow(clippy::disallowed_methods, reason = "tests start a server of their own")]
fn command(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("unshare");
    command
        .args(["--user", "--map-user=1000", "--map-group=1000", "--"])
        .arg(tools().join("gitea"))
        .arg("--config")
        .arg(dir.join("app.ini"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", dir)
        .env("USER", "gitea")
        .env("GITEA_WORK_DIR", dir)
        .stdin(Stdio::null());
    command
}

fn run(dir: &Path, arguments: &[&str]) -> String {
    let output = command(dir, arguments).output().expect("unshare");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = text(&output.stdout);
    assert!(
        output.status.success(),
        "gitea {arguments:?}: {said} {}",
        text(&output.stderr)
    );
    said
}

fn write_settings(dir: &Path, port: u16) {
    let tools = tools();
    let (dir_text, tools) = (dir.display(), tools.display());
    let text = format!(
        "WORK_PATH = {dir_text}\n\
         [server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = http://127.0.0.1:{port}/\n\
         DISABLE_SSH = true\nOFFLINE_MODE = true\nLFS_START_SERVER = true\nSTATIC_ROOT_PATH = {tools}/static\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {dir_text}/gitea.db\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = tests\n\
         [service]\nDISABLE_REGISTRATION = true\n\
         [api]\nMAX_RESPONSE_ITEMS = 2\n\
         [webhook]\nALLOWED_HOST_LIST = loopback\nDELIVER_TIMEOUT = 10\n\
         [cron.update_checker]\nENABLED = false\n\
         [log]\nLEVEL = warn\n"
    );
    std::fs::write(dir.join("app.ini"), text).expect("settings");
}

/// A port that nobody has at the moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}
