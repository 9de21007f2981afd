//! A real browser, driven as a person would drive it (WebDriver, W3C Recommendation).

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{request, try_get};
use crate::platform::{free_port, terminate};

/// What a page shows stands there by then.
const PATIENCE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(20);

/// A browser with one window; it and its driver end with this value.
pub(crate) struct Browser {
    driver: Child,
    /// Where the driver answers for the session; empty until there is one.
    session: String,
    profile: PathBuf,
}

impl Browser {
    /// With its profile in `directory`.
    pub(crate) fn start(directory: &Path) -> Self {
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
            profile: directory.join("browser"),
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

    pub(crate) fn open(&self, url: &str) {
        self.command("/url", &json!({"url": url})).unwrap();
    }

    /// What a script gives; `Err` while there is no page that it could run in.
    pub(crate) fn ask(&self, script: &str) -> Result<Value, String> {
        self.command(
            "/execute/sync",
            &json!({"script": format!("return {script}"), "args": []}),
        )
    }

    /// The text of the page as a person sees it.
    pub(crate) fn text(&self) -> String {
        let text = self.ask("document.body.innerText").unwrap_or_default();
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a script gives `true`.
    pub(crate) fn until(&self, script: &str) {
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
    pub(crate) fn until_shown(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text)));
    }

    /// Presses the mouse button over what `selector` finds; again where the page put something new in its place meanwhile.
    pub(crate) fn click(&self, selector: &str) {
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
