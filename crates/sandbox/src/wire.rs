//! Messages with descriptors over a stream socket: four bytes of length, JSON, and `SCM_RIGHTS`.
//!
//! Guards against endless messages: both sides name their bound. Does not know what is said.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// The most descriptors that travel with one message.
pub(crate) const FDS_MAX: usize = 8;

/// One message as it arrived.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) body: Vec<u8>,
    pub(crate) fds: Vec<OwnedFd>,
}

/// The bytes of one message on the wire.
pub(crate) fn encode(message: &impl serde::Serialize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, message)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// The length that a header announces, or an error when it is above `bytes_max`.
pub(crate) fn announced(header: [u8; 4], bytes_max: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(header) as usize;
    if length > bytes_max {
        let text = format!("a message of {length} bytes is above the bound of {bytes_max}");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    Ok(length)
}

/// Sends on a blocking socket.
pub(crate) fn send(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        let with = if sent == 0 { fds } else { &[] };
        match send_some(socket, &bytes[sent..], with) {
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Receives on a blocking socket; none at its end.
pub(crate) fn receive(socket: BorrowedFd<'_>, bytes_max: usize) -> io::Result<Option<Frame>> {
    let mut fds = Vec::new();
    let mut header = [0; 4];
    if fill(socket, &mut header, &mut fds)? == 0 {
        return Ok(None);
    }
    let mut body = vec![0; announced(header, bytes_max)?];
    fill(socket, &mut body, &mut fds)?;
    Ok(Some(Frame { body, fds }))
}

fn fill(socket: BorrowedFd<'_>, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut count = 0;
    while count < buffer.len() {
        match receive_some(socket, &mut buffer[count..], fds) {
            Ok(0) if count == 0 => return Ok(0),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Sends without blocking a thread.
pub(crate) async fn send_async(stream: &UnixStream, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        let with = if sent == 0 { fds } else { &[] };
        let some = || send_some(stream.as_fd(), &bytes[sent..], with);
        sent += stream.async_io(Interest::WRITABLE, some).await?;
    }
    Ok(())
}

/// Receives without blocking a thread; the end of the stream is an error.
pub(crate) async fn receive_async(stream: &UnixStream, bytes_max: usize) -> io::Result<Frame> {
    let mut fds = Vec::new();
    let mut header = [0; 4];
    fill_async(stream, &mut header, &mut fds).await?;
    let mut body = vec![0; announced(header, bytes_max)?];
    fill_async(stream, &mut body, &mut fds).await?;
    Ok(Frame { body, fds })
}

async fn fill_async(stream: &UnixStream, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<()> {
    let mut count = 0;
    while count < buffer.len() {
        let some = || receive_some(stream.as_fd(), &mut buffer[count..], fds);
        match stream.async_io(Interest::READABLE, some).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => count += more,
        }
    }
    Ok(())
}

/// One `sendmsg`; never raises SIGPIPE.
pub(crate) fn send_some(socket: BorrowedFd<'_>, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other(format!(
            "{} descriptors do not fit in one message",
            fds.len()
        )));
    }
    Ok(sendmsg(
        socket,
        &[IoSlice::new(bytes)],
        &mut control,
        SendFlags::NOSIGNAL,
    )?)
}

/// One `recvmsg`; descriptors are closed on exec.
pub(crate) fn receive_some(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    fds: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(
        socket,
        &mut [IoSliceMut::new(buffer)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Ok(got.bytes)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream as StdStream;

    use super::*;

    #[test]
    fn a_message_and_its_descriptor_arrive() {
        let (ours, theirs) = StdStream::pair().unwrap();
        let (mut read, write) = std::io::pipe().unwrap();
        send(ours.as_fd(), &encode(&"hello").unwrap(), &[write.as_fd()]).unwrap();
        drop((ours, write));
        let frame = receive(theirs.as_fd(), 100).unwrap().unwrap();
        assert_eq!(frame.body, b"\"hello\"");
        std::fs::File::from(frame.fds.into_iter().next().unwrap())
            .write_all(b"x")
            .unwrap();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        assert!(
            receive(theirs.as_fd(), 100).unwrap().is_none(),
            "the end is no error"
        );
    }

    #[test]
    fn a_message_above_the_bound_is_refused() {
        let (ours, theirs) = StdStream::pair().unwrap();
        send(ours.as_fd(), &encode(&"a long one").unwrap(), &[]).unwrap();
        assert!(receive(theirs.as_fd(), 3).is_err());
    }
}
