//! `cx github setup`: a GitHub App in one click. A page on this machine sends the App's manifest to GitHub; GitHub sends the
//! browser back with a code, which is exchanged for the App's credentials; the server seals them.
//!
//! Guards against pages of others: the page answers to its own address alone, and a code counts only with the state that
//! this page was given.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Query, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use control::ops::{ForgeApp, ForgeKind, NewForge};
use control::view;
use forge::github::manifest::{self, ConvertError, Manifest};
use forge::settings::{Credentials, Reach, Settings};
use http::{HeaderMap, StatusCode, header};
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::{App, forge as forge_command, open};
use crate::cli::{GithubCommand, SetupArgs};
use crate::client::Client;
use crate::exit::{Exit, Fault};

/// GitHub keeps the code for as long.
const SETUP_TIME: Duration = Duration::from_secs(3_600);
/// How long the last page may take to reach the browser.
const LAST_PAGE: Duration = Duration::from_secs(5);
/// Characters of an App's name that GitHub takes.
const APP_NAME_MAX: usize = 34;
const STATE_BYTES: usize = 24;
/// The page may style itself, and send its form to wherever that GitHub is.
const CONTENT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

pub(super) async fn run(app: &App, command: &GithubCommand) -> anyhow::Result<Exit> {
    let GithubCommand::Setup(args) = command;
    setup(app, args).await
}

/// What the page needs.
struct Setup {
    manifest: String,
    form_url: String,
    state: String,
    host: String,
    to: Settings,
    reach: Reach,
    client: Client,
    name: String,
    /// Told once, when the App is made or cannot be.
    done: mpsc::Sender<anyhow::Result<Made>>,
}

struct Made {
    added: view::AddedForge,
    install_url: String,
}

async fn setup(app: &App, args: &SetupArgs) -> anyhow::Result<Exit> {
    let client = app.client()?;
    let health = client.health().await?;
    let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, args.port))).await;
    let listener = listener.map_err(|error| {
        Fault::failed(
            "cannot_listen",
            format!("port {} of this machine cannot be used: {error}", args.port),
        )
        .hint("choose another one with --port")
    })?;
    let host = listener
        .local_addr()
        .context("the page has no address")?
        .to_string();
    let (done, mut made) = mpsc::channel(1);
    let setup = prepare(app, args, (client, &health, host), done)?;
    let page = format!("http://{}/", setup.host);
    let router = router(Arc::new(setup));
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    let served = axum::serve(listener, router).with_graceful_shutdown(async { drop(end.await) });
    let server = tokio::spawn(served.into_future());
    app.terminal
        .say(&format!("Open {} and click once.", app.terminal.err.cyan(&page)));
    if app.terminal.json {
        app.terminal.json_line(&serde_json::json!({ "open": page }))?;
    } else if app.environment.desktop {
        open::browse(app, &page);
    } else {
        let port = page.trim_end_matches('/').rsplit(':').next().unwrap_or_default();
        let line = format!(
            "From another machine, forward the port first: ssh -L {port}:127.0.0.1:{port} this-machine"
        );
        app.terminal.say(&app.terminal.err.dim(line));
    }
    let made = tokio::time::timeout(SETUP_TIME, made.recv()).await;
    // The page that says so may still be on its way.
    drop(ended);
    if tokio::time::timeout(LAST_PAGE, server).await.is_err() {
        app.terminal.warn("the browser did not take the last page");
    }
    let late =
        || Fault::failed("too_late", "nobody clicked within an hour").hint("run `cx github setup` again");
    let made = made.map_err(|_| late())?.context("the page ended")??;
    tell(app, &made)?;
    Ok(Exit::Ok)
}

fn prepare(
    app: &App,
    args: &SetupArgs,
    (client, health, host): (Client, &serde_json::Value, String),
    done: mpsc::Sender<anyhow::Result<Made>>,
) -> anyhow::Result<Setup> {
    let text = |field: &str| {
        health
            .get(field)
            .and_then(|value| value.as_str())
            .unwrap_or_default()
    };
    let mut to = match &args.at {
        Some(at) => Settings::github_enterprise(at, Credentials::Anonymous),
        None => Settings::github(Credentials::Anonymous),
    };
    if let Some(api) = &args.api {
        api.trim_end_matches('/').clone_into(&mut to.api);
    }
    let server = text("dashboard_url");
    let webhook = format!("{server}/api/v1/webhooks/{}", args.name);
    let reachable = !is_loopback(server) || is_loopback(&to.web);
    if !reachable {
        app.terminal.warn(&format!(
            "{} cannot reach this server at {server}: changes are looked for every few minutes. Start it with --public-url \
             and an address that it reaches to hear of them at once",
            to.web
        ));
    }
    let manifest = Manifest {
        name: app_name(args, text("installation"))?,
        url: if reachable {
            server.to_owned()
        } else {
            "https://github.com".to_owned()
        },
        webhook_url: reachable.then_some(webhook),
        redirect_url: format!("http://{host}/made"),
    };
    let mut random = [0; STATE_BYTES];
    getrandom::fill(&mut random)
        .map_err(|error| anyhow::anyhow!("the system gave no random bytes: {error}"))?;
    let state = data_encoding::HEXLOWER.encode(&random);
    let form_url = manifest::form_url(&to.web, args.org.as_deref(), &state)
        .map_err(|error| Fault::usage(error.to_string()).hint("write it like https://github.example.org"))?;
    Ok(Setup {
        manifest: manifest.to_json().to_string(),
        form_url,
        state,
        host,
        to,
        reach: Reach {
            proxy: app.environment.proxy.clone(),
            ..Reach::default()
        },
        client,
        name: args.name.clone(),
        done,
    })
}

fn app_name(args: &SetupArgs, installation: &str) -> Result<String, Fault> {
    let name = match &args.app_name {
        Some(name) => name.clone(),
        None => format!("Cygni {}", installation.chars().take(8).collect::<String>()),
    };
    if name.trim().is_empty() || name.chars().count() > APP_NAME_MAX {
        return Err(Fault::usage(format!("`{name}` cannot be the name of an App"))
            .hint(format!("GitHub takes 1 to {APP_NAME_MAX} characters")));
    }
    Ok(name)
}

fn router(setup: Arc<Setup>) -> Router {
    Router::new()
        .route("/", get(form))
        .route("/made", get(made))
        .layer(from_fn_with_state(Arc::clone(&setup), own_host))
        .with_state(setup)
}

/// A page of somebody else whose name was made to mean this machine must not read ours.
async fn own_host(State(setup): State<Arc<Setup>>, request: Request, next: Next) -> Response {
    let named = |headers: &HeaderMap| {
        headers
            .get(header::HOST)
            .is_some_and(|host| host.as_bytes() == setup.host.as_bytes())
    };
    if !named(request.headers()) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut response = next.run(request).await;
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        response
            .headers_mut()
            .insert(name, header::HeaderValue::from_static(value));
    }
    response
}

async fn form(State(setup): State<Arc<Setup>>) -> Html<String> {
    page(
        "Make a GitHub App",
        &html! {
            p { "This sends what the App may do to " code { (setup.to.web) } ". There you give it its name, and come back." }
            form action=(setup.form_url) method="post" {
                input type="hidden" name="manifest" value=(setup.manifest);
                button { "Make the App" }
            }
        },
    )
}

#[derive(Deserialize)]
struct Back {
    code: Option<String>,
    state: Option<String>,
}

async fn made(State(setup): State<Arc<Setup>>, Query(back): Query<Back>) -> Response {
    if back.state.as_deref() != Some(&setup.state) {
        let words = html! { p { "This did not come from the page that asked. Begin again at " a href="/" { "its beginning" } "." } };
        return (StatusCode::FORBIDDEN, page("Not ours", &words)).into_response();
    }
    let Some(code) = back.code.filter(|code| !code.is_empty()) else {
        let words = html! { p { "GitHub gave no code. " a href="/" { "Try again" } "." } };
        return (StatusCode::BAD_REQUEST, page("No App was made", &words)).into_response();
    };
    match exchange(&setup, &code).await {
        Ok(made) => {
            let words = html! {
                p { "The App is made, and this server has its credentials." }
                p { a href=(made.install_url) { "Choose the repositories that it sees" } ", then connect them: " code { "cx project create --repo owner/name" } }
            };
            let answer = page("The App is made", &words).into_response();
            // Nobody waits any more only when the command was ended.
            let _ = setup.done.send(Ok(made)).await;
            answer
        }
        Err(error) => {
            let fault = crate::exit::fault_of(&error);
            let words = html! { p { (fault.message) } p { a href="/" { "Try again" } "." } };
            (
                StatusCode::BAD_GATEWAY,
                page("The App could not be stored", &words),
            )
                .into_response()
        }
    }
}

async fn exchange(setup: &Setup, code: &str) -> anyhow::Result<Made> {
    let made = manifest::convert(&setup.to, &setup.reach, code).await;
    let made = made.map_err(|error| match error {
        ConvertError::Open(error) => Fault::failed("forge_invalid", error.to_string()),
        ConvertError::Forge(error) => Fault::failed(
            "forge_refused",
            format!("the code could not be exchanged: {error}"),
        ),
    })?;
    let Credentials::App {
        id,
        slug,
        private_key,
    } = made.settings.credentials
    else {
        anyhow::bail!("what was made is no App");
    };
    let new = NewForge {
        kind: ForgeKind::GitHub,
        url: (setup.to.web != "https://github.com").then(|| setup.to.web.clone()),
        api_url: Some(setup.to.api.clone()),
        token: None,
        app: Some(ForgeApp {
            id,
            slug,
            private_key,
        }),
        webhook_secret: made.settings.webhook_secret,
    };
    Ok(Made {
        added: setup.client.add_forge(&setup.name, &new).await?,
        install_url: made.install_url,
    })
}

fn tell(app: &App, made: &Made) -> anyhow::Result<()> {
    if app.terminal.json {
        return app.terminal.json_line(&serde_json::json!({
            "forge": made.added.forge,
            "install_url": made.install_url,
        }));
    }
    forge_command::show_added(app, &made.added, true)?;
    app.terminal.say("Now choose the repositories that the App sees:");
    app.terminal.result(&made.install_url);
    app.terminal.say(
        &app.terminal
            .err
            .dim("Then connect them: cx project create --repo owner/name"),
    );
    Ok(())
}

fn page(title: &str, words: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) " · Cygni" }
                style { "body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:4rem auto;padding:0 1rem}button{font:inherit;padding:.5rem 1rem}" }
            }
            body { h1 { (title) } (words) }
        }
    };
    Html(page.into_string())
}

/// Whether an address names this very machine, which nobody else reaches by it.
fn is_loopback(url: &str) -> bool {
    let url = reqwest::Url::parse(url).ok();
    let host = url.as_ref().and_then(reqwest::Url::host_str).unwrap_or_default();
    host == "localhost"
        || host.ends_with(".localhost")
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}
