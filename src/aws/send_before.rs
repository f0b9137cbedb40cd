//! Requests that must not go out when it is too late. A computer may sleep between any
//! two steps, even between the signature and the sending.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::time::Time;

/// Keeps a signed request from going out when it is too late.
#[derive(Clone, Debug)]
pub struct SendBefore {
    before: SystemTime,
    time: Time,
    is_over: Arc<AtomicBool>,
}

impl SendBefore {
    /// `before` is by this computer's clock.
    pub fn new(before: SystemTime, time: &Time) -> Self {
        Self {
            before,
            time: time.clone(),
            is_over: Arc::default(),
        }
    }

    /// Whether a request was kept from going out.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }
}

#[dyn_dispatch_hint]
impl Intercept for SendBefore {
    fn name(&self) -> &'static str {
        "SendBefore"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.time.now() < self.before {
            return Ok(());
        }
        self.is_over.store(true, Ordering::Relaxed);
        Err("too late".into())
    }
}
