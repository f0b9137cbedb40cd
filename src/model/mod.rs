//! The values that all parts speak of. No clock, network or file.

pub mod boot_log;
pub mod machine;
