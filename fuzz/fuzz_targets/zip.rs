//! See `builder::fuzz::zip`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| builder::fuzz::zip(bytes));
