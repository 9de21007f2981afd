//! The sockets by which the platform speaks to inits and zygote: not to be found inside, and bounded from outside.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use sandbox::Sandbox;

use crate::Test;
use crate::stage::{PATIENCE, lines, on_stage, probe as inside, shell, until};

pub(crate) const TESTS: &[Test] = &[
    ("escape_by_the_control_socket_of_its_init", found_inside),
    ("escape_malformed_frames_do_not_disturb_an_init", malformed),
    (
        "escape_a_crowd_at_the_control_socket_does_not_lock_the_platform_out",
        crowd,
    ),
    ("escape_descriptors_forced_on_an_init_are_closed", descriptors),
    ("escape_nothing_of_the_zygote_is_held_by_an_init", zygote),
];

/// Under no name: in no directory, in no list of sockets, by no descriptor.
fn found_inside() {
    on_stage(async |stage| {
        let own = stage.path("sandboxes").join("seeker/control.sock");
        let script = format!(
            "cat /proc/net/unix | tail -n +2; ls {} /control.sock /run /tmp 2>/dev/null; find / -xdev -type s 2>/dev/null; \
             readlink /proc/*/fd/* 2>/dev/null | grep -c socket; true",
            own.display()
        );
        let outcome = stage.run(shell("seeker", &script)).await;
        assert_eq!(outcome.good().last(), Some(&"0"));
        assert!(
            !outcome
                .said()
                .iter()
                .any(|line| line.contains("control") || line.contains(".sock")),
            "{:?}",
            outcome.said()
        );
        let unix = fs::read_to_string("/proc/net/unix").unwrap();
        assert!(unix.lines().count() > 1, "outside there are some");
    });
}

async fn counting(stage: &crate::stage::Stage, name: &str) -> Sandbox {
    let sandbox = stage.host.spawn(inside(name, &["count"])).await.unwrap();
    until("it counts", async || (lines(&sandbox).len() > 2).then_some(())).await;
    sandbox
}

fn connect(sandbox: &Sandbox) -> UnixStream {
    let dir = fs::File::open(sandbox.directory()).unwrap();
    let stream = UnixStream::connect(format!("/proc/self/fd/{}/control.sock", dir.as_raw_fd())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn frame(body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len()).unwrap().to_le_bytes(), body].concat()
}

/// The init hung up: the end of the stream, or a reset when it had not read all.
fn is_closed(stream: &mut UnixStream) -> bool {
    match stream.read(&mut [0; 64]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

async fn still_answers(sandbox: &Sandbox) {
    let asked = Instant::now();
    assert!(!sandbox.status().await.unwrap().frozen);
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "it took {:?}",
        asked.elapsed()
    );
    let before = lines(sandbox).len();
    until("the program goes on", async || {
        (lines(sandbox).len() > before + 2).then_some(())
    })
    .await;
}

fn malformed() {
    on_stage(async |stage| {
        let sandbox = counting(&stage, "target").await;
        let deep = [b"[".repeat(2000), b"]".repeat(2000)].concat();
        let bad = [
            u32::MAX.to_le_bytes().to_vec(),
            frame(b"not json"),
            frame(b"{\"ask\":\"unheard_of\"}"),
            frame(b"{\"ask\":\"signal\",\"signal\":99999999999}"),
            frame(&deep),
            frame(&[0xff; 4000]),
            [frame(b"{\"ask\":\"status\"}"), vec![0xff; 4]].concat(),
            5000u32.to_le_bytes().to_vec(),
        ];
        for bytes in bad {
            let mut stream = connect(&sandbox);
            let _ = stream.write_all(&bytes);
            while !is_closed(&mut stream) {}
        }
        // More than it reads, and nobody who takes the answers.
        let mut stream = connect(&sandbox);
        stream
            .set_write_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let many = frame(b"{\"ask\":\"listeners\"}").repeat(1000);
        while stream.write_all(&many).is_ok() {}
        still_answers(&sandbox).await;
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}

fn crowd() {
    on_stage(async |stage| {
        let sandbox = counting(&stage, "target").await;
        let cpu_before = cpu_ticks(sandbox.pid());
        let crowd: Vec<UnixStream> = (0..64).map(|_| connect(&sandbox)).collect();
        for mut stream in &crowd {
            let _ = stream.write_all(&[16, 0, 0]); // a part of a header, and never the rest
        }
        still_answers(&sandbox).await;
        // A platform that comes new has to get through as well.
        let mut late = connect(&sandbox);
        late.write_all(&frame(b"{\"ask\":\"hello\"}")).unwrap();
        assert!(!is_closed(&mut late));
        let said = lines(&sandbox).len();
        until("a while has passed", async || {
            (lines(&sandbox).len() > said + 200).then_some(())
        })
        .await;
        let cpu = cpu_ticks(sandbox.pid()) - cpu_before;
        assert!(cpu < 50, "{cpu} ticks: it spins");
        drop(crowd);
        still_answers(&sandbox).await;
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}

/// CPU time of a process, in hundredths of a second.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

fn held(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}

fn descriptors() {
    on_stage(async |stage| {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        use std::os::fd::AsFd as _;
        let sandbox = counting(&stage, "target").await;
        let before = held(sandbox.pid());
        let null = fs::File::open("/dev/null").unwrap();
        for _ in 0..50 {
            let stream = connect(&sandbox);
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(100))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fds = [null.as_fd(); 100];
            assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
            let bytes = frame(b"{\"ask\":\"status\"}");
            sendmsg(
                &stream,
                &[std::io::IoSlice::new(&bytes)],
                &mut control,
                SendFlags::NOSIGNAL,
            )
            .unwrap();
            let mut answer = [0; 4];
            (&stream).read_exact(&mut answer).unwrap();
        }
        still_answers(&sandbox).await;
        until("nothing of it is held", async || {
            (held(sandbox.pid()) <= before + 1).then_some(())
        })
        .await;
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}

/// What an init holds leads to its own directory, its groups and pipes; nothing to the zygote or the platform.
fn zygote() {
    on_stage(async |stage| {
        let sandbox = counting(&stage, "target").await;
        let links: Vec<String> = fs::read_dir(format!("/proc/{}/fd", sandbox.pid()))
            .unwrap()
            .flatten()
            .map(|entry| {
                fs::read_link(entry.path())
                    .unwrap_or_default()
                    .display()
                    .to_string()
            })
            .collect();
        let own = sandbox
            .directory()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let sockets = links.iter().filter(|link| link.starts_with("socket:")).count();
        // Its listener, and the platform's one connection.
        assert!(sockets <= 2, "{links:?}");
        let known = |link: &&String| {
            ["pipe:", "anon_inode:", "socket:", "/dev/null", "/null"]
                .iter()
                .any(|kind| link.starts_with(kind))
                || link.contains(&own)
                || link.contains(&stage.prefix)
                || link.as_str() == "/"
                || link.contains("log-")
        };
        let strange: Vec<&String> = links.iter().filter(|link| !known(link)).collect();
        assert!(strange.is_empty(), "{strange:?}");
        sandbox.kill().await.unwrap();
        stage.outcome(&sandbox).await;
    });
}
