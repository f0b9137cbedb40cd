//! Prepared images: an AMI of the user's own with engine and container images in it.
//!
//! A *builder* is one machine that runs user-data.sh up to the pulls, removes what is
//! its own, and says `prepared` on its console. Its shutdown behaviour is `terminate`,
//! so every failure on it and its boot deadline end it. Only after `prepared` it is
//! stopped, made an image, and terminated. It is outside the protocol of launches
//! (`plan::protocol`): each build makes one machine, with a random client token that is
//! asked for again until EC2 has answered.
//!
//! A build that is killed leaves a builder that ends itself, or one that is stopped,
//! which no deadline reaches: [`leftovers`] finds it.

pub mod build;
mod builder;
pub mod cost;
pub mod leftovers;
mod making;
pub mod remove;
