//! Prepared images: an AMI of the user's own that has the engine and the container
//! images.
//!
//! A *builder* is one machine that runs user-data.sh up to the pulls, removes what is its
//! own, and says `prepared` on its console. Its shutdown behaviour is `terminate`, so
//! every failure on it and its boot deadline end it. Only after `prepared` is it stopped,
//! made an image, and terminated. The protocol of launches (`plan::protocol`) does not
//! cover it: each build makes one machine, with a random client token that is sent again
//! until EC2 has answered.
//!
//! A build that is killed leaves a builder that ends itself, or a stopped one, which no
//! deadline can end: [`leftovers`] finds that.

pub mod build;
mod builder;
pub mod cost;
pub mod leftovers;
mod making;
pub mod remove;
mod user_data;
