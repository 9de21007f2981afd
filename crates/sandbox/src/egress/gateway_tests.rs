//! The gateway over real sockets on loopback: a resolver that knows two names, servers, and a "sandbox" that is this
//! test. Loopback is opened by an operator's allowance; where a connection was meant to go is told by the test, since
//! nothing is redirected here.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::*;
use crate::egress::{Allowances, Policy, Refusal, Verdict};

const PATIENCE: Duration = Duration::from_secs(10);

/// A gateway and the addresses at which a sandbox would reach it.
struct Bench {
    gateway: Gateway,
    tcp: SocketAddr,
    dns: SocketAddr,
}

impl Bench {
    /// A gateway whose connections are all meant for `destination`.
    fn open(rules: Rules, limits: Limits, destination: SocketAddr) -> Bench {
        let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let dns = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let (tcp_at, dns_at) = (tcp.local_addr().unwrap(), dns.local_addr().unwrap());
        let mut shared = Shared::limited(rules, limits);
        shared.destination = Box::new(move |_| Ok(destination));
        let gateway = Gateway::start(tcp, dns, shared).unwrap();
        Bench {
            gateway,
            tcp: tcp_at,
            dns: dns_at,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.tcp).await.unwrap()
    }

    /// Asks for the addresses of a name as a program does.
    async fn look_up(&self, name: &str, kind: u16) -> Vec<u8> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(self.dns).await.unwrap();
        socket.send(&query(name, kind)).await.unwrap();
        let mut buffer = vec![0; 4096];
        let length = timeout(PATIENCE, socket.recv(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        buffer.truncate(length);
        buffer
    }

    /// Waits until the contact log satisfies the condition.
    async fn contacts_until(&self, done: impl Fn(&[Contact]) -> bool) -> Vec<Contact> {
        let end = Instant::now() + PATIENCE;
        loop {
            let contacts = self.gateway.contacts();
            if done(&contacts) {
                return contacts;
            }
            assert!(Instant::now() < end, "the contacts stay {contacts:?}");
            tokio::task::yield_now().await;
        }
    }
}

fn loopback_allowed(policy: Policy) -> Rules {
    let allow = Allowances {
        addresses: vec!["127.0.0.0/8".parse().unwrap()],
        names: vec![],
    };
    Rules {
        policy,
        allow,
        ..Rules::default()
    }
}

fn one_name(name: &str) -> Policy {
    Policy::Names(vec![name.to_owned()])
}

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = vec![0xab, 0xcd, 0x01, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.extend_from_slice(&[0]);
    bytes.extend_from_slice(&kind.to_be_bytes());
    bytes.extend_from_slice(&[0, 1]);
    bytes
}

/// The answer to a query: the address `records` times.
fn answer(query: &[u8], address: Ipv4Addr, records: u8) -> Vec<u8> {
    let mut bytes = query.to_vec();
    bytes[2] |= 0x80;
    bytes[7] = records;
    for _ in 0..records {
        bytes.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend_from_slice(&address.octets());
    }
    bytes
}

/// The port that is free for UDP may be somebody's for TCP; another one is tried then.
async fn one_port_for_both() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
            return (udp, tcp);
        }
    }
    panic!("no port is free for both UDP and TCP");
}

/// A resolver on loopback that answers every name with one address; over UDP only when one record is asked for.
async fn fake_resolver(address: Ipv4Addr, records: u8) -> SocketAddr {
    let (udp, tcp) = one_port_for_both().await;
    let at = udp.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, client)) = udp.recv_from(&mut buffer).await {
            let mut bytes = answer(&buffer[..length], address, records);
            // A stray datagram with another id first: it must be ignored.
            let mut stray = bytes.clone();
            stray[0] ^= 0xff;
            let _ = udp.send_to(&stray, client).await;
            if records > 1 {
                bytes = answer(&buffer[..length], address, 0);
                bytes[2] |= 0x02;
            }
            let _ = udp.send_to(&bytes, client).await;
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = tcp.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut bytes = vec![0; length.into()];
            stream.read_exact(&mut bytes).await.unwrap();
            crate::egress::upstream::write_message(&mut stream, &answer(&bytes, address, records))
                .await
                .unwrap();
        }
    });
    at
}

/// A server that sends back what it gets, and ends when its client has ended.
async fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    at
}

async fn assert_reset(mut stream: TcpStream) {
    let error = timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

fn code(answer: &[u8]) -> u8 {
    answer[3] & 0x0f
}

#[tokio::test]
async fn a_connection_is_copied_both_ways_with_half_close_and_counted() {
    let bench = Bench::open(
        loopback_allowed(Policy::Public),
        Limits::default(),
        echo_server().await,
    );
    let mut stream = bench.connect().await;
    let sent = vec![7; 300_000];
    let (mut from, mut to) = stream.split();
    let send = async {
        to.write_all(&sent).await.unwrap();
        to.shutdown().await.unwrap();
    };
    let mut back = Vec::new();
    let (_, read) = timeout(PATIENCE, async {
        tokio::join!(send, from.read_to_end(&mut back))
    })
    .await
    .unwrap();
    read.unwrap();
    assert!(back == sent, "all bytes come back");
    let [contact] = &bench.gateway.contacts()[..] else {
        panic!("one contact")
    };
    assert_eq!(
        (contact.verdict, contact.connections, contact.failures),
        (Verdict::Allowed, 1, 0)
    );
    assert_eq!(
        bench.gateway.traffic(),
        Traffic {
            bytes_sent: 300_000,
            bytes_received: 300_000
        }
    );
}

#[tokio::test]
async fn a_name_opens_the_address_it_led_to_and_no_other() {
    let server = echo_server().await;
    let resolver = fake_resolver(Ipv4Addr::LOCALHOST, 1).await;
    let rules = Rules {
        upstream: vec![resolver],
        ..loopback_allowed(one_name("*.example.com"))
    };
    let bench = Bench::open(rules, Limits::default(), server);

    assert_reset(bench.connect().await).await;
    let refused = bench.contacts_until(|contacts| contacts.len() == 1).await;
    assert_eq!(
        refused[0].verdict,
        Verdict::Refused {
            why: Refusal::Unnamed
        }
    );

    let answer = bench.look_up("Api.Example.com", 1).await;
    assert_eq!(
        (&answer[..2], code(&answer), answer[7]),
        (&[0xab, 0xcd][..], 0, 1)
    );
    let mut stream = bench.connect().await;
    stream.write_all(b"x").await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), b'x');
    let contacts = bench.gateway.contacts();
    let allowed = contacts
        .iter()
        .find(|contact| contact.verdict == Verdict::Allowed)
        .unwrap();
    assert_eq!(
        (allowed.name.as_deref(), allowed.address),
        (Some("api.example.com"), Some(server))
    );
}

#[tokio::test]
async fn a_refused_name_does_not_exist_and_is_noted() {
    // No resolver listens there: a forwarded question would end in SERVFAIL.
    let rules = Rules {
        upstream: vec!["127.0.0.1:1".parse().unwrap()],
        ..Rules::new(one_name("a.example"))
    };
    let bench = Bench::open(rules, Limits::default(), "203.0.113.1:80".parse().unwrap());
    assert_eq!(code(&bench.look_up("secret.evil.example", 1).await), 3);
    let [contact] = &bench.gateway.contacts()[..] else {
        panic!("one contact")
    };
    assert_eq!(
        (contact.name.as_deref(), contact.address),
        (Some("secret.evil.example"), None)
    );
    assert_eq!(contact.verdict, Verdict::Refused { why: Refusal::Name });
}

#[tokio::test]
async fn ipv6_answers_are_withheld_unless_they_can_be_used() {
    let resolver = fake_resolver(Ipv4Addr::LOCALHOST, 1).await;
    let rules = Rules {
        upstream: vec![resolver],
        ..loopback_allowed(Policy::Public)
    };
    let useful = resolver::has_ipv6_route();
    let bench = Bench::open(rules.clone(), Limits::default(), resolver);
    let answer = bench.look_up("a.example", 28).await;
    assert_eq!((code(&answer), answer[7]), (0, u8::from(useful)));

    // An operator who allows an IPv6 address has IPv6.
    let mut rules = rules;
    rules.allow.addresses.push("fd00::/8".parse().unwrap());
    let bench = Bench::open(rules, Limits::default(), resolver);
    assert_eq!(bench.look_up("a.example", 28).await[7], 1);
}

#[tokio::test]
async fn without_an_answering_resolver_the_next_is_asked() {
    let resolver = fake_resolver(Ipv4Addr::new(203, 0, 113, 9), 1).await;
    let closed = std::net::UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rules = Rules {
        upstream: vec![closed, resolver],
        ..Rules::new(Policy::Public)
    };
    let bench = Bench::open(rules, Limits::default(), closed);
    assert_eq!(code(&bench.look_up("a.example", 1).await), 0);

    let rules = Rules {
        upstream: vec![closed],
        ..Rules::new(Policy::Public)
    };
    let bench = Bench::open(rules, Limits::default(), closed);
    assert_eq!(code(&bench.look_up("a.example", 1).await), 2);
}

#[tokio::test]
async fn a_long_answer_is_fetched_and_given_over_tcp() {
    let resolver = fake_resolver(Ipv4Addr::LOCALHOST, 60).await;
    let rules = Rules {
        upstream: vec![resolver],
        ..loopback_allowed(Policy::Public)
    };
    let bench = Bench::open(rules, Limits::default(), "198.51.100.1:53".parse().unwrap());
    let short = bench.look_up("a.example", 1).await;
    assert_eq!((short[2] & 0x02, short[7]), (0x02, 0), "truncated over UDP");

    let mut stream = bench.connect().await;
    for _ in 0..2 {
        crate::egress::upstream::write_message(&mut stream, &query("a.example", 1))
            .await
            .unwrap();
        let length = timeout(PATIENCE, stream.read_u16()).await.unwrap().unwrap();
        let mut whole = vec![0; length.into()];
        stream.read_exact(&mut whole).await.unwrap();
        assert_eq!((code(&whole), whole[7]), (0, 60));
    }
    assert!(
        bench.gateway.contacts().is_empty(),
        "asking the resolver is no contact"
    );
}

#[tokio::test]
async fn a_public_name_with_a_private_address_is_refused_when_connecting() {
    for address in [
        Ipv4Addr::LOCALHOST,
        Ipv4Addr::new(169, 254, 169, 254),
        Ipv4Addr::new(10, 0, 0, 1),
    ] {
        let rules = Rules {
            upstream: vec![fake_resolver(address, 1).await],
            ..Rules::new(Policy::Public)
        };
        let target = SocketAddr::new(IpAddr::V4(address), 80);
        let bench = Bench::open(rules, Limits::default(), target);
        assert_eq!(code(&bench.look_up("rebind.example", 1).await), 0);
        assert_reset(bench.connect().await).await;
        let [contact] = &bench.gateway.contacts()[..] else {
            panic!("one contact")
        };
        assert_eq!(contact.name.as_deref(), Some("rebind.example"));
        assert_eq!(
            contact.verdict,
            Verdict::Refused {
                why: Refusal::Reserved
            }
        );
    }
}

#[tokio::test]
async fn the_hosts_loopback_is_refused_in_ipv6_clothes_too() {
    let server = echo_server().await;
    let IpAddr::V4(address) = server.ip() else {
        panic!("a v4 server")
    };
    let disguised = SocketAddr::new(address.to_ipv6_mapped().into(), server.port());
    let bench = Bench::open(Rules::new(Policy::Public), Limits::default(), disguised);
    assert_reset(bench.connect().await).await;
    assert_eq!(bench.gateway.contacts()[0].address, Some(server));
}

#[tokio::test]
async fn the_hosts_own_addresses_are_refused_though_public() {
    // The kernel names the address that we would use towards the outside; no packet is sent.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("203.0.113.1:9").unwrap();
    let own = socket.local_addr().unwrap().ip();
    let expected = if crate::egress::address::reserved(own).is_some() {
        Refusal::Reserved
    } else {
        Refusal::Host
    };
    let server = TcpListener::bind((own, 0)).await.unwrap();
    let bench = Bench::open(
        Rules::new(Policy::Public),
        Limits::default(),
        server.local_addr().unwrap(),
    );
    assert_reset(bench.connect().await).await;
    assert_eq!(
        bench.gateway.contacts()[0].verdict,
        Verdict::Refused { why: expected }
    );
}

#[tokio::test]
async fn nothing_is_reached_under_a_policy_of_nothing() {
    let bench = Bench::open(
        loopback_allowed(Policy::None),
        Limits::default(),
        echo_server().await,
    );
    assert_reset(bench.connect().await).await;
    assert_eq!(code(&bench.look_up("a.example", 1).await), 3);
}

#[tokio::test]
async fn a_failed_connection_is_a_reset_and_counted() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let bench = Bench::open(loopback_allowed(Policy::Public), Limits::default(), closed);
    assert_reset(bench.connect().await).await;
    assert_eq!(bench.gateway.contacts()[0].failures, 1);
}

#[tokio::test]
async fn an_idle_connection_is_reset() {
    let limits = Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    };
    let bench = Bench::open(loopback_allowed(Policy::Public), limits, echo_server().await);
    assert_reset(bench.connect().await).await;
    let [contact] = &bench.gateway.contacts()[..] else {
        panic!("one contact")
    };
    assert_eq!(
        (contact.verdict, contact.failures),
        (Verdict::Allowed, 0),
        "connected, then idle"
    );
}

#[tokio::test]
async fn connections_beyond_the_limit_are_refused_and_places_come_back() {
    let limits = Limits {
        connections: 1,
        ..Limits::default()
    };
    let bench = Bench::open(loopback_allowed(Policy::Public), limits, echo_server().await);
    let mut first = bench.connect().await;
    first.write_all(b"x").await.unwrap();
    assert_eq!(timeout(PATIENCE, first.read_u8()).await.unwrap().unwrap(), b'x');
    assert_reset(bench.connect().await).await;
    let busy = |contact: &Contact| contact.verdict == Verdict::Refused { why: Refusal::Busy };
    assert!(bench.gateway.contacts().iter().any(busy));

    drop(first);
    let end = Instant::now() + PATIENCE;
    loop {
        let mut next = bench.connect().await;
        let _ = next.write_all(b"y").await;
        match timeout(PATIENCE, next.read_u8()).await.unwrap() {
            Ok(byte) => break assert_eq!(byte, b'y'),
            Err(error) => assert!(Instant::now() < end, "the place stays taken: {error}"),
        }
    }
}

#[tokio::test]
async fn dropping_the_gateway_ends_its_connections() {
    let bench = Bench::open(
        loopback_allowed(Policy::Public),
        Limits::default(),
        echo_server().await,
    );
    let mut stream = bench.connect().await;
    stream.write_all(b"x").await.unwrap();
    assert_eq!(timeout(PATIENCE, stream.read_u8()).await.unwrap().unwrap(), b'x');
    drop(bench.gateway);
    // Nothing is promised about how it ends, only that it does.
    assert!(timeout(PATIENCE, stream.read_u8()).await.unwrap().is_err());
}

#[tokio::test]
async fn without_a_redirection_the_address_reached_is_the_destination() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let (client, accepted) = tokio::join!(TcpStream::connect(at), listener.accept());
    assert_eq!(copier::original_destination(&accepted.unwrap().0).unwrap(), at);
    drop(client);
}
