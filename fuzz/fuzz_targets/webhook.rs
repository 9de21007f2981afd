//! Bodies of webhooks: whatever comes is read as changes that name valid things, or refused; and nothing is believed
//! that was not signed.

#![no_main]

use std::sync::{Arc, OnceLock};

use forge::{Change, Credentials, Forge, Headers, Reach, Settings};
use libfuzzer_sys::fuzz_target;

fn forge() -> &'static Arc<dyn Forge> {
    static FORGE: OnceLock<Arc<dyn Forge>> = OnceLock::new();
    FORGE.get_or_init(|| {
        let settings = Settings::github(Credentials::Anonymous);
        forge::open(&settings, &Reach::default()).expect("settings that are right")
    })
}

// The first line names the event, the rest is the body; the body is tried as its own signature.
fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else {
        return;
    };
    let (event, body) = (String::from_utf8_lossy(&input[..end]), &input[end + 1..]);
    if let Ok(changes) = forge().changes(&event, body) {
        for change in changes {
            let text = serde_json::to_string(&change).expect("a change is written down");
            let again: Change = serde_json::from_str(&text).expect("and read again");
            assert_eq!(again, change);
        }
    }
    let headers: Headers = [
        ("x-hub-signature-256", String::from_utf8_lossy(body).into_owned()),
        ("x-github-event", event.into_owned()),
        ("x-github-delivery", "1".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    assert!(forge().verify(&headers, body, "a secret that nobody guesses").is_err());
});
