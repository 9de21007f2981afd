//! What runs inside: small programs that try something and say what came of it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

pub(crate) fn run(arguments: &[String]) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if crate::escape::probe(&arguments) {
        return;
    }
    match arguments.as_slice() {
        ["open", paths @ ..] => paths
            .iter()
            .for_each(|path| println!("{path} {}", answer(File::open(path)))),
        ["write", paths @ ..] => paths
            .iter()
            .for_each(|path| println!("{path} {}", answer(fs::write(path, "x")))),
        ["readlink", paths @ ..] => {
            paths
                .iter()
                .for_each(|path| println!("{path} {}", answer(fs::read_link(path))));
        }
        ["descriptors"] => descriptors(),
        ["eat", mebibytes] => eat(mebibytes.parse().unwrap()),
        ["fork"] => fork(),
        ["burn", milliseconds] => burn(milliseconds.parse().unwrap()),
        ["grow", path] => grow(path),
        ["serve", addresses @ ..] => serve(addresses),
        ["connect", addresses @ ..] => addresses.iter().for_each(|address| connect(address)),
        ["lookup", name] => lookup(name),
        ["count"] => count(),
        ["identity"] => identity(),
        other => panic!("no such probe: {other:?}"),
    }
}

/// `ok`, or the name of the error.
fn answer<T>(result: io::Result<T>) -> String {
    result.map_or_else(
        |error| format!("{:?} {}", error.kind(), error.raw_os_error().unwrap_or(0)),
        |_| "ok".into(),
    )
}

fn descriptors() {
    let mut names: Vec<String> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    println!("{}", names.join(" "));
}

fn eat(mebibytes: usize) {
    let mut eaten = Vec::new();
    for _ in 0..mebibytes {
        eaten.push(vec![1u8; 1 << 20]);
    }
    println!("ate {}", eaten.len());
}

fn fork() {
    let mut children = 0;
    loop {
        // SAFETY: the child only waits to be killed.
        match unsafe { libc::fork() } {
            -1 => break,
            0 => loop {
                // SAFETY: waits.
                unsafe { libc::pause() };
            },
            _ => children += 1,
        }
        assert!(children < 10_000, "no limit");
    }
    println!("{children}");
}

fn burn(milliseconds: u64) {
    let end = Instant::now() + Duration::from_millis(milliseconds);
    let mut number = 0u64;
    while Instant::now() < end {
        number = std::hint::black_box(number + 1);
    }
}

fn grow(path: &str) {
    // SAFETY: the signal would end the program before it could say anything.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let mut file = File::create(path).unwrap();
    let mut bytes = 0;
    let error = loop {
        match file.write(&[0; 4096]) {
            Ok(count) => bytes += count,
            Err(error) => break error,
        }
        assert!(bytes < 1 << 30, "no limit");
    };
    println!("{bytes} {}", error.raw_os_error().unwrap());
}

/// Answers every connection with the number of connections so far.
fn serve(addresses: &[&str]) {
    let listeners: Vec<TcpListener> = addresses
        .iter()
        .map(|address| TcpListener::bind(address).unwrap())
        .collect();
    println!("ready");
    let threads: Vec<_> = listeners
        .into_iter()
        .map(|listener| {
            std::thread::spawn(move || {
                for (number, stream) in (1..).zip(listener.incoming()) {
                    let mut stream = stream.unwrap();
                    let _ = writeln!(stream, "{number} {}", std::process::id());
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn connect(address: &str) {
    let address: SocketAddr = address.parse().unwrap();
    let mut text = String::new();
    let result = TcpStream::connect_timeout(&address, Duration::from_secs(5)).and_then(|mut stream| {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.read_to_string(&mut text)
    });
    println!("{address} {:?} {text:?}", result.map_err(|error| error.kind()));
}

fn lookup(name: &str) {
    match (name, 80).to_socket_addrs() {
        Ok(addresses) => {
            let mut found: Vec<String> = addresses.map(|address| address.ip().to_string()).collect();
            found.dedup();
            println!("{}", found.join(" "));
        }
        Err(error) => println!("error {error}"),
    }
}

/// Says a number every few milliseconds, for ever.
fn count() {
    for number in 0.. {
        println!("{number}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn identity() {
    // SAFETY: plain questions.
    let (uid, euid) = unsafe { (libc::getuid(), libc::geteuid()) };
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let kept = status
        .lines()
        .filter(|line| line.starts_with("Cap") || line.starts_with("NoNewPrivs"));
    println!("{uid} {euid}");
    kept.for_each(|line| println!("{}", line.replace('\t', " ")));
}
