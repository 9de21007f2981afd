//! `cx hook`: who is told what happens.

use control::view::{self, SendingState};

use super::App;
use crate::cli::{AddHookArgs, HookCommand, ReplayArgs};
use crate::client::{Again, Client, NewHook};
use crate::exit::{Exit, Fault};
use crate::terminal::{Paint, ago, now_ms, plain, table, until};

pub(super) async fn run(app: &App, command: &HookCommand) -> anyhow::Result<Exit> {
    let client = app.client()?;
    match command {
        HookCommand::Add(args) => add(app, &client, args).await?,
        HookCommand::List => list(app, &client.subscribers().await?)?,
        HookCommand::Show(args) => show(app, &client.subscriber(&args.id).await?)?,
        HookCommand::Remove(args) => {
            let removed = client.remove_subscriber(&args.id).await?;
            say(
                app,
                &removed,
                &format!("Removed {}: {}", removed.id, plain(&removed.url)),
            )?;
        }
        HookCommand::Pause(args) => {
            let paused = client.pause_subscriber(&args.id).await?;
            say(
                app,
                &paused,
                &format!("{} is told nothing until `cx hook resume {0}`", paused.id),
            )?;
        }
        HookCommand::Resume(args) => {
            let resumed = client.resume_subscriber(&args.id).await?;
            let waiting = resumed.waiting;
            say(
                app,
                &resumed,
                &format!("{} is told what happens again; {waiting} events wait", resumed.id),
            )?;
        }
        HookCommand::Test(args) => test(app, &client.test_subscriber(&args.id).await?)?,
        HookCommand::Replay(args) => replay(app, &client, args).await?,
        HookCommand::Log(args) => log(app, &client.sendings(&args.id).await?)?,
    }
    Ok(Exit::Ok)
}

async fn add(app: &App, client: &Client, args: &AddHookArgs) -> anyhow::Result<()> {
    let new = NewHook {
        url: &args.address,
        kinds: &args.kinds,
        project: args.project.as_ref(),
    };
    let added = client.add_subscriber(&new).await?;
    if app.terminal.json {
        return app.terminal.json(&added);
    }
    let id = &added.subscriber.id;
    app.terminal.say(&format!(
        "{} is told {}",
        app.terminal.err.bold(id.as_str()),
        told(&added.subscriber)
    ));
    app.terminal.say(
        &app.terminal
            .err
            .dim("Its requests are signed with this secret, which is not shown again:"),
    );
    app.terminal.results(&[added.secret]);
    Ok(())
}

fn list(app: &App, subscribers: &[view::Subscriber]) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(&subscribers);
    }
    if subscribers.is_empty() {
        app.terminal
            .say("There are no subscribers. Add one with `cx hook add ADDRESS`.");
        return Ok(());
    }
    let row = |subscriber: &view::Subscriber| {
        vec![
            subscriber.id.to_string(),
            state(subscriber).to_owned(),
            subscriber.waiting.to_string(),
            told(subscriber),
            plain(&subscriber.url),
        ]
    };
    let rows: Vec<_> = subscribers.iter().map(row).collect();
    let heads = ["SUBSCRIBER", "STATE", "WAITING", "TOLD", "ADDRESS"];
    let paint = app.terminal.out;
    let lines = table(&heads, &rows, paint, |row, column, text| match column {
        0 => paint.bold(text),
        1 => painted(&subscribers[row], text, paint),
        _ => text.to_owned(),
    });
    app.terminal.results(&lines);
    Ok(())
}

fn show(app: &App, subscriber: &view::Subscriber) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(subscriber);
    }
    let mut lines = vec![
        format!("address  {}", plain(&subscriber.url)),
        format!("told     {}", told(subscriber)),
        format!(
            "state    {}",
            painted(subscriber, state(subscriber), app.terminal.out)
        ),
        format!("waiting  {} events", subscriber.waiting),
    ];
    if let Some(trouble) = &subscriber.trouble {
        let again = match (subscriber.paused, subscriber.next_try_at_ms) {
            (false, Some(at)) => format!("; it is tried again {}", until(at, now_ms())),
            _ => String::new(),
        };
        lines.push(format!("trouble  {}{again}", plain(trouble)));
    }
    app.terminal.results(&lines);
    Ok(())
}

fn test(app: &App, trial: &view::Trial) -> anyhow::Result<()> {
    if app.terminal.json {
        app.terminal.json(trial)?;
    }
    if let Some(trouble) = &trial.trouble {
        let what = format!("the subscriber did not take it: {}", plain(trouble));
        return Err(Fault::failed("not_taken", what)
            .hint("check its address with `cx hook show`, and the receiver's own log")
            .into());
    }
    if !app.terminal.json {
        let status = trial.status.unwrap_or_default();
        app.terminal
            .say(&format!("It answered with {status} after {} ms", trial.millis));
    }
    Ok(())
}

async fn replay(app: &App, client: &Client, args: &ReplayArgs) -> anyhow::Result<()> {
    let ago_ms = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000);
    let what = Again {
        event: args.event,
        since_ms: args.since.map(|seconds| now_ms().saturating_sub(ago_ms(seconds))),
    };
    let replayed = client.replay(&args.id, &what).await?;
    let count = replayed.events;
    say(
        app,
        &replayed,
        &format!(
            "{count} events are sent again; `cx hook log {}` shows how far",
            args.id
        ),
    )
}

fn log(app: &App, sendings: &[view::Sending]) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(&sendings);
    }
    if sendings.is_empty() {
        app.terminal.say("Nothing has happened yet that it is told of.");
        return Ok(());
    }
    let now = now_ms();
    let row = |sending: &view::Sending| {
        let came = match (&sending.trouble, sending.status) {
            (Some(trouble), _) => plain(trouble),
            (None, Some(status)) => status.to_string(),
            (None, None) => String::new(),
        };
        vec![
            sending.sequence.to_string(),
            sending.kind.clone(),
            ago(sending.at_ms, now),
            word(sending.state).to_owned(),
            sending.attempts.to_string(),
            came,
        ]
    };
    let rows: Vec<_> = sendings.iter().map(row).collect();
    let heads = ["EVENT", "KIND", "HAPPENED", "STATE", "TRIES", "ANSWER"];
    let paint = app.terminal.out;
    let lines = table(&heads, &rows, paint, |row, column, text| {
        match (column, sendings[row].state) {
            (3, SendingState::Sent) => paint.green(text),
            (3, SendingState::GivenUp) => paint.red(text),
            _ => text.to_owned(),
        }
    });
    app.terminal.results(&lines);
    Ok(())
}

fn say(app: &App, value: &impl serde::Serialize, words: &str) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json(value);
    }
    app.terminal.say(words);
    Ok(())
}

/// What it is told, such as `deployment.ready of shop`.
fn told(subscriber: &view::Subscriber) -> String {
    let kinds = match subscriber.kinds.is_empty() {
        true => "everything".to_owned(),
        false => subscriber.kinds.join(", "),
    };
    match &subscriber.project {
        Some(project) => format!("{kinds} of {project}"),
        None => kinds,
    }
}

fn state(subscriber: &view::Subscriber) -> &'static str {
    match (subscriber.paused, &subscriber.trouble) {
        (true, _) => "paused",
        (false, Some(_)) => "failing",
        (false, None) => "well",
    }
}

fn painted(subscriber: &view::Subscriber, text: &str, paint: Paint) -> String {
    match state(subscriber) {
        "well" => paint.green(text),
        "failing" => paint.red(text),
        _ => paint.dim(text),
    }
}

fn word(state: SendingState) -> &'static str {
    match state {
        SendingState::Waiting => "waiting",
        SendingState::Sent => "sent",
        SendingState::GivenUp => "given up",
    }
}
