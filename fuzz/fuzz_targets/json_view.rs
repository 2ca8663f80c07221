//! `sockguard_fuzz::json_view` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::json_view(data));
