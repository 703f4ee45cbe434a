#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fn_exchange_online::fuzzing::odata(data));
