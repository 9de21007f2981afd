//! What every provider promises, as one suite that each of them must pass.
//!
//! A [`Subject`] brings a provider and makes specifications of one small application: it answers `GET /` with a text in
//! which `requests=<n>` counts the requests since its start, prints a line for each, and ends at `GET /exit`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::{InstanceSpec, NotReady, Phase, Provider};

/// How long anything of the suite may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A provider under test.
pub trait Subject: Send + Sync {
    fn provider(&self) -> Arc<dyn Provider>;
    /// A new instance of the application.
    fn spec(&self) -> InstanceSpec;
    /// A new instance of an application that ends at once with exit code 3.
    fn spec_that_exits(&self) -> InstanceSpec;
}

/// A promise was broken: which, and how.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(String);

type Outcome<T = ()> = Result<T, Broken>;
type Running<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One promise: its name, and what finds out whether it is kept.
#[derive(Clone, Copy)]
pub struct Promise {
    pub name: &'static str,
    check: for<'a> fn(&'a dyn Subject) -> Running<'a>,
}

impl Promise {
    /// Finds out whether `subject` keeps it.
    pub async fn check(&self, subject: &dyn Subject) -> Result<(), Broken> {
        (self.check)(subject).await
    }
}

macro_rules! promises {
    ($($name:ident)*) => {
        /// All promises.
        pub const PROMISES: &[Promise] =
            &[$(Promise { name: stringify!($name), check: |subject| Box::pin($name(subject)) }),*];
    };
}

promises! {
    ensured_twice_is_one
    ready_gives_a_port_that_answers
    the_unknown_is_absent
    removed_twice_is_gone
    every_instance_is_listed
    sleep_keeps_the_memory
    an_exit_is_told_and_ensure_starts_again
    a_server_that_ends_at_once_is_never_ready
    the_log_goes_on_across_a_restart_and_after_the_end
    usage_is_measured
}

async fn ensured_twice_is_one(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    let before = app.count().await?;
    app.ensure().await?;
    app.expect_phase(&Phase::Running).await?;
    is(
        &app.count().await?,
        &(before + 1),
        "the requests that the same process has counted",
    )?;
    let mine = app.listed().await?;
    is(&mine, &vec![Phase::Running], "the list of its instances")?;
    app.remove().await
}

async fn ready_gives_a_port_that_answers(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    let again = app
        .provider
        .ready(&app.spec.instance, Some(app.port), PATIENCE)
        .await;
    is(
        &again.map_err(broken("ready with a known port"))?,
        &app.port,
        "the port",
    )?;
    app.expect_answer().await?;
    app.remove().await
}

async fn the_unknown_is_absent(subject: &dyn Subject) -> Outcome {
    let (provider, instance) = (subject.provider(), subject.spec().instance);
    let observed = provider.observe(&instance).await.map_err(broken("observe"))?;
    is(&observed.phase, &Phase::Absent, "its phase")?;
    is(
        &provider.sleep(&instance).await.is_err(),
        &true,
        "that sleep fails",
    )?;
    is(
        &provider.ready(&instance, None, PATIENCE).await.is_err(),
        &true,
        "that ready fails",
    )?;
    is(
        &provider.dial(&instance, 3000).await.is_err(),
        &true,
        "that dial fails",
    )?;
    let page = provider.logs(&instance, 0).await.map_err(broken("logs"))?;
    is(&page.lines.len(), &0, "the lines of its log")
}

async fn removed_twice_is_gone(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    app.remove().await?;
    app.remove().await?;
    is(&app.listed().await?, &Vec::new(), "the list of its instances")?;
    is(&app.ask("/").await.is_err(), &true, "that it answers no more")
}

async fn every_instance_is_listed(subject: &dyn Subject) -> Outcome {
    let (one, two) = (App::start(subject).await?, App::start(subject).await?);
    two.sleep().await?;
    is(
        &one.listed().await?,
        &vec![Phase::Running],
        "the phases of the first",
    )?;
    is(
        &two.listed().await?,
        &vec![Phase::Asleep],
        "the phases of the second",
    )?;
    one.remove().await?;
    two.remove().await
}

async fn sleep_keeps_the_memory(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    if !app.provider.capabilities().sleep {
        return app.remove().await;
    }
    let before = app.count().await?;
    app.sleep().await?;
    app.sleep().await?;
    app.expect_phase(&Phase::Asleep).await?;
    is(
        &timeout(Duration::from_millis(200), app.ask("/")).await.is_err(),
        &true,
        "that it sleeps",
    )?;
    app.ensure().await?;
    app.expect_phase(&Phase::Running).await?;
    let after = app.count().await?;
    // The request that met it asleep may have been answered too.
    is(
        &(before + 1..=before + 2).contains(&after),
        &true,
        &format!("that it remembers {before}, now {after}"),
    )?;
    app.sleep().await?;
    app.remove().await
}

async fn an_exit_is_told_and_ensure_starts_again(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    while app.count().await? < 10 {}
    let _ = app.ask("/exit").await;
    let summary = app.until_exited().await?;
    is(
        &summary.contains("code 3"),
        &true,
        &format!("that the summary tells the code ({summary})"),
    )?;
    app.ensure().await?;
    app.until_ready().await?;
    is(&(app.count().await? <= 3), &true, "that it is a new process")?;
    app.remove().await
}

async fn a_server_that_ends_at_once_is_never_ready(subject: &dyn Subject) -> Outcome {
    let app = App {
        provider: subject.provider(),
        spec: subject.spec_that_exits(),
        port: 0,
    };
    app.ensure().await?;
    let begun = Instant::now();
    match app.provider.ready(&app.spec.instance, None, PATIENCE).await {
        Err(NotReady::Exited {
            summary,
            out_of_memory: false,
        }) if summary.contains("code 3") => {}
        other => return Err(Broken(format!("ready gave {other:?}"))),
    }
    is(
        &(begun.elapsed() < PATIENCE / 2),
        &true,
        "that its end is noticed at once",
    )?;
    app.until_exited().await?;
    app.remove().await
}

async fn the_log_goes_on_across_a_restart_and_after_the_end(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    let _ = app.ask("/first").await;
    let mut seen = app.until_logged("/first", 0).await?;
    let _ = app.ask("/exit").await;
    app.until_exited().await?;
    app.ensure().await?;
    app.until_ready().await?;
    let _ = app.ask("/second").await;
    seen = app.until_logged("/second", seen).await?;
    app.remove().await?;
    let rest = app
        .provider
        .logs(&app.spec.instance, seen)
        .await
        .map_err(broken("logs after the end"))?;
    is(
        &rest.lines.iter().any(|line| line.text.contains("/first")),
        &false,
        "that nothing comes twice",
    )?;
    app.until_logged("/first", 0).await?;
    app.until_logged("/second", 0).await.map(drop)
}

async fn usage_is_measured(subject: &dyn Subject) -> Outcome {
    let app = App::start(subject).await?;
    if app.provider.capabilities().usage {
        app.expect_answer().await?;
        let usage = app
            .provider
            .usage(&app.spec.instance)
            .await
            .map_err(broken("usage"))?;
        is(
            &(usage.pids > 0 && usage.memory_bytes > 0),
            &true,
            &format!("that {usage:?} tells something"),
        )?;
    }
    app.remove().await
}

/// The application under test.
struct App {
    provider: Arc<dyn Provider>,
    spec: InstanceSpec,
    port: u16,
}

impl App {
    async fn start(subject: &dyn Subject) -> Outcome<Self> {
        let mut app = Self {
            provider: subject.provider(),
            spec: subject.spec(),
            port: 0,
        };
        app.ensure().await?;
        app.port = app.until_ready().await?;
        Ok(app)
    }

    async fn ensure(&self) -> Outcome {
        self.provider.ensure(&self.spec).await.map_err(broken("ensure"))
    }

    async fn until_ready(&self) -> Outcome<u16> {
        self.provider
            .ready(&self.spec.instance, None, PATIENCE)
            .await
            .map_err(broken("ready"))
    }

    async fn sleep(&self) -> Outcome {
        self.provider
            .sleep(&self.spec.instance)
            .await
            .map_err(broken("sleep"))
    }

    async fn remove(&self) -> Outcome {
        self.provider
            .remove(&self.spec.instance)
            .await
            .map_err(broken("remove"))?;
        self.expect_phase(&Phase::Absent).await
    }

    /// The phases of all listed instances with its id.
    async fn listed(&self) -> Outcome<Vec<Phase>> {
        let all = self.provider.list().await.map_err(broken("list"))?;
        let mine = all
            .into_iter()
            .filter(|observed| observed.instance == self.spec.instance);
        Ok(mine.map(|observed| observed.phase).collect())
    }

    async fn phase(&self) -> Outcome<Phase> {
        let observed = self
            .provider
            .observe(&self.spec.instance)
            .await
            .map_err(broken("observe"))?;
        Ok(observed.phase)
    }

    async fn expect_phase(&self, phase: &Phase) -> Outcome {
        is(&self.phase().await?, phase, "its phase")
    }

    async fn expect_answer(&self) -> Outcome<String> {
        let answer = timeout(PATIENCE, self.ask("/"))
            .await
            .map_err(broken("a request"))?;
        let answer = answer.map_err(broken("a request"))?;
        is(
            &answer.starts_with("HTTP/1."),
            &true,
            &format!("that {answer:?} is an answer"),
        )?;
        Ok(answer)
    }

    /// How many requests it has counted; looking for its port counts too.
    async fn count(&self) -> Outcome<u64> {
        let answer = self.expect_answer().await?;
        let count = answer
            .split("requests=")
            .nth(1)
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        count.ok_or_else(|| Broken(format!("no count in {answer:?}")))
    }

    async fn ask(&self, path: &str) -> io::Result<String> {
        let mut stream = self.provider.dial(&self.spec.instance, self.port.max(1)).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // One piece is enough: the answer is small.
        while !answer.ends_with(b"\n") || !answer.windows(9).any(|window| window == b"requests=") {
            if stream.read_buf(&mut answer).await? == 0 {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    async fn until_exited(&self) -> Outcome<String> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Phase::Exited { summary, .. } = self.phase().await? {
                return Ok(summary);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(Broken("its exit is not told".to_owned()))
    }

    /// Reads on from `from` until a line holds `text`; gives where it stopped.
    async fn until_logged(&self, text: &str, mut from: u64) -> Outcome<u64> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let page = self
                .provider
                .logs(&self.spec.instance, from)
                .await
                .map_err(broken("logs"))?;
            from = page.next;
            if page.lines.iter().any(|line| line.text.contains(text)) {
                return Ok(from);
            }
            sleep(Duration::from_millis(5)).await;
        }
        Err(Broken(format!("{text} is not in the log")))
    }
}

fn broken<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Broken {
    let what = what.to_owned();
    move |error| Broken(format!("{what} failed: {error}"))
}

fn is<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T, what: &str) -> Outcome {
    match found == expected {
        true => Ok(()),
        false => Err(Broken(format!(
            "{what}: found {found:?} where {expected:?} is right"
        ))),
    }
}
