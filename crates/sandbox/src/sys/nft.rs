//! The one nftables table of a sandbox's network namespace, by netlink (linux/netfilter/nf_tables.h).
//!
//! Every name query goes to our resolver, loopback stays what it is, every other TCP connection goes to our copier.
//! With nothing listening there, both are refused: that is the policy `none`.

use std::io;
use std::net::{IpAddr, SocketAddr};

use rustix::net::netlink;

use super::netlink::{Message, open, transact};

/// Where the copier listens inside.
pub(crate) const TCP_PORT: u16 = 61443;
/// Where the resolver listens inside.
pub(crate) const DNS_PORT: u16 = 61053;

const TABLE: &[u8] = b"cygni\0";
const CHAIN: &[u8] = b"output\0";
const NFPROTO_INET: u8 = 1;
const NESTED: u16 = 0x8000;

// Message kinds, attributes and values of linux/netfilter/nf_tables.h, in the order they are used.
const NEW_TABLE: u16 = 0;
const NEW_CHAIN: u16 = 3;
const NEW_RULE: u16 = 6;
const REG_VERDICT: u32 = 0;
const REG_1: u32 = 1;
const REG32_00: u32 = 8;

/// Loads the table into this network namespace. Connections to one of `opened`, which are loopback, go to the copier too.
pub(crate) fn redirect_everything(opened: &[SocketAddr]) -> io::Result<()> {
    let socket = open(Some(netlink::NETFILTER))?;
    let opened = opened.iter().map(|address| {
        [
            l4_protocol(6),
            destination(*address),
            destination_port(address.port()),
            redirect(TCP_PORT),
        ]
        .concat()
    });
    let everything = [
        [l4_protocol(17), destination_port(53), redirect(DNS_PORT)].concat(),
        // An answer that did not fit is asked for again over TCP; our copier knows port 53.
        [l4_protocol(6), destination_port(53), redirect(TCP_PORT)].concat(),
        [network_protocol(2), destination_v4_loopback(), accept()].concat(),
        [network_protocol(10), destination_v6_loopback(), accept()].concat(),
        [l4_protocol(6), redirect(TCP_PORT)].concat(),
    ];
    let rules: Vec<_> = opened.chain(everything).collect();
    let mut batch = batch_mark(libc::NFNL_MSG_BATCH_BEGIN as u16);
    batch.extend(message(NEW_TABLE).attribute(1, TABLE).finish(1));
    batch.extend(chain().finish(2));
    for (index, expressions) in (3..).zip(&rules) {
        let rule = message(NEW_RULE)
            .attribute(1, TABLE)
            .attribute(2, CHAIN)
            .attribute(4 | NESTED, expressions);
        batch.extend(rule.finish(index));
    }
    batch.extend(batch_mark(libc::NFNL_MSG_BATCH_END as u16));
    transact(&socket, &batch, 2 + rules.len())
}

fn batch_mark(kind: u16) -> Vec<u8> {
    // struct nfgenmsg: family, version, subsystem (big-endian).
    let subsystem = (libc::NFNL_SUBSYS_NFTABLES as u16).to_be_bytes();
    Message::new(kind, 0)
        .raw(&[0, 0, subsystem[0], subsystem[1]])
        .finish(0)
}

fn message(kind: u16) -> Message {
    let kind = (libc::NFNL_SUBSYS_NFTABLES as u16) << 8 | kind;
    let flags = libc::NLM_F_CREATE as u16 | libc::NLM_F_APPEND as u16 | libc::NLM_F_ACK as u16;
    Message::new(kind, flags).raw(&[NFPROTO_INET, 0, 0, 0])
}

/// `type nat hook output priority -100`.
fn chain() -> Message {
    let hook = [attribute(1, &number(3)), attribute(2, &(-100i32).to_be_bytes())].concat();
    message(NEW_CHAIN)
        .attribute(1, TABLE)
        .attribute(3, CHAIN)
        .attribute(4 | NESTED, &hook)
        .attribute(7, b"nat\0")
}

fn l4_protocol(protocol: u8) -> Vec<u8> {
    [meta(16), compare(&[protocol])].concat()
}

fn network_protocol(family: u8) -> Vec<u8> {
    [meta(15), compare(&[family])].concat()
}

fn destination_port(port: u16) -> Vec<u8> {
    // Transport header (2), offset 2, 2 bytes.
    [payload([2, 2, 2]), compare(&port.to_be_bytes())].concat()
}

fn destination(address: SocketAddr) -> Vec<u8> {
    match address.ip() {
        IpAddr::V4(address) => [
            network_protocol(2),
            payload([1, 16, 4]),
            compare(&address.octets()),
        ]
        .concat(),
        IpAddr::V6(address) => [
            network_protocol(10),
            payload([1, 24, 16]),
            compare(&address.octets()),
        ]
        .concat(),
    }
}

fn destination_v4_loopback() -> Vec<u8> {
    // Network header (1), destination address at 16; its first byte alone says 127.0.0.0/8.
    [payload([1, 16, 1]), compare(&[127])].concat()
}

fn destination_v6_loopback() -> Vec<u8> {
    [
        payload([1, 24, 16]),
        compare(&std::net::Ipv6Addr::LOCALHOST.octets()),
    ]
    .concat()
}

fn meta(key: u32) -> Vec<u8> {
    expression(
        b"meta\0",
        &[attribute(1, &number(REG_1)), attribute(2, &number(key))].concat(),
    )
}

fn payload([base, offset, length]: [u32; 3]) -> Vec<u8> {
    let parts = [
        attribute(1, &number(REG_1)),
        attribute(2, &number(base)),
        attribute(3, &number(offset)),
        attribute(4, &number(length)),
    ];
    expression(b"payload\0", &parts.concat())
}

fn compare(value: &[u8]) -> Vec<u8> {
    let data = attribute(3 | NESTED, &attribute(1, value));
    expression(
        b"cmp\0",
        &[attribute(1, &number(REG_1)), attribute(2, &number(0)), data].concat(),
    )
}

fn accept() -> Vec<u8> {
    let verdict = attribute(2 | NESTED, &attribute(1, &number(1)));
    let data = attribute(2 | NESTED, &verdict);
    expression(
        b"immediate\0",
        &[attribute(1, &number(REG_VERDICT)), data].concat(),
    )
}

fn redirect(port: u16) -> Vec<u8> {
    let data = attribute(2 | NESTED, &attribute(1, &port.to_be_bytes()));
    let load = expression(b"immediate\0", &[attribute(1, &number(REG32_00)), data].concat());
    [load, expression(b"redir\0", &attribute(1, &number(REG32_00)))].concat()
}

/// One element of a rule's list of expressions: a name and its data.
fn expression(name: &[u8], data: &[u8]) -> Vec<u8> {
    attribute(
        1 | NESTED,
        &[attribute(1, name), attribute(2 | NESTED, data)].concat(),
    )
}

fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(value.len() + 8);
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}
