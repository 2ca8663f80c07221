//! `sockguard_fuzz::dockerfile` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::dockerfile(data));
