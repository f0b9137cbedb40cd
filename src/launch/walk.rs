//! Where machines are launched: one candidate after another, until there is capacity.

use std::collections::VecDeque;

use crate::{
    model::{
        place::{Candidate, Place},
        request::Request,
    },
    values::{Market, VmType},
};

/// The walk goes over all places of the first type, then over those of the next. With
/// `--spot-fallback` all of that is then tried on demand.
pub struct Walk {
    /// The markets and types that are still to be tried.
    kinds: VecDeque<(Market, VmType)>,
    /// The market and type that is being tried.
    kind: Option<(Market, VmType)>,
    first: Place,
    /// The places in which that is still to be tried.
    places: VecDeque<Place>,
    /// How many candidates there were so far.
    index: u32,
    /// How many markets and types there were so far.
    kind_count: u32,
}

/// A candidate, and how far it is from the first choice.
pub struct Choice {
    pub candidate: Candidate,
    /// How many candidates were tried before.
    pub index: u32,
    /// How many markets and types were tried before.
    pub kind: u32,
}

impl Walk {
    /// Begins with the request's first choice.
    pub fn new(request: &Request) -> Self {
        let kinds = request.markets().into_iter().flat_map(|market| {
            let types = request.vm_types();
            types.map(move |vm_type| (market, vm_type.clone()))
        });
        Self {
            kinds: kinds.collect(),
            kind: None,
            first: request.place(),
            places: VecDeque::new(),
            index: 0,
            kind_count: 0,
        }
    }

    pub fn next(&mut self) -> Option<Choice> {
        if self.places.is_empty() {
            self.kind = self.kinds.pop_front();
            self.kind_count += 1;
            self.places.push_back(self.first.clone());
        }
        let (market, vm_type) = self.kind.clone()?;
        let candidate = Candidate {
            vm_type,
            place: self.places.pop_front()?,
            market,
        };
        let index = self.index;
        self.index += 1;
        Some(Choice {
            candidate,
            index,
            kind: self.kind_count - 1,
        })
    }

    /// Adds zones in which to try the current type and market, after EC2 had the choice.
    pub fn add(&mut self, zones: impl IntoIterator<Item = String>) {
        self.places.extend(zones.into_iter().map(Place::Zone));
    }

    /// Gives up the current type and market: no other place would help.
    pub fn skip_places(&mut self) {
        self.places.clear();
    }
}
