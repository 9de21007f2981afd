//! A git server on loopback, with the real `git http-backend` behind it: repositories that ask for a token, submodules,
//! large files, and a memory of who sent which token where.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// What private repositories ask for.
pub(crate) const TOKEN: &str = "hunter2-hunter2-hunter2";
pub(crate) const AUTHORIZATION: &str = "Bearer hunter2-hunter2-hunter2";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) token: bool,
}

#[derive(Clone)]
pub(crate) struct GitServer {
    inner: Arc<Inner>,
}

struct Inner {
    dir: TempDir,
    url: String,
    asked: Mutex<Vec<Asked>>,
    /// Large files by their names.
    large: Mutex<HashMap<String, Vec<u8>>>,
    /// Whether the second version of the protocol is spoken, in which every commit can be asked for.
    modern: bool,
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl GitServer {
    pub(crate) async fn start() -> Self {
        Self::speaking(true).await
    }

    /// `modern` or as servers of ten years ago.
    pub(crate) async fn speaking(modern: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            inner: Arc::new(Inner {
                dir: tempfile::tempdir().unwrap(),
                url: format!("http://{}", listener.local_addr().unwrap()),
                asked: Mutex::default(),
                large: Mutex::default(),
                modern,
            }),
        };
        let answering = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answering.clone().answer(stream));
            }
        });
        server
    }

    /// Without a slash at the end.
    pub(crate) fn url(&self) -> &str {
        &self.inner.url
    }

    /// Every request so far, and forgets them.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.inner.asked.lock().unwrap())
    }

    /// The repository `name`, such as `team/shop`, empty where it is new. Those of `open/` ask for no token.
    pub(crate) fn repository(&self, name: &str) -> Repository {
        let bare = self.inner.dir.path().join("served").join(format!("{name}.git"));
        let work = self.inner.dir.path().join("work").join(name);
        if !bare.exists() {
            std::fs::create_dir_all(&bare).unwrap();
            std::fs::create_dir_all(&work).unwrap();
            git(&bare, &["init", "-q", "--bare", "-b", "main"]);
            git(&work, &["init", "-q", "-b", "main"]);
            git(&work, &["remote", "add", "origin", bare.to_str().unwrap()]);
        }
        Repository { work }
    }

    /// Keeps `bytes` as a large file; what stands for it in a repository.
    pub(crate) fn large(&self, bytes: &[u8]) -> String {
        let name = data_encoding::HEXLOWER.encode(&Sha256::digest(bytes));
        let pointer = pointer(&name, bytes.len());
        self.inner.large.lock().unwrap().insert(name, bytes.to_vec());
        pointer
    }

    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream).await {
            let token = request.headers.get("authorization").map(String::as_str) == Some(AUTHORIZATION);
            self.inner.asked.lock().unwrap().push(Asked {
                path: request.path.clone(),
                token,
            });
            let is_open = request.path.starts_with("/open/") || request.path.starts_with("/large/");
            let answer = if !token && !is_open {
                b"Status: 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n\r\n".to_vec()
            } else if let Some(name) = request.path.strip_prefix("/large/") {
                self.large_file(name)
            } else if request.path.ends_with("/info/lfs/objects/batch") {
                self.batch(&request)
            } else {
                self.backend(&request).await
            };
            if send(&mut stream, &answer).await.is_err() {
                return;
            }
        }
    }

    fn large_file(&self, name: &str) -> Vec<u8> {
        let found = self.inner.large.lock().unwrap().get(name).cloned();
        match found {
            Some(bytes) => [b"Content-Type: application/octet-stream\r\n\r\n", &bytes[..]].concat(),
            None => b"Status: 404 Not Found\r\n\r\n".to_vec(),
        }
    }

    fn batch(&self, request: &Request) -> Vec<u8> {
        let wanted: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        let large = self.inner.large.lock().unwrap();
        let objects = wanted["objects"].as_array().unwrap().iter().map(|object| {
            let name = object["oid"].as_str().unwrap();
            let mut answer = serde_json::json!({ "oid": name, "size": object["size"] });
            if large.contains_key(name) {
                let href = format!("{}/large/{name}", self.inner.url);
                answer["actions"] = serde_json::json!({ "download": { "href": href } });
            } else {
                answer["error"] = serde_json::json!({ "code": 404, "message": "Object does not exist" });
            }
            answer
        });
        let objects: Vec<_> = objects.collect();
        let body = serde_json::json!({ "transfer": "basic", "objects": objects }).to_string();
        format!("Content-Type: application/vnd.git-lfs+json\r\n\r\n{body}").into_bytes()
    }

    #[allow(clippy::disallowed_methods, reason = "the server of a test runs git")]
    async fn backend(&self, request: &Request) -> Vec<u8> {
        let header = |name: &str| request.headers.get(name).cloned().unwrap_or_default();
        let mut command = std::process::Command::new("git");
        command
            .arg("http-backend")
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "safe.directory")
            .env("GIT_CONFIG_VALUE_0", "*")
            .env("GIT_PROJECT_ROOT", self.inner.dir.path().join("served"))
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", &request.method)
            .env("PATH_INFO", &request.path)
            .env("QUERY_STRING", &request.query)
            .env("CONTENT_TYPE", header("content-type"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        if self.inner.modern {
            command.env("GIT_PROTOCOL", header("git-protocol"));
        }
        let body = request.body.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            // It may have refused before it read all; what is asked for is short.
            let _ = input.write_all(&body);
            drop(input);
            child.wait_with_output().unwrap().stdout
        });
        answer.await.unwrap()
    }
}

/// What stands for a large file.
pub(crate) fn pointer(name: &str, bytes: usize) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {bytes}\n")
}

/// A work tree with its repository on the server as `origin`.
pub(crate) struct Repository {
    pub(crate) work: PathBuf,
}

impl Repository {
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        git(&self.work, arguments)
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.work.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Commits everything and pushes it to `reference`; the commit.
    pub(crate) fn push(&self, reference: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "a change"]);
        self.git(&["push", "-q", "-f", "origin", &format!("HEAD:{reference}")]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Notes the commit of a submodule, as `git submodule add` does.
    pub(crate) fn submodule(&self, path: &str, (url, commit): (&str, &str)) -> &Self {
        let file = self.work.join(".gitmodules");
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        let section = format!("[submodule \"{path}\"]\n\tpath = {path}\n\turl = {url}\n");
        std::fs::write(&file, before + &section).unwrap();
        self.link(path, commit)
    }

    pub(crate) fn link(&self, path: &str, commit: &str) -> &Self {
        let info = format!("160000,{commit},{path}");
        self.git(&["update-index", "--add", "--cacheinfo", &info]);
        std::fs::create_dir_all(self.work.join(path)).unwrap();
        self
    }
}

#[allow(clippy::disallowed_methods, reason = "tests make repositories with git")]
fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = std::process::Command::new("git")
        .current_dir(dir)
        .args([
            "-c",
            "user.name=T",
            "-c",
            "user.email=t@example.com",
            "-c",
            "core.hooksPath=/dev/null",
        ])
        .args([
            "-c",
            "filter.lfs.process=",
            "-c",
            "filter.lfs.clean=cat",
            "-c",
            "filter.lfs.required=false",
        ])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut first, mut headers) = (String::new(), BTreeMap::new());
    stream.read_line(&mut first).await.ok()?;
    let mut words = first.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        stream.read_exact(&mut body).await.ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await.ok()?;
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            if chunk.len() == 2 {
                break;
            }
            body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body,
    })
}

/// Sends what a CGI program said.
async fn send(stream: &mut BufReader<TcpStream>, said: &[u8]) -> std::io::Result<()> {
    let end = said.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let (head, body) = (String::from_utf8_lossy(&said[..end]), &said[end + 4..]);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: "));
    let rest = head.lines().filter(|line| !line.starts_with("Status: "));
    let rest: String = rest.map(|line| format!("{line}\r\n")).collect();
    let head = format!(
        "HTTP/1.1 {}\r\n{rest}content-length: {}\r\n\r\n",
        status.unwrap_or("200 OK"),
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}
