//! What is to be done: pure functions of what was asked for and what was looked up. They
//! use no clock, network, file or randomness.

pub mod budget;
#[cfg(test)]
mod budget_histories;
pub mod budget_of_launch;
pub mod choices;
pub mod cost;
pub mod deadlines;
pub mod decision;
pub mod disk_prices;
#[cfg(test)]
pub mod examples;
pub mod facts;
pub mod group_settings;
pub mod known;
pub mod launch_plan;
pub mod launch_tag;
pub mod life;
pub mod lives;
#[cfg(test)]
mod lives_by_chance;
#[cfg(test)]
pub mod luck;
pub mod machine_price;
pub mod members;
pub mod parts;
pub mod prepared;
pub mod price_bounds;
pub mod prices;
pub mod protocol;
pub mod spent;
pub mod stand_ins;
pub mod tag_limit;
pub mod tagged_settings;
pub mod tokens;
pub mod underway;
mod warnings;
pub mod way_out;
