//! A simulated world in which the launching itself runs, by chance and in no time. It has
//! EC2 with its client tokens, lost answers and machines that show late; Inductiva's
//! groups; and runs that die, sleep and race. It is harsher than reality, to find what is
//! wrong.

mod ec2;
mod executor;
mod inductiva;
mod judge;
mod sight;
mod state;

pub use self::{
    executor::{Shared, SimulatedRun, run},
    sight::Sight,
    state::{Job, Process, Weather},
};
