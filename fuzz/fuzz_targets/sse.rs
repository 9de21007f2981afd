//! An event stream in two pieces: wherever it is cut, the same events come out.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "the program uses more of it")]
#[path = "../../crates/cx/src/client/event.rs"]
mod event;

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = (usize::from(input.0).min(input.1.len()), input.1);
    assert_eq!(events(&[bytes]), events(&[&bytes[..cut], &bytes[cut..]]));
});

fn events(pieces: &[&[u8]]) -> Vec<event::SseEvent> {
    let mut parser = event::Parser::default();
    let mut events = Vec::new();
    for piece in pieces {
        if parser.push(piece).is_err() {
            break;
        }
        events.extend(std::iter::from_fn(|| parser.take()));
    }
    events
}
