//! The commands about forges, repositories and the projects that follow them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use model::ProjectName;

use super::ServeArgs;

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Make a project, and say which part of which repository it is
    #[command(
        after_help = "Examples:\n  cx project create --repo acme/shop\n  cx project create web --repo acme/shop --root apps/web --forge github"
    )]
    Create(CreateProjectArgs),
    /// List the projects
    #[command(after_help = "Examples:\n  cx project list --json")]
    List,
    /// Show a project: its repository, what is set, and what is wrong
    #[command(after_help = "Examples:\n  cx project show shop")]
    Show(ProjectArgs),
    /// Change what you say of a project above its cx.toml
    #[command(
        after_help = "Examples:\n  cx project set shop branches=main,release/* previews_max=10\n  cx project set shop forks=never drafts=false\n  cx project set shop forks="
    )]
    Set(SetProjectArgs),
    /// Note changes of a project's repository, and deploy nothing because of them
    #[command(after_help = "Examples:\n  cx project pause shop")]
    Pause(ProjectArgs),
    /// End a pause, and catch up with what has changed
    #[command(after_help = "Examples:\n  cx project resume shop")]
    Resume(ProjectArgs),
    /// Take a project out of its repository; the previews of its changes go
    #[command(after_help = "Examples:\n  cx project disconnect shop")]
    Disconnect(ProjectArgs),
    /// Delete a project with its previews, variables, files and webhook
    #[command(after_help = "Examples:\n  cx project delete shop --force")]
    Delete(DeleteProjectArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CreateProjectArgs {
    /// Its name [default: that of the root directory, or of the repository]
    pub(crate) name: Option<ProjectName>,
    /// The repository whose changes it follows
    #[arg(long, value_name = "OWNER/NAME")]
    pub(crate) repo: Option<String>,
    /// The forge of the repository, by its name here [default: the only one there is]
    #[arg(long, value_name = "NAME", requires = "repo")]
    pub(crate) forge: Option<String>,
    /// The project's directory in the repository [default: all of it]
    #[arg(long, value_name = "DIR", requires = "repo")]
    pub(crate) root: Option<String>,
    /// Do not make a webhook; changes are looked for every few minutes
    #[arg(long, requires = "repo")]
    pub(crate) no_webhook: bool,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ProjectArgs {
    /// The project
    pub(crate) project: ProjectName,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SetProjectArgs {
    /// The project
    pub(crate) project: ProjectName,
    /// What to set; an empty value leaves it to the project. Keys: root, pull_requests, branches, label, drafts, bots, forks,
    /// previews_max, previews_per_author_max, approve_label
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub(crate) settings: Vec<String>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteProjectArgs {
    /// The project
    pub(crate) project: ProjectName,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) force: bool,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ForgeCommand {
    /// Add a forge, with a token or as a GitHub App; without either only what is public can be read
    #[command(
        after_help = "Examples:\n  cx forge add github --token-file token.txt\n  pass show github | cx forge add github --name work --at https://github.example.org --token-file -\n  cx forge add github --at https://github.example.org --app-id 7 --app-slug cygni --key-file app.pem"
    )]
    Add(AddForgeArgs),
    /// List the forges
    #[command(after_help = "Examples:\n  cx forge list")]
    List,
    /// Forget a forge and its credentials
    #[command(after_help = "Examples:\n  cx forge remove github")]
    Remove {
        /// Its name
        name: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ForgeKindArg {
    Github,
    /// Forgejo too
    Gitea,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AddForgeArgs {
    /// What it is
    pub(crate) kind: ForgeKindArg,
    /// The name that it gets here [default: what it is]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The address of its pages [default for GitHub: https://github.com]
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    /// The address of its API, where it is not the usual one
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// A file with the token; `-` reads it from standard input
    #[arg(long, value_name = "FILE", conflicts_with = "app_id")]
    pub(crate) token_file: Option<PathBuf>,
    /// The number of the App
    #[arg(long, value_name = "NUMBER", requires_all = ["app_slug", "key_file"])]
    pub(crate) app_id: Option<u64>,
    /// The App's name in addresses
    #[arg(long, value_name = "NAME", requires = "app_id")]
    pub(crate) app_slug: Option<String>,
    /// A file with the App's private key
    #[arg(long, value_name = "FILE", requires = "app_id")]
    pub(crate) key_file: Option<PathBuf>,
    /// A file with the secret of its webhooks [default: one is made, and shown once]
    #[arg(long, value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GithubCommand {
    /// Make a GitHub App for this server in one click
    #[command(
        after_help = "Examples:\n  cx github setup\n  cx github setup --org acme\n  cx github setup --at https://github.example.org --name work"
    )]
    Setup(SetupArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SetupArgs {
    /// The organisation that the App belongs to [default: yourself]
    #[arg(long, value_name = "ORG")]
    pub(crate) org: Option<String>,
    /// The address of a GitHub Enterprise Server [default: https://github.com]
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    /// The address of its API, where it is not the usual one
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// The name that the forge gets here
    #[arg(long, value_name = "NAME", default_value = "github")]
    pub(crate) name: String,
    /// The name of the App, which must be nobody else's [default: Cygni and a part of this installation's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) app_name: Option<String>,
    /// The port of the local page [default: any free one]
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum GitCommand {
    /// Run the platform for the changes of a forge, with its webhook at /webhook
    #[command(
        after_help = "Examples:\n  cx git listen --port 3333 --secret S\n  cx git listen --port 3333 --secret S --dry-run"
    )]
    Listen(ListenArgs),
    /// List the pull requests and branches that are followed
    #[command(after_help = "Examples:\n  cx git pulls --project shop")]
    Pulls {
        /// Only those of this project's repository
        #[arg(long, short, value_name = "NAME")]
        project: Option<ProjectName>,
    },
    /// List what forges have delivered, the newest first
    #[command(after_help = "Examples:\n  cx git deliveries --json")]
    Deliveries,
    /// Go on with a repository that is held because too much of it vanished at once
    #[command(after_help = "Examples:\n  cx git resume acme/shop")]
    Resume {
        /// The repository
        #[arg(value_name = "OWNER/NAME")]
        repository: String,
    },
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ListenArgs {
    /// The port, on this machine alone
    #[arg(long, default_value_t = 3333, value_name = "PORT")]
    pub(crate) port: u16,
    /// What the deliveries are signed with
    #[arg(
        long,
        env = "CX_WEBHOOK_SECRET",
        hide_env_values = true,
        value_name = "SECRET"
    )]
    pub(crate) secret: String,
    /// Whose deliveries come here
    #[arg(long, value_enum, default_value = "github", value_name = "KIND")]
    pub(crate) forge: ForgeKindArg,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}
