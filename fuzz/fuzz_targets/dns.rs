//! See `sandbox::fuzz::dns`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox::fuzz::dns(bytes));
