//! The binary: command line, configuration and wiring.
//!
//! A library, so that the reference can be generated from the command line's own definition; `main.rs` only calls it.

mod cli;
mod client;
mod commands;
mod doctor;
mod environment;
mod exit;
#[cfg(test)]
mod fixture;
pub mod reference;
mod server;
mod service;
mod terminal;
mod upload;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::commands::App;
use crate::environment::Environment;
use crate::exit::fault_of;
use crate::terminal::Terminal;

/// Runs the program to its end.
pub fn main() -> ExitCode {
    // The same program is also the process that makes sandboxes; it must not do anything else before.
    sandbox::run_if_zygote();
    let cli = Cli::parse();
    let environment = Environment::read();
    let terminal = Terminal::new(&cli.global, &environment);
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        terminal.warn("another provider of cryptography was there before ours");
    }
    let app = App {
        global: cli.global,
        environment,
        terminal,
    };
    match commands::run(&app, cli.command) {
        Ok(exit) => {
            app.terminal.clear();
            exit.into()
        }
        Err(error) => {
            let fault = fault_of(&error);
            app.terminal.fault(&fault);
            fault.exit.into()
        }
    }
}
