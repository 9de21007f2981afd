//! The dashboard in a real browser.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::http::try_get;
use crate::platform::{Platform, example};

#[test]
fn it_lists_what_is_live_to_whoever_is_logged_in() {
    let platform = Platform::start();
    platform.deploy(&example("static-site"), "demo");
    let browser = Browser::start(platform.data().parent().unwrap());

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
    let browser = Browser::start(platform.data().parent().unwrap());
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
    let browser = Browser::start(platform.data().parent().unwrap());
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
    let browser = Browser::start(platform.data().parent().unwrap());
    browser.open(&format!("{url}/planets/mars"));
    browser.until("document.body !== null && document.body.innerText.toLowerCase().includes('mars')");
}
