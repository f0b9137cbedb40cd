//! Says what is waited for when AWS is slow to answer.

use std::fmt;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
                FinalizerInterceptorContextRef,
            },
            dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};

use crate::{
    terminal::{output::Output, slow},
    time::Time,
};

/// Says that a try of a call has no answer yet.
#[derive(Debug)]
pub struct Slow {
    out: Output,
    time: Time,
}

impl Slow {
    pub fn new(out: Output, time: &Time) -> Self {
        Self {
            out,
            time: time.clone(),
        }
    }
}

/// The task that waits to say it. It ends with its try, however that ends.
struct Waiting(tokio::task::AbortHandle);

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Waiting")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Storable for Waiting {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Slow {
    fn name(&self) -> &'static str {
        "Slow"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let call = cfg.load::<Metadata>();
        let names = call.map(|call| (call.service().to_owned(), call.name().to_owned()));
        if let Some((service, operation)) = names {
            let waiting = slow::say(self.out, self.time.clone(), service, operation);
            let waiting = Waiting(tokio::spawn(waiting).abort_handle());
            cfg.interceptor_state().store_put(waiting);
        }
        Ok(())
    }

    fn read_after_transmit(
        &self,
        _: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().unset::<Waiting>();
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        cfg.interceptor_state().unset::<Waiting>();
        Ok(())
    }
}
