//! The values that all parts speak of. They know no clock, network or file.

pub mod active_group;
pub mod boot_log;
pub mod image;
pub mod machine;
pub mod network;
pub mod place;
pub mod prepared_image;
pub mod request;
pub mod system;
pub mod user_data;
pub mod visibility;
pub mod vm_type;
