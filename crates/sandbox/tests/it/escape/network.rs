//! Addresses: every notation and detour that leads to the host, its networks or its metadata.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sandbox::egress::{Policy, Verdict};
use sandbox::{Host, HostOptions, Spec};

use super::{call, outside, verdict};
use crate::Test;
use crate::stage::{on_stage, options, probe as inside};

pub(crate) const TESTS: &[Test] = &[
    ("escape_abstract_sockets_of_the_host", abstract_sockets),
    ("escape_metadata_address_in_every_notation", metadata),
    ("escape_loopback_in_every_notation", loopback),
    ("escape_the_hosts_own_addresses", own_addresses),
    ("escape_by_a_name_that_changes_its_address", rebinding),
    ("escape_by_a_redirect_to_a_private_address", redirect),
    ("escape_by_packets_without_a_connection", packets),
    ("escape_routes_addresses_and_rules_by_netlink", netlink),
    ("escape_socket_options_that_pass_by_the_route", socket_options),
    ("escape_sockets_of_others_are_not_listed", listed),
];

pub(super) fn probe(arguments: &[&str]) -> bool {
    match arguments {
        ["abstract", name] => println!("{}", connects_abstract(name)),
        ["reach", targets @ ..] => targets
            .iter()
            .for_each(|target| println!("{target} {}", reach(target))),
        ["fetch", url] => println!("{}", fetch(url, 3)),
        ["send", target] => send(target),
        ["netlink"] => change_network(),
        // What the host lets root do is tried in a network of its own: it would break the machine's.
        ["netlink", "apart"] => {
            assert_eq!(
                call(libc::SYS_unshare, [libc::CLONE_NEWNET.into(), 0, 0, 0, 0, 0]),
                0
            );
            change_network();
        }
        ["options"] => set_options(),
        _ => return false,
    }
    true
}

fn public(spec: Spec) -> Spec {
    Spec {
        egress: Policy::Public,
        ..spec
    }
}

fn connects_abstract(name: &str) -> bool {
    use std::os::linux::net::SocketAddrExt as _;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name).unwrap();
    std::os::unix::net::UnixStream::connect_addr(&address).is_ok()
}

fn abstract_sockets() {
    on_stage(async |stage| {
        use std::os::linux::net::SocketAddrExt as _;
        let name = format!("{}host", stage.prefix);
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = UnixListener::bind_addr(&address).unwrap();
        assert_eq!(outside(&["abstract", &name]), ["true"]);
        for other in [
            name.as_str(),
            "/tmp/.X11-unix/X0",
            "/containerd-shim/x",
            "/com/ubuntu/upstart",
        ] {
            assert_eq!(
                stage
                    .run(public(inside("caller", &["abstract", other])))
                    .await
                    .good(),
                ["false"]
            );
        }
    });
}

/// What came from `target`: the C library reads every notation of an address that there is.
fn reach(target: &str) -> String {
    let Ok(addresses) = target.to_socket_addrs() else {
        return "unknown".to_owned();
    };
    for address in addresses {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else {
            continue;
        };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut text = String::new();
        let _ = stream.write_all(b"GET / HTTP/1.0\r\n\r\n");
        let _ = stream.read_to_string(&mut text);
        if !text.is_empty() {
            return format!("answered {text:?}");
        }
    }
    "nothing".to_owned()
}

/// None of `targets` answers, and what the gateway saw of it was refused.
fn assert_unreachable(targets: Vec<String>) {
    on_stage(async |stage| {
        let arguments: Vec<&str> = ["reach"]
            .into_iter()
            .chain(targets.iter().map(String::as_str))
            .collect();
        let sandbox = stage
            .host
            .spawn(public(inside("reacher", &arguments)))
            .await
            .unwrap();
        let outcome = stage.outcome(&sandbox).await;
        let said = outcome.good();
        assert_eq!(said.len(), targets.len());
        for line in said {
            assert!(line.ends_with(" nothing") || line.ends_with(" unknown"), "{line}");
        }
        for contact in sandbox
            .contacts()
            .iter()
            .filter(|contact| contact.address.is_some())
        {
            assert!(matches!(contact.verdict, Verdict::Refused { .. }), "{contact:?}");
        }
    });
}

fn metadata() {
    let notations = [
        "169.254.169.254:80",
        "2852039166:80",
        "0xa9fea9fe:80",
        "0xa9.0xfe.0xa9.0xfe:80",
        "0251.0376.0251.0376:80",
        "169.254.43518:80",
        "169.16689662:80",
        "[::ffff:169.254.169.254]:80",
        "[::ffff:a9fe:a9fe]:80",
        "[::169.254.169.254]:80",
        "[64:ff9b::a9fe:a9fe]:80",
        "[64:ff9b:1::a9fe:a9fe]:80",
        "[2002:a9fe:a9fe::1]:80",
        "[fd00:ec2::254]:80",
        "[fe80::a9fe:a9fe]:80",
        "168.63.129.16:80",
        "192.0.0.192:80",
        "100.100.100.200:80",
        "metadata.google.internal:80",
    ];
    assert_unreachable(notations.map(str::to_owned).to_vec());
}

/// Says who it is to everybody who connects; the number of connections.
fn greeter(listener: TcpListener) -> Arc<AtomicU32> {
    let met = Arc::new(AtomicU32::new(0));
    let count = met.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nthe host");
        }
    });
    met
}

fn loopback() {
    let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let (port, port_v6) = (v4.local_addr().unwrap().port(), v6.local_addr().unwrap().port());
    let (met, met_v6) = (greeter(v4), greeter(v6));
    assert!(reach(&format!("127.0.0.1:{port}")).starts_with("answered"));
    assert!(
        reach(&format!("2130706433:{port}")).starts_with("answered"),
        "the notation leads there"
    );
    let before = (met.load(Ordering::SeqCst), met_v6.load(Ordering::SeqCst));
    let notations = [
        "localhost",
        "2130706433",
        "0x7f000001",
        "0177.1",
        "127.1",
        "127.255.255.254",
        "0",
        "0.0.0.0",
        "[::ffff:127.0.0.1]",
        "[::ffff:0:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[::]",
    ];
    let mut targets = notations.map(|host| format!("{host}:{port}")).to_vec();
    targets.extend(["[::1]", "[0:0:0:0:0:0:0:1]", "localhost"].map(|host| format!("{host}:{port_v6}")));
    assert_unreachable(targets);
    assert_eq!(
        (met.load(Ordering::SeqCst), met_v6.load(Ordering::SeqCst)),
        before
    );
}

/// The first address of this machine that is not loopback.
fn own_address() -> Ipv4Addr {
    let table = std::fs::read_to_string("/proc/net/fib_trie").unwrap();
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let local = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    let mut found = local.filter_map(|pair| pair[0].strip_prefix("|-- ")?.parse::<Ipv4Addr>().ok());
    found
        .find(|address| !address.is_loopback())
        .expect("a machine with a network")
}

/// The address by which this machine speaks to the world is public by its number, and the host's all the same.
fn own_addresses() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let met = greeter(listener);
    let v4 = own_address();
    let own = IpAddr::V4(v4);
    assert!(reach(&SocketAddr::new(own, port).to_string()).starts_with("answered"));
    let before = met.load(Ordering::SeqCst);
    let number = u32::from(v4);
    let mapped = v4.to_ipv6_mapped();
    assert_unreachable(vec![
        format!("{own}:{port}"),
        format!("{number}:{port}"),
        format!("[{mapped}]:{port}"),
    ]);
    assert_eq!(met.load(Ordering::SeqCst), before);
}

/// A resolver that says something public first and the host's loopback from then on: for every name, for ever.
fn fickle(socket: &UdpSocket) {
    let mut asked = 0;
    let mut query = [0; 512];
    while let Ok((count, from)) = socket.recv_from(&mut query) {
        let query = &query[..count];
        let end = 12 + query[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
        let is_a = query[end - 4..end - 2] == [0, 1];
        let mut reply = query[..end].to_vec();
        reply[2..4].copy_from_slice(&[0x81, 0x80]);
        reply[4..12].copy_from_slice(&[0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
        if is_a {
            // The name (a pointer to the question), A, IN, no time at all, 4 bytes.
            reply.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
            reply.extend_from_slice(if asked == 0 {
                &[203, 0, 113, 80]
            } else {
                &[127, 0, 0, 1]
            });
            asked += 1;
        }
        let _ = socket.send_to(&reply, from);
    }
}

fn rebinding() {
    on_stage(async |stage| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let met = greeter(listener);
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let upstream = vec![resolver.local_addr().unwrap()];
        std::thread::spawn(move || fickle(&resolver));
        let options = HostOptions {
            upstream,
            ..options(&stage.path("own"), &stage.prefix)
        };
        let host = Host::start(options).await.unwrap();
        // The name itself is allowed, which opens no address of the host's.
        for policy in [Policy::Public, Policy::Names(vec!["rebind.test".to_owned()])] {
            let target = format!("rebind.test:{port}");
            let mut spec = inside("rebinder", &["lookup", "rebind.test"]);
            spec.argv = ["sh", "-c", &format!("for i in 1 2 3 4; do /opt/probe probe lookup rebind.test; /opt/probe probe reach {target}; done")]
                .map(str::to_owned)
                .to_vec();
            let sandbox = host
                .spawn(Spec {
                    egress: policy,
                    ..spec
                })
                .await
                .unwrap();
            let outcome = stage.outcome(&sandbox).await;
            assert!(
                !outcome.good().iter().any(|line| line.contains("answered")),
                "{:?}",
                outcome.good()
            );
            host.remove("rebinder").await.unwrap();
        }
        assert_eq!(met.load(Ordering::SeqCst), 0);
    });
}

/// A small client that follows redirects as browsers and libraries do.
fn fetch(url: &str, redirects: u32) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let host = rest.split('/').next().unwrap();
    let said = reach(host);
    match said.split_once("Location: ") {
        Some((_, next)) if redirects > 0 => fetch(next.split("\\r").next().unwrap(), redirects - 1),
        _ => said,
    }
}

fn redirect() {
    on_stage(async |stage| {
        let (open, closed) = (
            TcpListener::bind((own_address(), 0)).unwrap(),
            TcpListener::bind((own_address(), 0)).unwrap(),
        );
        let (open_at, closed_at) = (open.local_addr().unwrap(), closed.local_addr().unwrap());
        let met = greeter(closed);
        std::thread::spawn(move || {
            for mut stream in open.incoming().flatten() {
                // A connection that is closed with a request unread is reset, and cuts the answer.
                let _ = stream.read(&mut [0; 512]);
                let answer = format!("HTTP/1.0 302 Found\r\nLocation: http://{closed_at}/\r\n\r\n");
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let url = format!("http://{open_at}/");
        assert!(
            outside(&["fetch", &url])[0].contains("the host"),
            "without a sandbox it is followed"
        );
        let before = met.load(Ordering::SeqCst);
        let mut options = options(&stage.path("own"), &stage.prefix);
        options.allow.addresses.push(open_at.to_string().parse().unwrap());
        let host = Host::start(options).await.unwrap();
        let sandbox = host
            .spawn(public(inside("follower", &["fetch", &url])))
            .await
            .unwrap();
        let outcome = stage.outcome(&sandbox).await;
        assert_eq!(outcome.good(), ["nothing"]);
        // The first step was allowed, so it was the second that was refused.
        assert!(
            sandbox
                .contacts()
                .iter()
                .any(|contact| contact.verdict == Verdict::Allowed)
        );
        host.remove("follower").await.unwrap();
        assert_eq!(met.load(Ordering::SeqCst), before);
    });
}

fn send(target: &str) {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    let _ = socket.set_broadcast(true);
    for target in target.split(',') {
        let _ = socket.send_to(b"hello", target);
    }
    println!("sent");
}

fn packets() {
    on_stage(async |stage| {
        let listener = UdpSocket::bind("0.0.0.0:0").unwrap();
        listener.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = own_address();
        let targets = format!("127.0.0.1:{port},{own}:{port},255.255.255.255:{port},224.0.0.251:5353");
        let outcome = stage.run(public(inside("sender", &["send", &targets]))).await;
        assert_eq!(outcome.good(), ["sent"]);
        // What is sent outside afterwards is the first thing to arrive.
        let control = UdpSocket::bind("127.0.0.1:0").unwrap();
        control.send_to(b"control", ("127.0.0.1", port)).unwrap();
        let mut buffer = [0; 16];
        let count = listener.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"control");
    });
}

/// A link down, a route added, an address added, a rule added: headers are enough, power is asked for first.
fn change_network() {
    // RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWADDR, RTM_NEWRULE, RTM_DELROUTE; family in the first byte of the body.
    for kind in [16u16, 24, 20, 32, 25] {
        let socket = call(libc::SYS_socket, [16, 3, 0, 0, 0, 0]);
        let mut message = [0u8; 16 + 16];
        message[..4].copy_from_slice(&32u32.to_ne_bytes());
        message[4..6].copy_from_slice(&kind.to_ne_bytes());
        message[6..8].copy_from_slice(&5u16.to_ne_bytes()); // request, acknowledge
        message[16] = 2;
        message[20] = 1;
        let sent = call(libc::SYS_sendto, [socket, message.as_ptr() as i64, 32, 0, 0, 0]);
        let mut answer = [0u8; 512];
        let read = call(
            libc::SYS_recvfrom,
            [socket, answer.as_mut_ptr() as i64, 512, 0, 0, 0],
        );
        let error = i32::from_ne_bytes(answer[16..20].try_into().unwrap());
        println!("{kind} {} {error}", sent == 32 && read > 20);
    }
}

fn netlink() {
    on_stage(async |stage| {
        let outcome = stage.run(public(inside("plumber", &["netlink"]))).await;
        let refused = [16, 24, 20, 32, 25].map(|kind| format!("{kind} true {}", -libc::EPERM));
        assert_eq!(outcome.good(), refused);
        if super::is_root() {
            let outside = outside(&["netlink", "apart"]);
            assert!(
                outside
                    .iter()
                    .zip(&refused)
                    .all(|(outside, inside)| outside != inside),
                "{outside:?}"
            );
        }
    });
}

/// A mark, another device, foreign addresses, a raw header: names and numbers of socket options.
fn set_options() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let fd: i64 = socket.as_raw_fd().into();
    let one = 1i32;
    let at = &raw const one as i64;
    for (what, level, name) in [
        ("mark", 1, 36),
        ("transparent", 0, 19),
        ("force buffer", 1, 33),
        ("busy poll", 1, 46),
        ("nft", 0, 64),
        ("debug", 1, 1),
    ] {
        println!(
            "{what} {}",
            verdict(call(libc::SYS_setsockopt, [fd, level, name, at, 4, 0]))
        );
    }
}

fn socket_options() {
    on_stage(async |stage| {
        let outcome = stage.run(public(inside("tuner", &["options"]))).await;
        for line in outcome.good() {
            assert!(
                line.contains(" error ") || line.starts_with("busy poll"),
                "{line}"
            );
        }
        assert_eq!(outcome.good().len(), 6);
        if super::is_root() {
            assert!(outside(&["options"]).iter().any(|line| line == "mark ok"));
        }
    });
}

fn listed() {
    on_stage(async |stage| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = format!(":{:04X} ", listener.local_addr().unwrap().port());
        let tables =
            "/proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/raw /proc/net/packet /proc/net/netlink";
        let outcome = stage
            .run(crate::stage::shell(
                "lister",
                &format!("cat {tables}; ls /proc/net/nf_conntrack; true"),
            ))
            .await;
        assert!(outcome.good().len() > 4);
        assert!(
            !outcome.good().iter().any(|line| line.contains(&port)),
            "{:?}",
            outcome.good()
        );
        assert!(std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&port));
    });
}
