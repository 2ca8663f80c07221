//! `sockguard_fuzz::archive_body` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::archive_body(data));
