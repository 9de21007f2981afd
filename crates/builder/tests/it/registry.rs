//! A package registry on loopback: what it serves and what it was asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use data_encoding::BASE64;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha512};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone, Default)]
pub(crate) struct Registry {
    answers: Arc<Mutex<HashMap<String, Vec<u8>>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    /// Listens until the runtime ends; gives the URL.
    pub(crate) async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let registry = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(registry.clone().answer(stream));
            }
        });
        url
    }

    /// Serves the package `name` in `versions`, each with `files`. With a `wrong` hash, metadata and bytes disagree.
    pub(crate) fn serve(&self, name: &str, versions: &[&str], (files, wrong): (&[(&str, &str)], bool)) {
        let bytes = package(files);
        let hash = BASE64.encode(&Sha512::digest(if wrong { b"other" } else { &bytes[..] }));
        let mut entries = serde_json::Map::new();
        for version in versions {
            let tarball = format!("https://registry.npmjs.org/{name}/-/{name}-{version}.tgz");
            let dist = serde_json::json!({ "tarball": tarball, "integrity": format!("sha512-{hash}") });
            entries.insert((*version).to_owned(), serde_json::json!({ "dist": dist }));
            self.put(&format!("/{name}/-/{name}-{version}.tgz"), bytes.clone());
        }
        let metadata = serde_json::json!({ "name": name, "versions": entries });
        self.put(&format!("/{name}"), metadata.to_string().into_bytes());
    }

    /// Paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// Serves `bytes` at `path`.
    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), bytes);
    }

    async fn answer(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut line) = (String::new(), String::new());
        stream.read_line(&mut first).await.unwrap();
        while stream.read_line(&mut line).await.unwrap() > 2 {
            line.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        self.asked.lock().unwrap().push(path.clone());
        let found = self.answers.lock().unwrap().get(&path).cloned();
        let status = if found.is_some() {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let body = found.unwrap_or_default();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        // Whoever asked may have seen enough.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
    }
}

fn package(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o755);
        tar.append_data(&mut header, format!("package/{path}"), text.as_bytes())
            .unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}
