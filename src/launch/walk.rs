//! Where machines are launched, one after another: as long as there is no capacity.

use std::collections::VecDeque;

use crate::{
    model::{
        place::{Candidate, Place},
        request::Request,
    },
    values::{Market, VmType},
};

/// All places of the first type, then those of the next; and with
/// `--spot-fallback` all of it again on demand.
pub struct Walk {
    /// What is still to come.
    kinds: VecDeque<(Market, VmType)>,
    /// What is being tried.
    kind: Option<(Market, VmType)>,
    first: Place,
    /// Where it is still to be tried.
    places: VecDeque<Place>,
    /// How many candidates there were.
    index: u32,
    /// How many types and markets there were.
    kind_count: u32,
}

/// What is tried, and how far it is from the first choice.
pub struct Choice {
    pub candidate: Candidate,
    /// How many were tried before.
    pub index: u32,
    /// How many types and markets were tried before.
    pub kind: u32,
}

impl Walk {
    /// From the request's first choice on.
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

    /// What is to be tried next.
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

    /// Zones to try what is being tried in, after it was left to EC2.
    pub fn add(&mut self, zones: impl IntoIterator<Item = String>) {
        self.places.extend(zones.into_iter().map(Place::Zone));
    }

    /// No place helps what is being tried.
    pub fn skip_places(&mut self) {
        self.places.clear();
    }
}
