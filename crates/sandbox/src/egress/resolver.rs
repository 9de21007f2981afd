//! The resolver of a sandbox: answers the names that the policy allows and remembers where they led.
//!
//! A refused name does not exist (NXDOMAIN): programs then give up at once with a clear error, where REFUSED makes
//! them try again. Refused names never reach the host's resolver, so nothing leaks through lookups. The name of a
//! private service resolves as on the host; what it leads to is judged when it is connected to (`copier.rs`).

use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::address::reserved;
use super::contact::{Key, Refusal, Verdict};
use super::gateway::Shared;
use super::message::{self, BadQuery, KIND_AAAA, QUERY_BYTES_MAX, Query};
use super::rate::Rate;
use super::upstream::write_message;

/// Queries of one sandbox that are under way; a datagram beyond them is dropped, and the program asks again.
const QUERIES_MAX: usize = 128;
/// Queries on one TCP connection.
const QUERIES_PER_STREAM_MAX: usize = 64;
const STREAM_IDLE: Duration = Duration::from_secs(10);
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// Answers datagrams until the task is dropped.
pub(super) async fn serve_datagrams(socket: UdpSocket, shared: Arc<Shared>) {
    let socket = Arc::new(socket);
    let under_way = Arc::new(Semaphore::new(QUERIES_MAX));
    let mut tasks = JoinSet::new();
    let mut rate = Rate::new();
    // One byte more than is taken: a longer datagram shows as too long, not as cut to size.
    let mut buffer = [0; QUERY_BYTES_MAX + 1];
    loop {
        while tasks.try_join_next().is_some() {}
        rate.next().await;
        let (length, client) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) => {
                tracing::debug!(%error, "egress: cannot receive a query");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&under_way).try_acquire_owned() else {
            continue;
        };
        let (socket, shared, bytes) = (
            Arc::clone(&socket),
            Arc::clone(&shared),
            buffer[..length].to_vec(),
        );
        tasks.spawn(async move {
            if let Some(answer) = answer_datagram(&shared, &bytes).await {
                // The program may have gone; nobody else waits for this answer.
                let _ = socket.send_to(&answer, client).await;
            }
            drop(permit);
        });
    }
}

/// Answers queries on a connection to port 53 until the program closes it, falls silent or asks too much.
pub(super) async fn serve_stream(stream: &mut TcpStream, shared: &Shared) -> io::Result<()> {
    let mut buffer = [0; QUERY_BYTES_MAX];
    for _ in 0..QUERIES_PER_STREAM_MAX {
        let length = match timeout(STREAM_IDLE, stream.read_u16()).await? {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            length => usize::from(length?),
        };
        let query = buffer.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
        timeout(STREAM_IDLE, stream.read_exact(query)).await??;
        let answer = match Query::parse(query) {
            Ok(query) => answer(shared, &query).await,
            Err(BadQuery::Answer(answer)) => answer,
            Err(BadQuery::Ignore) => return Err(io::ErrorKind::InvalidData.into()),
        };
        timeout(STREAM_IDLE, write_message(stream, &answer)).await??;
    }
    Ok(())
}

async fn answer_datagram(shared: &Shared, bytes: &[u8]) -> Option<Vec<u8>> {
    match Query::parse(bytes) {
        Ok(query) => {
            let answer = answer(shared, &query).await;
            Some(if answer.len() > query.udp_bytes_max {
                query.truncated_answer()
            } else {
                answer
            })
        }
        Err(BadQuery::Answer(answer)) => Some(answer),
        Err(BadQuery::Ignore) => None,
    }
}

async fn answer(shared: &Shared, query: &Query<'_>) -> Vec<u8> {
    let name = &query.question.name;
    if !shared.rules.allows_name(name) {
        let verdict = Verdict::Refused { why: Refusal::Name };
        shared.contacts.note(Key {
            name: Some(name.clone()),
            address: None,
            verdict,
        });
        return query.answer(message::NO_SUCH_NAME);
    }
    if query.question.kind == KIND_AAAA && !shared.ipv6_is_useful() {
        return query.answer(message::NO_ERROR);
    }
    match shared.upstreams.ask(query).await {
        Ok((bytes, answer)) => {
            shared.given.remember(name, &answer.addresses, Instant::now());
            bytes
        }
        Err(error) => {
            tracing::debug!(%name, %error, "egress: no resolver answered");
            query.answer(message::SERVER_FAILURE)
        }
    }
}

/// Whether this machine has a way to IPv6 addresses outside.
///
/// Inside the sandbox every address seems reachable, so a program would prefer the IPv6 address of a name even where
/// the host has no IPv6, and fail. Connecting a datagram socket asks the kernel for a route and a source address, and
/// sends nothing. A route from a private address only is not counted: the host's own programs prefer IPv4 then.
pub(super) fn has_ipv6_route() -> bool {
    let somewhere_public = SocketAddr::from((Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 1), 53));
    let source = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect(somewhere_public)?;
        socket.local_addr()
    });
    source.is_ok_and(|source| reserved(source.ip()).is_none())
}
