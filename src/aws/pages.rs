//! Answers that come in pages. A server that always has another page is not asked for
//! ever.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{
            Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint,
        },
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

use crate::{bounds, error::Failure};

/// The names under which services give the next page: in a form, in JSON, in an address.
const TOKENS: [&str; 3] = ["NextToken", "nextToken", "next_token"];

/// Counts the pages of each of a client's operations.
#[derive(Debug, Default)]
pub struct Pages(Mutex<HashMap<String, usize>>);

#[dyn_dispatch_hint]
impl Intercept for Pages {
    fn name(&self) -> &'static str {
        "Pages"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = cfg.load::<Metadata>().map_or("", Metadata::name);
        let request = context.request();
        let body = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
        let is_next = |text: &str| TOKENS.iter().any(|token| text.contains(token));
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = pages.entry(operation.to_owned()).or_default();
        *pages = if is_next(request.uri()) || is_next(&body) {
            *pages + 1
        } else {
            1
        };
        if *pages > bounds::PAGES {
            let failure = Failure::failed(format!(
                "{operation} did not end after {} pages",
                bounds::PAGES
            ));
            return Err(failure.into());
        }
        Ok(())
    }
}
