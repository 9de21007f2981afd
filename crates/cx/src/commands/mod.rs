//! One file per command. Each says what to do through the API and hands words to the terminal.

mod backup;
mod completions;
mod delete;
mod deploy;
mod df;
mod doctor;
mod env;
mod follow;
mod forge;
mod git;
mod github;
mod hook;
mod inspect;
mod list;
mod listen;
mod live;
mod logs;
mod open;
mod plan;
mod project;
mod redeploy;
mod restore;
mod rollback;
mod serve;
mod service;
mod side_by_side;
mod target;
mod ttl;
mod up;
mod work;

use crate::cli::{Command, GitCommand, Global};
use crate::client::{Client, find};
use crate::environment::Environment;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// What every command works with.
#[derive(Clone, Debug)]
pub(crate) struct App {
    pub(crate) global: Global,
    pub(crate) environment: Environment,
    pub(crate) terminal: Terminal,
}

impl App {
    /// A client of the server that the command line, the environment or this machine names.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        Client::new(find(&self.global, &self.environment)?)
    }
}

/// Runs `command` to its end.
pub(crate) fn run(app: &App, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Up(args) => up::run(app, args),
        Command::Serve(args) => serve::run(app, &args),
        Command::Git(GitCommand::Listen(args)) => listen::run(app, &args),
        Command::Doctor(args) => doctor::run(app, &args),
        Command::Plan(args) => plan::run(app, &args),
        Command::Backup(args) => backup::run(app, &args),
        Command::Restore(args) => restore::run(app, &args),
        Command::Completions(args) => completions::run(app, &args),
        Command::Service(command) => service::run(app, &command),
        Command::Schema => app
            .terminal
            .json(&model::project_file::json_schema())
            .map(|()| Exit::Ok),
        client => {
            let begins = matches!(client, Command::Deploy(_) | Command::Redeploy(_));
            let exit = runtime()?.block_on(interruptible(over_the_api(app, client)))?;
            if begins && exit == Exit::Interrupted {
                app.terminal
                    .warn("interrupted; a deployment that has begun goes on, `cx inspect` shows it");
            }
            Ok(exit)
        }
    }
}

async fn over_the_api(app: &App, command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Deploy(args) => deploy::run(app, &args).await,
        Command::List(args) => list::run(app, &args).await,
        Command::Inspect(args) => inspect::run(app, &args).await,
        Command::Logs(args) => logs::run(app, &args).await,
        Command::Open(args) => open::run(app, &args).await,
        Command::Redeploy(args) => redeploy::run(app, &args).await,
        Command::Rollback(args) => rollback::run(app, &args).await,
        Command::Delete(args) => delete::run(app, &args).await,
        Command::Ttl(args) => ttl::run(app, &args).await,
        Command::Env(args) => env::run(app, &args).await,
        Command::Df => df::run(app).await,
        Command::Project(command) => project::run(app, &command).await,
        Command::Forge(command) => forge::run(app, &command).await,
        Command::Github(command) => github::run(app, &command).await,
        Command::Git(command) => git::run(app, &command).await,
        Command::Hook(command) => hook::run(app, &command).await,
        Command::Up(_)
        | Command::Serve(_)
        | Command::Doctor(_)
        | Command::Plan(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Schema
        | Command::Service(_)
        | Command::Completions(_) => {
            unreachable!("handled before the API is needed")
        }
    }
}

/// Ends with the code for it when Ctrl-C is pressed; nothing here needs cleaning up.
async fn interruptible(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::select! {
        result = command => result,
        signal = tokio::signal::ctrl_c() => signal.map(|()| Exit::Interrupted).map_err(Into::into),
    }
}

/// The runtime; made late, because without root the process must be alone when it enters its user namespace.
pub(crate) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}
