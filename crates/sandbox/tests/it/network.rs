//! What a program reaches, and what it does not. The gateway's own rules are tested beside it; here it is proven
//! that there is no way around it.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use sandbox::egress::{Policy, Verdict};
use sandbox::{Host, HostOptions, Spec};

use crate::Test;
use crate::stage::{lines, on_stage, options, probe, shell, until};

pub(crate) const TESTS: &[Test] = &[
    ("the_hosts_loopback_is_unreachable", host_loopback),
    ("another_sandbox_is_unreachable", other_sandbox),
    ("private_and_metadata_addresses_are_refused", private_ranges),
    ("without_a_network_everything_outside_is_refused", no_network),
    ("names_are_answered_by_the_platform_alone", names),
    ("our_own_ports_lead_nowhere", own_ports),
    (
        "every_sandbox_has_a_network_of_its_own_and_no_power_over_it",
        own_networks,
    ),
];

fn public(spec: Spec) -> Spec {
    Spec {
        egress: Policy::Public,
        ..spec
    }
}

/// Every line of a `connect` probe must end without a byte.
fn assert_nothing(lines: &[&str], count: usize) {
    assert_eq!(lines.len(), count);
    for line in lines {
        assert!(line.ends_with(" \"\""), "{line}");
    }
}

fn host_loopback() {
    on_stage(async |stage| {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let addresses = [
            v4.local_addr().unwrap().to_string(),
            v6.local_addr().unwrap().to_string(),
        ];
        for listener in [v4, v6] {
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let _ = stream.unwrap().write_all(b"the host");
                }
            });
        }
        let outcome = stage
            .run(public(probe("home", &["connect", &addresses[0], &addresses[1]])))
            .await;
        assert_nothing(&outcome.good(), 2);
        assert!(
            outcome
                .good()
                .iter()
                .all(|line| line.contains("ConnectionRefused")),
            "{:?}",
            outcome.said()
        );
    });
}

fn other_sandbox() {
    on_stage(async |stage| {
        let server = stage
            .host
            .spawn(public(probe("server", &["serve", "0.0.0.0:8080"])))
            .await
            .unwrap();
        until("the server listens", async || {
            server.listeners().await.ok()?.first().copied()
        })
        .await;
        let outcome = stage
            .run(public(probe(
                "client",
                &["connect", "127.0.0.1:8080", "0.0.0.0:8080"],
            )))
            .await;
        assert_nothing(&outcome.good(), 2);
        server.kill().await.unwrap();
        stage.host.remove("server").await.unwrap();
    });
}

fn private_ranges() {
    on_stage(async |stage| {
        let addresses = [
            "10.0.0.1:80",
            "172.16.0.1:80",
            "192.168.0.1:80",
            "169.254.169.254:80",
            "100.64.0.1:80",
            "[fd00::1]:80",
            "[::ffff:10.0.0.1]:80",
        ];
        let spec = public(probe("private", &[&["connect"], &addresses[..]].concat()));
        let sandbox = stage.host.spawn(spec).await.unwrap();
        let outcome = stage.outcome(&sandbox).await;
        assert_nothing(&outcome.good(), addresses.len());
        let contacts = sandbox.contacts();
        assert!(contacts.len() >= 6, "{contacts:?}");
        for contact in contacts {
            assert!(matches!(contact.verdict, Verdict::Refused { .. }), "{contact:?}");
        }
    });
}

/// Networks are made before they are needed: none may be given twice, to those that start together as little as to those
/// that start one after the other, nor is one that anybody else stands in.
fn own_networks() {
    on_stage(async |stage| {
        let names = ["net-a", "net-b", "net-c", "net-d"];
        let port = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
        let look =
            format!("readlink /proc/self/ns/net; (echo 1 > {port}) 2>/dev/null || echo refused; sleep 600");
        let mut running = Vec::new();
        for name in names {
            running.push(stage.host.spawn(shell(name, &look)).await.unwrap());
        }
        let mut networks = Vec::new();
        for sandbox in &running {
            let said = until("what it sees", async || {
                let said: Vec<_> = lines(sandbox).into_iter().map(|line| line.text).collect();
                (said.len() == 2).then_some(said)
            });
            let said = said.await;
            assert!(said[0].starts_with("net:["), "{said:?}");
            assert_eq!(said[1], "refused");
            networks.push(said[0].clone());
        }
        let ours = std::fs::read_link("/proc/self/ns/net").unwrap();
        networks.push(ours.display().to_string());
        networks.sort();
        networks.dedup();
        assert_eq!(networks.len(), names.len() + 1);
        for name in names {
            stage.host.remove(name).await.unwrap();
        }
    });
}

fn no_network() {
    on_stage(async |stage| {
        let outcome = stage
            .run(probe(
                "alone",
                &["connect", "203.0.113.80:443", "1.1.1.1:53", "[2001:db8::1]:80"],
            ))
            .await;
        assert_nothing(&outcome.good(), 3);
        assert!(
            outcome
                .good()
                .iter()
                .all(|line| line.contains("ConnectionRefused")),
            "{:?}",
            outcome.said()
        );
        let outcome = stage.run(probe("alone", &["lookup", "example.com"])).await;
        assert!(outcome.good()[0].starts_with("error"), "{:?}", outcome.said());
    });
}

fn names() {
    on_stage(async |stage| {
        let upstream = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = upstream.local_addr().unwrap();
        std::thread::spawn(move || resolve_everything(&upstream));
        let options = HostOptions {
            upstream: vec![address],
            ..options(&stage.path("names"), &stage.prefix)
        };
        let host = Host::start(options).await.unwrap();
        let sandbox = host
            .spawn(public(probe("names", &["lookup", "example.test"])))
            .await
            .unwrap();
        let outcome = stage.outcome(&sandbox).await;
        assert_eq!(outcome.good(), ["203.0.113.7"]);
        let spec = Spec {
            egress: Policy::Names(vec!["other.test".to_owned()]),
            ..probe("few", &["lookup", "example.test"])
        };
        let sandbox = host.spawn(spec).await.unwrap();
        let outcome = stage.outcome(&sandbox).await;
        assert!(outcome.good()[0].starts_with("error"), "{:?}", outcome.said());
        host.remove("names").await.unwrap();
        host.remove("few").await.unwrap();
    });
}

/// A resolver that gives one address for every name asked for by type A, and nothing for other types.
fn resolve_everything(socket: &UdpSocket) {
    let mut query = [0; 512];
    while let Ok((count, from)) = socket.recv_from(&mut query) {
        answer(socket, &query[..count], from);
    }
}

fn answer(socket: &UdpSocket, query: &[u8], from: SocketAddr) {
    let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
    let is_a = query[end - 4..end - 2] == [0, 1];
    let mut reply = query[..end].to_vec();
    reply[2..4].copy_from_slice(&[0x81, 0x80]);
    reply[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    if is_a {
        // The name (a pointer to the question), A, IN, 60 seconds, 4 bytes.
        reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
    }
    let _ = socket.send_to(&reply, from);
}

fn own_ports() {
    on_stage(async |stage| {
        let outcome = stage
            .run(public(probe(
                "loop",
                &["connect", "127.0.0.1:61443", "10.0.0.1:61443"],
            )))
            .await;
        assert_nothing(&outcome.good(), 2);
        let sandbox = stage.host.spawn(public(probe("idle", &["count"]))).await.unwrap();
        assert_eq!(
            sandbox.listeners().await.unwrap(),
            [],
            "our own sockets are not the program's"
        );
        sandbox.kill().await.unwrap();
        stage.host.remove("idle").await.unwrap();
    });
}
