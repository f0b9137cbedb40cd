//! `--verbose`: a line for each call. It has only names, times and ids, as a request's
//! body has the API key in it.

use std::time::Instant;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept,
            context::{
                BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
                FinalizerInterceptorContextRef,
            },
            dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        retries::RequestAttempts,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::{ConfigBag, Layer, Storable, StoreReplace};

use crate::terminal::output::Output;

/// From this try of a call on, the user is told.
const TOLD_FROM: u32 = 4;

/// Writes the lines, and says so when a call takes many tries.
#[derive(Debug)]
pub struct Trace(pub Output);

#[derive(Debug)]
struct BegunAt(Instant);

impl Storable for BegunAt {
    type Storer = StoreReplace<Self>;
}

#[dyn_dispatch_hint]
impl Intercept for Trace {
    fn name(&self) -> &'static str {
        "Trace"
    }

    fn read_before_execution(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut layer = Layer::new("Trace");
        layer.store_put(BegunAt(Instant::now()));
        cfg.push_layer(layer);
        Ok(())
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempts = cfg
            .load::<RequestAttempts>()
            .map_or(1, RequestAttempts::attempts);
        // The first pauses are short, and nobody has begun to wonder.
        if attempts >= TOLD_FROM {
            let what = cfg.load::<Metadata>().map_or("", Metadata::name);
            self.0
                .say(&format!("{what} is not answered yet; trying again"));
        }
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (service, operation) = cfg
            .load::<Metadata>()
            .map_or(("", ""), |m| (m.service(), m.name()));
        let millis = cfg
            .load::<BegunAt>()
            .map_or(0, |s| s.0.elapsed().as_millis());
        let outcome = context
            .response()
            .map_or("no answer".to_owned(), |r| r.status().as_u16().to_string());
        self.0
            .trace(&format!("{service} {operation}: {outcome}, {millis} ms"));
        Ok(())
    }
}
