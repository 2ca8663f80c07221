//! `sockguard_fuzz::json_splice` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::json_splice(data));
