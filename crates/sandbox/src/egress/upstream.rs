//! Asks the host's resolvers on behalf of a sandbox.
//!
//! Every question leaves under a fresh random id from a fresh port, and only an answer from the asked address with
//! that id and that question counts: an answer cannot be slipped in from outside. Nothing is cached: the host's
//! resolver does that. It does not know link-local name servers (`fe80::1%eth0`), which are passed over.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{Answer, Query, REFUSED, SERVER_FAILURE};

const UPSTREAMS_MAX: usize = 3;
const ROUNDS: usize = 2;
const UDP_WAIT: Duration = Duration::from_secs(2);
const TCP_WAIT: Duration = Duration::from_secs(3);
const WHOLE_WAIT: Duration = Duration::from_secs(10);
const DATAGRAM_BYTES_MAX: usize = 4_096;
const SYSTEM_AGE_MAX: Duration = Duration::from_secs(5);
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// The resolvers to ask.
pub(super) enum Upstreams {
    Fixed(Vec<SocketAddr>),
    /// Those of the host, which change when a laptop changes its network.
    System(Mutex<Option<(Instant, Vec<SocketAddr>)>>),
}

impl Upstreams {
    /// These resolvers, or those of the host when there are none.
    pub(super) fn new(fixed: &[SocketAddr]) -> Upstreams {
        match fixed {
            [] => Upstreams::System(Mutex::new(None)),
            fixed => Upstreams::Fixed(fixed.iter().copied().take(UPSTREAMS_MAX).collect()),
        }
    }

    /// The answer of the first resolver that has one, under the query's own id.
    ///
    /// # Errors
    /// The last resolver's error when none answered within ten seconds.
    pub(super) async fn ask(&self, query: &Query<'_>) -> io::Result<(Vec<u8>, Answer)> {
        match timeout(WHOLE_WAIT, self.ask_each(query)).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn ask_each(&self, query: &Query<'_>) -> io::Result<(Vec<u8>, Answer)> {
        let mut last = Err(io::Error::new(
            io::ErrorKind::NotFound,
            "no resolver is configured",
        ));
        for upstream in self
            .addresses()
            .iter()
            .cycle()
            .take(self.addresses().len() * ROUNDS)
        {
            match ask_one(*upstream, query).await {
                Ok((mut bytes, answer)) => {
                    bytes[..2].copy_from_slice(&query.id());
                    let unwilling = matches!(answer.code, SERVER_FAILURE | REFUSED);
                    last = Ok((bytes, answer));
                    if !unwilling {
                        break;
                    }
                }
                // An earlier resolver's refusal says more than a later one's silence.
                Err(error) if last.is_err() => last = Err(error),
                Err(_) => {}
            }
        }
        last
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Upstreams::Fixed(addresses) => addresses.clone(),
            Upstreams::System(read) => {
                let mut read = read.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match &*read {
                    Some((at, addresses)) if at.elapsed() < SYSTEM_AGE_MAX => addresses.clone(),
                    _ => {
                        let text = std::fs::read_to_string(RESOLV_CONF).unwrap_or_default();
                        let addresses = name_servers(&text);
                        *read = Some((Instant::now(), addresses.clone()));
                        addresses
                    }
                }
            }
        }
    }
}

/// The name servers of a `resolv.conf(5)`; without any it is this machine, as for the C library.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let mut servers: Vec<SocketAddr> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address = words
                .next()
                .filter(|word| *word == "nameserver")
                .and(words.next())?;
            Some(SocketAddr::new(address.parse().ok()?, 53))
        })
        .take(UPSTREAMS_MAX)
        .collect();
    if servers.is_empty() {
        servers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 53));
    }
    servers
}

async fn ask_one(upstream: SocketAddr, query: &Query<'_>) -> io::Result<(Vec<u8>, Answer)> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    let over_udp = timeout(UDP_WAIT, ask_by_udp(upstream, query, id)).await??;
    if !over_udp.1.truncated {
        return Ok(over_udp);
    }
    timeout(TCP_WAIT, ask_by_tcp(upstream, query, id)).await?
}

async fn ask_by_udp(upstream: SocketAddr, query: &Query<'_>, id: [u8; 2]) -> io::Result<(Vec<u8>, Answer)> {
    let any: IpAddr = match upstream {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // Port 0: the kernel picks one at random. Connected: only the resolver's own datagrams arrive.
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(upstream).await?;
    socket.send(&query.with_id(id)).await?;
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        // What does not answer our question is ignored: it must not end the wait for what does.
        if let Ok(answer) = Answer::parse(&buffer[..length], id, &query.question) {
            buffer.truncate(length);
            return Ok((buffer, answer));
        }
    }
}

async fn ask_by_tcp(upstream: SocketAddr, query: &Query<'_>, id: [u8; 2]) -> io::Result<(Vec<u8>, Answer)> {
    let mut stream = TcpStream::connect(upstream).await?;
    write_message(&mut stream, &query.with_id(id)).await?;
    let length = stream.read_u16().await?;
    let mut bytes = vec![0; length.into()];
    stream.read_exact(&mut bytes).await?;
    let answer = Answer::parse(&bytes, id, &query.question)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the resolver's answer is malformed"))?;
    Ok((bytes, answer))
}

/// Writes a message in the form of DNS over TCP: two bytes of length, then the message (RFC 1035, section 4.2.2).
pub(super) async fn write_message(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    let framed = [&length.to_be_bytes(), message].concat();
    stream.write_all(&framed).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let text = "# nameserver 192.0.2.1\nsearch corp.example\nnameserver 10.1.1.1\n nameserver\tfd00::53 \n\
                    nameserver fe80::1%eth0\nnameserver 203.0.113.1\nnameserver 203.0.113.2\n";
        let expected = ["10.1.1.1:53", "[fd00::53]:53", "203.0.113.1:53"];
        assert_eq!(
            name_servers(text),
            expected.map(|address| address.parse().unwrap())
        );
        assert_eq!(
            name_servers("options rotate\n"),
            ["127.0.0.1:53".parse().unwrap()]
        );
    }
}
