#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pyzpack_fuzz::normalize(bytes));
