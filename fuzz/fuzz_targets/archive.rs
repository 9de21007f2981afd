//! See `builder::fuzz::archive`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| builder::fuzz::archive(bytes));
