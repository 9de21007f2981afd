//! Netlink by hand: `lo` up, and a route that makes every address local (man 7 rtnetlink).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};

/// A message under construction: header, body, attributes; lengths are filled in at the end.
pub(crate) struct Message {
    bytes: Vec<u8>,
}

impl Message {
    pub(crate) fn new(kind: u16, flags: u16) -> Message {
        let mut bytes = vec![0; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | libc::NLM_F_REQUEST as u16).to_ne_bytes());
        Message { bytes }
    }

    pub(crate) fn raw(mut self, bytes: &[u8]) -> Message {
        self.bytes.extend_from_slice(bytes);
        self.pad();
        self
    }

    pub(crate) fn attribute(mut self, kind: u16, value: &[u8]) -> Message {
        let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.pad();
        self
    }

    /// The finished message with its sequence number.
    pub(crate) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        self.bytes[0..4].copy_from_slice(&length.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// Opens a netlink socket of this process's network namespace.
pub(crate) fn open(protocol: Option<rustix::net::Protocol>) -> io::Result<OwnedFd> {
    Ok(socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )?)
}

/// Sends messages in one datagram and waits until the kernel acknowledged `acks` of them.
pub(crate) fn transact(socket: &OwnedFd, datagram: &[u8], acks: usize) -> io::Result<()> {
    send(socket.as_fd(), datagram, SendFlags::empty())?;
    let mut left = acks;
    let mut buffer = vec![0; 16 << 10];
    while left > 0 {
        let (count, _) = recv(socket.as_fd(), buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = &buffer[..count];
        while rest.len() >= 20 {
            let length = u32::from_ne_bytes([rest[0], rest[1], rest[2], rest[3]]) as usize;
            let kind = u16::from_ne_bytes([rest[4], rest[5]]);
            if i32::from(kind) == libc::NLMSG_ERROR {
                match i32::from_ne_bytes([rest[16], rest[17], rest[18], rest[19]]) {
                    0 => left = left.saturating_sub(1),
                    error => return Err(io::Error::from_raw_os_error(-error)),
                }
            }
            rest = &rest[length.next_multiple_of(4).clamp(16, rest.len())..];
        }
    }
    Ok(())
}

/// Brings `lo` up and makes every address of both families local to it.
///
/// The preferred source is loopback: otherwise a datagram to an outside address would carry that address as its
/// own source, and an answer from our resolver would not match it.
pub(crate) fn make_everything_local() -> io::Result<()> {
    let socket = open(None)?; // NETLINK_ROUTE is protocol 0
    let ack = libc::NLM_F_ACK as u16;
    let create = ack | libc::NLM_F_CREATE as u16 | libc::NLM_F_EXCL as u16;
    // struct ifinfomsg: family, pad, type, index, flags, change.
    let mut up = vec![0; 4];
    up.extend_from_slice(&1i32.to_ne_bytes());
    up.extend_from_slice(&(libc::IFF_UP as u32).to_ne_bytes());
    up.extend_from_slice(&(libc::IFF_UP as u32).to_ne_bytes());
    let link = Message::new(libc::RTM_NEWLINK, ack).raw(&up).finish(1);
    transact(&socket, &link, 1)?;
    let v4 = route(libc::AF_INET as u8, create, &[127, 0, 0, 1]).finish(2);
    transact(&socket, &v4, 1)?;
    let v6 = route(
        libc::AF_INET6 as u8,
        create,
        &std::net::Ipv6Addr::LOCALHOST.octets(),
    )
    .finish(3);
    match transact(&socket, &v6, 1) {
        // A kernel without IPv6 has nothing to route.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => Ok(()),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(()),
        other => other,
    }
}

fn route(family: u8, flags: u16, source: &[u8]) -> Message {
    // struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags.
    let scope = if i32::from(family) == libc::AF_INET {
        libc::RT_SCOPE_HOST
    } else {
        libc::RT_SCOPE_UNIVERSE
    };
    let head = [
        family,
        0,
        0,
        0,
        libc::RT_TABLE_LOCAL,
        libc::RTPROT_BOOT,
        scope,
        libc::RTN_LOCAL,
        0,
        0,
        0,
        0,
    ];
    Message::new(libc::RTM_NEWROUTE, flags)
        .raw(&head)
        .attribute(libc::RTA_OIF, &1u32.to_ne_bytes())
        .attribute(libc::RTA_PREFSRC, source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_padded_and_carry_their_length() {
        let bytes = Message::new(16, 5).attribute(3, b"abc").finish(9);
        assert_eq!(bytes.len(), 24);
        assert_eq!(&bytes[..4], &24u32.to_ne_bytes());
        assert_eq!(
            &bytes[16..18],
            &7u16.to_ne_bytes(),
            "an attribute's length is without its padding"
        );
        assert_eq!(&bytes[8..12], &9u32.to_ne_bytes());
    }
}
