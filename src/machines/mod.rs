//! Machines that exist: in all regions, what they leave behind, what they cost, and the
//! wait until they work.

mod consoles;
pub mod ended_at_once;
pub mod everywhere;
pub mod last_look;
pub mod ledger;
pub mod leftovers;
pub mod price_book;
pub mod unseen;
pub mod waiting;
