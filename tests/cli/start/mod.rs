//! `start`: what EC2 and Inductiva have afterwards.

mod machines;
mod network;
mod planning;
mod undoing;

use std::io::Read as _;

use base64::Engine as _;
use serde_json::json;

use crate::sandbox::{Account, text};

/// The newest of Canonical's amd64 images in the sandbox.
const UBUNTU: &str = "ami-0ab00000000000003";

/// The newest of AWS's GPU images in the sandbox.
const GPU_IMAGE: &str = "ami-0cd00000000000002";

/// The user data of a machine as it reads it: unpacked, where they are gzip.
pub fn user_data(account: &Account, machine: usize) -> Vec<u8> {
    let sent = sent_user_data(account, machine);
    if !sent.starts_with(&[0x1f, 0x8b]) {
        return sent;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&sent[..])
        .read_to_end(&mut unpacked)
        .expect("gzip");
    unpacked
}

/// What boto3 shows as the user data of a machine.
pub fn sent_user_data(account: &Account, machine: usize) -> Vec<u8> {
    let id = account.instances()[machine]["InstanceId"].clone();
    let attribute = account.ec2(
        "describe_instance_attribute",
        json!({"InstanceId": id, "Attribute": "userData"}),
    );
    base64::engine::general_purpose::STANDARD
        .decode(text(&attribute["UserData"]["Value"]))
        .expect("base64")
}
