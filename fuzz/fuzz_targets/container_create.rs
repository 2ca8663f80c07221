//! `sockguard_fuzz::container_create` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockguard_fuzz::container_create(data));
