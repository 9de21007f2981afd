//! The dashboard in a real browser, driven as a person would drive it (WebDriver, W3C Recommendation).

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{request, try_get};
use crate::platform::{Platform, example, free_port, terminate};

/// What a page shows stands there by then.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one window; it and its driver end with this value.
struct Browser {
    driver: Child,
    /// Where the driver answers for the session; empty until there is one.
    session: String,
    profile: PathBuf,
}

impl Browser {
    fn start(platform: &Platform) -> Self {
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdin(Stdio::null());
        let driver = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            driver,
            session: String::new(),
            profile: platform.data().with_file_name("browser"),
        };
        let base = format!("http://127.0.0.1:{port}");
        until("the driver answers", || {
            try_get(&format!("{base}/status"))
                .ok()
                .filter(|answer| answer.status == 200)
        });
        let mut flags: Vec<String> = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        .map(str::to_owned)
        .into();
        flags.push(format!("--user-data-dir={}", browser.profile.display()));
        // A page that listens to events is never loaded to its end, so nobody may wait for that.
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "pageLoadStrategy": "none",
            "goog:chromeOptions": {"args": flags},
        }}});
        let made = call("POST", &format!("{base}/session"), &wanted).unwrap();
        browser.session = format!("{base}/session/{}", made["sessionId"].as_str().unwrap());
        browser
    }

    fn open(&self, url: &str) {
        self.command("/url", &json!({"url": url})).unwrap();
    }

    /// What a script gives; `Err` while there is no page that it could run in.
    fn ask(&self, script: &str) -> Result<Value, String> {
        self.command(
            "/execute/sync",
            &json!({"script": format!("return {script}"), "args": []}),
        )
    }

    /// The text of the page as a person sees it.
    fn text(&self) -> String {
        let text = self.ask("document.body.innerText").unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script gives `true`.
    fn until(&self, script: &str) {
        let begin = Instant::now();
        while self.ask(script) != Ok(Value::Bool(true)) {
            assert!(
                begin.elapsed() < PATIENCE,
                "`{script}` never came true on this page:\n{}",
                self.text()
            );
            std::thread::park_timeout(PAUSE);
        }
    }

    /// Waits until the page shows a text.
    fn until_shown(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Presses the mouse button over what `selector` finds; again where the page put something new in its place meanwhile.
    fn click(&self, selector: &str) {
        let wanted = json!({"using": "css selector", "value": selector});
        until(&format!("`{selector}` can be clicked"), || {
            let found = self.command("/element", &wanted).ok()?;
            let id = found.as_object()?.values().next()?.as_str()?.to_owned();
            self.command(&format!("/element/{id}/click"), &json!({})).ok()
        });
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value, String> {
        call("POST", &format!("{}{path}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser with the session.
        if !self.session.is_empty() {
            let _ = request("DELETE", &self.session, &[], b"");
        }
        terminate(&self.driver);
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}

/// One command to the driver: its `value`, or the error's words.
fn call(method: &str, url: &str, body: &Value) -> Result<Value, String> {
    let kind = ("content-type", "application/json");
    let answer =
        request(method, url, &[kind], body.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let mut document: Value = serde_json::from_str(&answer.body).map_err(|error| error.to_string())?;
    let value = document["value"].take();
    match answer.status {
        200 => Ok(value),
        _ => Err(value.to_string()),
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "not in time: {what}");
        std::thread::park_timeout(PAUSE);
    }
}

#[test]
fn it_lists_what_is_live_to_whoever_is_logged_in() {
    let platform = Platform::start();
    platform.deploy(&example("static-site"), "demo");
    let browser = Browser::start(&platform);

    browser.open(&platform.url("localhost", "/"));
    browser.until("location.pathname === '/login' && document.querySelector('#token') !== null");
    assert!(
        !browser.text().contains("static-site"),
        "a stranger sees no preview"
    );

    browser.open(&platform.url("localhost", &format!("/login?token={}", platform.token())));
    browser.until("location.pathname === '/' && document.querySelector('#previews') !== null");
    browser.until_shown("demo-static-site");
    browser.until("document.querySelector('.previews .pill').innerText === 'Live'");

    // What is set here is lost when the page is loaded again.
    browser.ask("window.kept = true").unwrap();
    platform.deploy(&example("static-site"), "second");
    browser.until_shown("second-static-site");
    assert_eq!(browser.ask("window.kept === true"), Ok(Value::Bool(true)));

    // Newest first.
    browser.click(".previews li:first-child .whole");
    browser
        .until("location.pathname.startsWith('/previews/') && document.querySelector('a.danger') !== null");
    browser.click("a.danger");
    browser
        .until("location.pathname.endsWith('/delete') && document.querySelector('button.danger') !== null");
    browser.until_shown("Delete static-site · second?");
    browser.click("button.danger");
    browser.until("location.pathname === '/' && document.querySelector('#previews') !== null");
    browser.until("!document.body.innerText.includes('second-static-site')");
    assert!(browser.text().contains("demo-static-site"), "{}", browser.text());
    assert_eq!(
        try_get(&platform.url("second-static-site.localhost", "/"))
            .unwrap()
            .status,
        410
    );
}

#[test]
fn the_form_logs_in_and_says_when_the_token_is_wrong() {
    let platform = Platform::start();
    let browser = Browser::start(&platform);
    browser.open(&platform.url("localhost", "/login"));
    for (token, then) in [
        ("wrong", "document.querySelector('.wrong') !== null"),
        (platform.token().trim(), "location.pathname === '/'"),
    ] {
        browser.until("document.querySelector('.login button') !== null");
        browser
            .ask(&format!(
                "document.querySelector('#token').value = {}",
                json!(token)
            ))
            .unwrap();
        browser.click(".login button");
        browser.until(then);
    }
    browser.until_shown("Nothing is deployed yet");
}

#[test]
fn a_deployment_is_followed_and_taken_back_by_its_buttons() {
    let platform = Platform::start();
    platform.deploy(&example("static-build"), "main");
    let browser = Browser::start(&platform);
    browser.open(&platform.url("localhost", &format!("/login?token={}", platform.token())));
    browser.until("document.querySelector('.previews .whole') !== null");
    browser.click(".previews .whole");
    browser.until(
        "location.pathname.startsWith('/previews/') && document.querySelector('li.current a') !== null",
    );
    let first = browser
        .ask("document.querySelector('li.current code').innerText")
        .unwrap();

    browser.click("form[action$='/redeploy'] button");
    browser.until("location.pathname.startsWith('/deployments/')");
    browser.until("document.querySelector('#head .pill')?.innerText === 'Ready'");
    browser.until("document.querySelector(\"[data-log*='build']\").innerText.includes('Live at')");

    browser.click(".crumbs a:last-of-type");
    browser.until("document.querySelector('form[action$=\"/rollback\"] button') !== null");
    browser.click("form[action$='/rollback'] button");
    browser.until(&format!(
        "document.querySelector('li.current code')?.innerText === {first}"
    ));
}

#[test]
fn a_preview_is_shown_as_its_visitors_see_it() {
    let platform = Platform::start();
    let url = platform.deploy(&example("vite-spa"), "main");
    let browser = Browser::start(&platform);
    browser.open(&format!("{url}/planets/mars"));
    browser.until("document.body !== null && document.body.innerText.toLowerCase().includes('mars')");
}
