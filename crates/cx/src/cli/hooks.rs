//! `cx hook`.

use clap::{Args, Subcommand};
use model::units::parse_seconds;
use model::{ProjectName, SubscriberId};

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Tell somebody what happens from now on; the secret is shown this once
    #[command(
        after_help = "Examples:\n  cx hook add https://ci.example.org/cygni\n  cx hook add http://127.0.0.1:8080/ --kinds deployment.ready,deployment.failed --project shop"
    )]
    Add(AddHookArgs),
    /// List the subscribers
    #[command(after_help = "Examples:\n  cx hook list --json")]
    List,
    /// Show a subscriber: what it is told, and whether it takes it
    #[command(after_help = "Examples:\n  cx hook show sub_c5d6e7f2g3h4i5j6")]
    Show(HookArgs),
    /// Tell a subscriber nothing more
    #[command(after_help = "Examples:\n  cx hook remove sub_c5d6e7f2g3h4i5j6")]
    Remove(HookArgs),
    /// Tell a subscriber nothing until it is resumed
    #[command(after_help = "Examples:\n  cx hook pause sub_c5d6e7f2g3h4i5j6")]
    Pause(HookArgs),
    /// Go on telling a subscriber, beginning at once
    #[command(after_help = "Examples:\n  cx hook resume sub_c5d6e7f2g3h4i5j6")]
    Resume(HookArgs),
    /// Send a subscriber something that has not happened, and show how it is answered
    #[command(after_help = "Examples:\n  cx hook test sub_c5d6e7f2g3h4i5j6")]
    Test(HookArgs),
    /// Send events again
    #[command(
        after_help = "Examples:\n  cx hook replay sub_c5d6e7f2g3h4i5j6 --event 4711\n  cx hook replay sub_c5d6e7f2g3h4i5j6 --since 2h"
    )]
    Replay(ReplayArgs),
    /// Show the newest events that were sent, and what came of them
    #[command(after_help = "Examples:\n  cx hook log sub_c5d6e7f2g3h4i5j6")]
    Log(HookArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HookArgs {
    /// The subscriber
    pub(crate) id: SubscriberId,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct AddHookArgs {
    /// Where the requests go
    #[arg(value_name = "ADDRESS")]
    pub(crate) address: String,
    /// Kinds of events, such as `deployment.ready` or `deployment.*` [default: all]
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub(crate) kinds: Vec<String>,
    /// Only what happens to this project
    #[arg(long, short, value_name = "NAME")]
    pub(crate) project: Option<ProjectName>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The subscriber
    pub(crate) id: SubscriberId,
    /// One event, by its number in `cx hook log`
    #[arg(
        long,
        value_name = "NUMBER",
        required_unless_present = "since",
        conflicts_with = "since"
    )]
    pub(crate) event: Option<i64>,
    /// What happened in the last minutes, hours or days, such as `30m`
    #[arg(long, value_name = "TIME", value_parser = parse_seconds)]
    pub(crate) since: Option<u64>,
}
