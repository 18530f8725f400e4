#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| neckar_decode::fuzz::ipfix(bytes));
