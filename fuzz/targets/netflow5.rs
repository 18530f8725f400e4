#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| neckar_decode::fuzz::netflow5(bytes));
