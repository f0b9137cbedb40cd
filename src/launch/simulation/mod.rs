//! A world in which the launching itself is run, by chance and in no time: EC2 with
//! its client tokens, its late answers and late sights, Inductiva's groups, and
//! runs that die, sleep and race. Harsher than life: it is to find what is wrong.

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
