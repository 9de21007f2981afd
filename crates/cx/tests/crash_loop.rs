//! Hundreds of rounds of the crash loop, by `cargo xtask crash`: `--rounds N` kills of the platform, a third as many of the
//! zygote and of inits, a tenth as many of collections and backups, at the moments that follow from `--seed N`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::disallowed_methods, reason = "it runs the binary")]
#![allow(dead_code, reason = "what it stands on is made for the tests of the suite")]

#[path = "it/crash_loop/mod.rs"]
mod crash_loop;
#[path = "it/http.rs"]
mod http;
#[path = "it/platform.rs"]
mod platform;
#[path = "it/traces.rs"]
mod traces;

fn main() {
    let (mut rounds, mut seed) = (300, 1);
    let mut arguments = std::env::args().skip(1);
    while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
        match name.as_str() {
            "--rounds" => rounds = value.parse().unwrap(),
            "--seed" => seed = value.parse().unwrap(),
            _ => panic!("`{name}` is neither --rounds nor --seed"),
        }
    }
    let kills = crash_loop::Kills {
        platform: rounds,
        zygote: rounds.div_ceil(3),
        init: rounds.div_ceil(3),
        collection: rounds.div_ceil(10),
        backup: rounds.div_ceil(10),
    };
    println!("seed {seed}: {kills:?}");
    let (done, failed) = crash_loop::survive(seed, kills);
    println!("survived {kills:?}: {done} commands were done and {failed} were not");
}
