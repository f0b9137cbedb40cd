//! The AWS console's own sign-in, as `aws login` uses it. It gives keys for a quarter of
//! an hour, which are refreshed for as long as the session lasts (12 hours at most). Its
//! tokens are bound to a key of this machine (`DPoP`, RFC 9449).

mod address;
mod cache;
mod dpop;
mod service;
mod sign_in;

pub use self::{
    cache::SessionFolder,
    service::{ConsoleLogin, NoKeys},
    sign_in::{LoginFlow, sign_in},
};
