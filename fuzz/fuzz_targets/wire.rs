//! See `sandbox::fuzz::wire`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sandbox::fuzz::wire(bytes));
