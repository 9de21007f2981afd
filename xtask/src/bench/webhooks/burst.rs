//! A burst of deliveries over connections that are kept open, each of which waits for an answer before it sends on.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::bench::interrupt;

/// Of one burst, over all connections together.
pub(super) const DELIVERIES: usize = 1_000;
const CONNECTIONS: usize = 8;
/// How long an answer may take before the measurement is given up.
const GIVE_UP: Duration = Duration::from_secs(30);
/// Bytes of an answer's body: far more than any has.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Deliveries of one body, signed once: a signature is of the body alone, and their ids tell them apart.
pub(super) struct Burst {
    body: Vec<u8>,
    signature: String,
}

impl Burst {
    pub(super) fn new(body: &serde_json::Value, secret: &str) -> Burst {
        let body = body.to_string().into_bytes();
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
        mac.update(&body);
        let signature = HEXLOWER.encode(&mac.finalize().into_bytes());
        Burst { body, signature }
    }

    /// Milliseconds that each took, from its first byte sent to the last byte of its answer. `round` is part of their ids.
    pub(super) fn send(&self, port: u16, round: usize) -> anyhow::Result<Vec<f64>> {
        std::thread::scope(|scope| {
            let connections: Vec<_> = (0..CONNECTIONS)
                .map(|connection| scope.spawn(move || self.over_one(port, (round, connection))))
                .collect();
            let mut took = Vec::with_capacity(DELIVERIES);
            for connection in connections {
                let ended = connection.join();
                took.extend(ended.map_err(|_| anyhow::anyhow!("a connection panicked"))??);
            }
            Ok(took)
        })
    }

    fn over_one(&self, port: u16, (round, connection): (usize, usize)) -> anyhow::Result<Vec<f64>> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(GIVE_UP))?;
        stream.set_write_timeout(Some(GIVE_UP))?;
        let mut answers = BufReader::new(stream);
        let mut took = Vec::new();
        for number in (connection..DELIVERIES).step_by(CONNECTIONS) {
            interrupt::check()?;
            let request = self.request(&format!("{round:08}-0000-4000-8000-{number:012}"));
            let begin = Instant::now();
            answers.get_mut().write_all(&request)?;
            acknowledged(&mut answers)?;
            took.push(begin.elapsed().as_secs_f64() * 1e3);
        }
        Ok(took)
    }

    /// As GitHub sends it.
    fn request(&self, id: &str) -> Vec<u8> {
        let mut request = format!(
            "POST /api/v1/webhooks/github HTTP/1.1\r\nhost: localhost\r\naccept: */*\r\n\
             user-agent: GitHub-Hookshot/044aadd\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             x-github-delivery: {id}\r\nx-github-event: pull_request\r\nx-github-hook-id: 292430182\r\n\
             x-github-hook-installation-target-id: 79929171\r\nx-github-hook-installation-target-type: repository\r\n\
             x-hub-signature-256: sha256={}\r\n\r\n",
            self.body.len(),
            self.signature
        )
        .into_bytes();
        request.extend_from_slice(&self.body);
        request
    }
}

/// Reads one answer, which must say that the delivery is kept, and was not here before.
fn acknowledged(answers: &mut BufReader<TcpStream>) -> anyhow::Result<()> {
    let mut status = String::new();
    answers.read_line(&mut status)?;
    let mut bytes = 0;
    loop {
        let mut line = String::new();
        ensure!(answers.read_line(&mut line)? > 0, "the answer broke off");
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            bytes = value
                .trim()
                .parse()
                .context("the answer has no readable length")?;
        }
    }
    ensure!(bytes <= ANSWER_BYTES_MAX, "an answer of {bytes} bytes");
    let mut body = vec![0; bytes];
    answers.read_exact(&mut body)?;
    let body = String::from_utf8_lossy(&body);
    if !status.starts_with("HTTP/1.1 202 ") || body.contains("\"again\":true") {
        bail!("a delivery was answered with {} {body}", status.trim_end());
    }
    Ok(())
}
