//! `sockguard_fuzz::inspect` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::inspect(data));
