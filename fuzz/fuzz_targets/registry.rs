//! See `builder::fuzz::registry`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| builder::fuzz::registry(bytes));
