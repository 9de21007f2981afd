//! The command line: one table that drives parsing and help.

mod hooks;
mod repositories;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use model::preview::TimeToLive;
use model::{EnvironmentName, NamespaceName, ProjectName};
use reqwest::Url;

use crate::exit::EXIT_CODES;

pub(crate) use hooks::{AddHookArgs, HookCommand, ReplayArgs};
pub(crate) use repositories::{
    AddForgeArgs, CreateProjectArgs, DeleteProjectArgs, ForgeCommand, ForgeKindArg, GitCommand,
    GithubCommand, ListenArgs, ProjectCommand, SetProjectArgs, SetupArgs,
};

/// Turns a directory into a live, isolated preview with its own URL.
#[derive(Debug, Parser)]
#[command(name = "cx", version, max_term_width = 100, disable_help_subcommand = true, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Global {
    /// The server's address [default: that of a local server, from CX_LISTEN or server.toml, else http://127.0.0.1:7700]
    #[arg(
        long,
        global = true,
        env = "CX_URL",
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub(crate) url: Option<String>,
    /// The server's token [default: read from the data directory of a local server]
    #[arg(
        long,
        global = true,
        env = "CX_TOKEN",
        hide_env_values = true,
        help_heading = "Global options"
    )]
    pub(crate) token: Option<String>,
    /// Print JSON on standard output, for programs
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// When to use colours; `auto` is on a terminal, unless NO_COLOR is set
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        help_heading = "Global options"
    )]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a directory live here: server, deployment and logs in one process
    #[command(after_help = "Examples:\n  cx up\n  cx up --dev\n  cx up examples/guestbook --keep")]
    Up(UpArgs),
    /// Run the platform alone
    #[command(
        after_help = "Examples:\n  cx serve\n  sudo cx serve --domain previews.example.com --listen 0.0.0.0:80"
    )]
    Serve(ServeArgs),
    /// Deploy a directory; prints the URL
    #[command(
        after_help = "Examples:\n  cx deploy\n  cx deploy dist --namespace demo --ttl 7d\n  cx deploy --env COLOR=blue --json"
    )]
    Deploy(DeployArgs),
    /// List the previews
    #[command(after_help = "Examples:\n  cx list\n  cx list --namespace demo --json")]
    List(ListArgs),
    /// Show a preview: status, deployments, phase times, plan, and whether its URL answers
    #[command(after_help = "Examples:\n  cx inspect\n  cx inspect --project shop --namespace demo")]
    Inspect(TargetArgs),
    /// Show the log of a preview's newest deployment
    #[command(after_help = "Examples:\n  cx logs --follow\n  cx logs dpl_4h5j --build")]
    Logs(LogsArgs),
    /// Open a preview, or the dashboard, in the browser
    #[command(after_help = "Examples:\n  cx open\n  cx open --dashboard")]
    Open(OpenArgs),
    /// Deploy again what is there, without an upload
    #[command(after_help = "Examples:\n  cx redeploy\n  cx redeploy dpl_4h5j --rebuild")]
    Redeploy(RedeployArgs),
    /// Point a preview back at an earlier deployment
    #[command(after_help = "Examples:\n  cx rollback\n  cx rollback dpl_4h5j --namespace demo")]
    Rollback(RollbackArgs),
    /// Delete the previews of a namespace
    #[command(
        after_help = "Examples:\n  cx delete --namespace demo\n  cx delete --namespace demo --project shop --force"
    )]
    Delete(DeleteArgs),
    /// Change how long the previews of a namespace live
    #[command(after_help = "Examples:\n  cx ttl demo 7d\n  cx ttl demo never --project shop")]
    Ttl(TtlArgs),
    /// Show how a directory would be built and run, and why
    #[command(after_help = "Examples:\n  cx plan\n  cx plan apps/web --json")]
    Plan(PlanArgs),
    /// Copy everything that the previews of a server need into one file, while it serves
    #[command(
        after_help = "Examples:\n  cx backup all.cygni\n  sudo cx backup /srv/cygni.backup --data /var/lib/cygni --without-key"
    )]
    Backup(BackupArgs),
    /// Make a data directory out of a backup
    #[command(after_help = "Examples:\n  cx restore all.cygni --data elsewhere")]
    Restore(RestoreArgs),
    /// Show what the server takes on its disk, and what is left
    #[command(after_help = "Examples:\n  cx df\n  cx df --json")]
    Df,
    /// Check what this machine can do, and say what to do about the rest
    #[command(after_help = "Examples:\n  cx doctor\n  sudo cx doctor --domain previews.example.com --json")]
    Doctor(DoctorArgs),
    /// Print the JSON Schema of cx.toml
    #[command(after_help = "Examples:\n  cx schema > cx.schema.json")]
    Schema,
    /// Run the platform as a service of systemd
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Print a script that lets a shell complete what is typed
    #[command(
        after_help = "Examples:\n  cx completions bash > ~/.local/share/bash-completion/completions/cx\n  cx completions zsh > ~/.zfunc/_cx\n  cx completions fish > ~/.config/fish/completions/cx.fish"
    )]
    Completions(CompletionsArgs),
    /// Set, unset and list variables
    #[command(subcommand)]
    Env(EnvCommand),
    /// Projects, and the repositories whose changes they follow
    #[command(subcommand)]
    Project(ProjectCommand),
    /// Forges: where changes come from
    #[command(subcommand)]
    Forge(ForgeCommand),
    /// GitHub
    #[command(subcommand)]
    Github(GithubCommand),
    /// Changes of repositories
    #[command(subcommand)]
    Git(GitCommand),
    /// Subscribers: who is told what happens, by signed requests
    #[command(subcommand)]
    Hook(HookCommand),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    #[command(flatten)]
    pub(crate) deploy: DeployArgs,
    /// Leave the preview running at the end
    #[arg(long)]
    pub(crate) keep: bool,
    /// Run the project's own development server over the directory as it is
    #[arg(long)]
    pub(crate) dev: bool,
    /// Deploy once, and follow no saves
    #[arg(long)]
    pub(crate) no_watch: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen; may be repeated [default: 127.0.0.1:7700 and [::1]:7700]
    #[arg(long, env = "CX_LISTEN", value_name = "ADDR", value_delimiter = ',')]
    pub(crate) listen: Vec<SocketAddr>,
    /// Where to keep the data [default: the XDG data home; /var/lib/cygni as root]
    #[arg(long, env = "CX_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// The domain below which previews get their hosts [default: localhost]
    #[arg(long, env = "CX_DOMAIN", value_name = "DOMAIN")]
    pub(crate) domain: Option<String>,
    /// The host of API and dashboard [default: the domain itself]
    #[arg(long, env = "CX_DASHBOARD_HOST", value_name = "HOST")]
    pub(crate) dashboard_host: Option<String>,
    /// Where API and dashboard are reached from outside, for example through a proxy with TLS [default: http:// and their
    /// host]
    #[arg(long, env = "CX_PUBLIC_URL", value_name = "URL", value_parser = platform_url)]
    pub(crate) public_url: Option<Url>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArgs {
    /// The file to write
    pub(crate) file: PathBuf,
    /// The data directory [default: the XDG data home; /var/lib/cygni as root]
    #[arg(long, env = "CX_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Leave out the key that opens its secrets, and the server's token
    #[arg(long)]
    pub(crate) without_key: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The backup
    pub(crate) file: PathBuf,
    /// The new data directory; must be empty or not there yet [default: the XDG data home; /var/lib/cygni as root]
    #[arg(long, env = "CX_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeployArgs {
    /// The directory
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Which variables and limits it is given
    #[arg(long, default_value_t, value_name = "NAME")]
    pub(crate) environment: EnvironmentName,
    /// Delete the preview this long after its newest deployment, for example 12h or 7d; or never
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<TimeToLive>,
    /// A variable for this deployment; may be repeated
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) variables: Vec<(String, String)>,
    /// Build anew, passing by all caches
    #[arg(long)]
    pub(crate) rebuild: bool,
}

/// Which preview is meant.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct TargetArgs {
    /// The project [default: `project` in cx.toml, else the directory's name]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
    /// The namespace [default: main]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<NamespaceName>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListArgs {
    /// Only this project
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
    /// Only this namespace
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<NamespaceName>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct LogsArgs {
    /// A deployment's id, or its beginning [default: the preview's newest]
    pub(crate) deployment: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Go on until the log ends
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only what building and starting it wrote
    #[arg(long, conflicts_with = "runtime")]
    pub(crate) build: bool,
    /// Only what the application wrote
    #[arg(long)]
    pub(crate) runtime: bool,
    /// Only what this one of several instances wrote, such as 2
    #[arg(long, value_name = "NUMBER", conflicts_with = "build")]
    pub(crate) instance: Option<u32>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct OpenArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Open the dashboard, logged in
    #[arg(long)]
    pub(crate) dashboard: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RedeployArgs {
    /// A deployment's id, or its beginning [default: the preview's newest]
    pub(crate) deployment: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Build anew, passing by all caches
    #[arg(long)]
    pub(crate) rebuild: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The deployment to go to [default: the one before the current]
    pub(crate) deployment: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The namespace
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: NamespaceName,
    /// Only its preview of this project
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct TtlArgs {
    /// The namespace
    #[arg(value_name = "NAMESPACE")]
    pub(crate) namespace: NamespaceName,
    /// How long after its newest deployment a preview is deleted, for example 12h or 7d; or never
    #[arg(value_name = "TIME")]
    pub(crate) ttl: TimeToLive,
    /// Only its preview of this project
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// The directory
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// Print the unit
    #[command(after_help = "Examples:\n  cx service print --domain previews.example.com")]
    Print(ServiceArgs),
    /// Write the unit, and start the service now and at every boot
    #[command(
        after_help = "Examples:\n  sudo cx service install --domain previews.example.com --listen 0.0.0.0:80\n  cx service install --user"
    )]
    Install(ServiceArgs),
    /// Stop the service and remove the unit; previews and data stay
    #[command(after_help = "Examples:\n  sudo cx service uninstall")]
    Uninstall(WhoseArgs),
    /// Show whether the service runs
    #[command(after_help = "Examples:\n  cx service status --json")]
    Status(WhoseArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ServiceArgs {
    #[command(flatten)]
    pub(crate) whose: WhoseArgs,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct WhoseArgs {
    /// A service of this user alone [default: only without root]
    #[arg(long)]
    pub(crate) user: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Set variables
    #[command(
        after_help = "Examples:\n  cx env set COLOR=blue --plain\n  pass show api-key | cx env set API_KEY --namespace demo"
    )]
    Set {
        /// What to set; a NAME alone reads its value from standard input
        #[arg(required = true, value_name = "NAME=VALUE")]
        variables: Vec<String>,
        /// Show them as plain text in lists, not as secrets
        #[arg(long)]
        plain: bool,
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// List variables
    #[command(after_help = "Examples:\n  cx env list --project shop")]
    List {
        #[command(flatten)]
        scope: ScopeArgs,
    },
    /// Remove variables
    #[command(after_help = "Examples:\n  cx env unset COLOR")]
    Unset {
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        #[command(flatten)]
        scope: ScopeArgs,
    },
}

/// Whose variables: of a project by default, of all its previews in a namespace, or of a whole namespace.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ScopeArgs {
    /// The project [default: that of the current directory, unless --namespace is given alone]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
    /// Only in this namespace
    #[arg(long, short, value_name = "NAME")]
    pub(crate) namespace: Option<NamespaceName>,
    /// Only in this environment
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<EnvironmentName>,
}

/// The address of a platform: scheme, host and port alone.
pub(crate) fn platform_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).ok();
    let sound = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
    };
    url.filter(sound).ok_or_else(|| {
        format!("`{text}` is not the address of a server; write it like https://cygni.example.org")
    })
}

/// Splits `NAME=VALUE` and checks the name.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once('=') else {
        return Err(format!("`{text}` has no `=`; write NAME=VALUE"));
    };
    model::project_file::check_variable_name(name)?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_table_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn deploy_takes_what_the_reference_says() {
        let line = "cx deploy dist --namespace demo --environment production --ttl 7d --env A=1 --env B=x=y --rebuild";
        let Command::Deploy(args) = Cli::parse_from(line.split(' ')).command else {
            panic!("not deploy")
        };
        assert_eq!(args.dir, PathBuf::from("dist"));
        assert_eq!(
            args.target.namespace.as_ref().map(NamespaceName::as_str),
            Some("demo")
        );
        assert_eq!(
            (args.environment, args.ttl),
            (EnvironmentName::Production, Some(TimeToLive::Seconds(604_800)))
        );
        assert_eq!(
            args.variables,
            [("A".into(), "1".into()), ("B".into(), "x=y".into())]
        );
    }

    #[test]
    fn wrong_values_are_refused_with_a_way_out() {
        let error = Cli::try_parse_from(["cx", "deploy", "--namespace", "Demo Site"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("such as `demo-site`"), "{error}");
        let error = Cli::try_parse_from(["cx", "deploy", "--env", "1A=x"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot be the name of a variable"), "{error}");
        assert!(Cli::try_parse_from(["cx", "logs", "--build", "--runtime"]).is_err());
        assert!(Cli::try_parse_from(["cx", "delete"]).is_err());
    }
}
