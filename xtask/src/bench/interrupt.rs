//! Ctrl-C, and the signal that ends services: a measurement that is interrupted fails, and cleans up like any that fails.
//!
//! Asked again before the cleaning is done, the program ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use tokio::signal::unix::{SignalKind, signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// What shells say of a program that Ctrl-C ended.
const INTERRUPTED_CODE: i32 = 130;

/// From here on signals are noted instead of ending the program.
pub(super) fn watch() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("signals cannot be watched")?;
    let mut end = signal(SignalKind::terminate()).context("signals cannot be watched")?;
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = end.recv() => {}
                }
                if INTERRUPTED.swap(true, Ordering::SeqCst) {
                    std::process::exit(INTERRUPTED_CODE);
                }
                eprintln!("interrupted: taking away what was measured; once more to leave it");
            }
        });
    });
    Ok(())
}

/// An error once somebody wants it to end.
pub(super) fn check() -> anyhow::Result<()> {
    ensure!(!INTERRUPTED.load(Ordering::SeqCst), "interrupted");
    Ok(())
}
