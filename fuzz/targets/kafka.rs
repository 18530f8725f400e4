//! Brokers' answers. The two modules are taken by their paths: the crate around them would bring
//! librdkafka, and its C, under the sanitizer.
#![no_main]
#![allow(dead_code, reason = "only the parsers are run")]

#[path = "../../kafka/src/native"]
mod native {
    pub mod request;
    pub mod response;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| native::response::fuzz(bytes));
