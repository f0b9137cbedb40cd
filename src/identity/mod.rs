//! Signing in to AWS: which credentials are used, and where they come from.

pub mod addresses;
mod children;
mod config;
pub mod console_login;
mod credentials_check;
pub mod files;
mod inherited;
mod ini;
mod ini_edit;
mod mfa;
pub mod older_files;
mod patience;
mod places;
pub mod private_files;
pub mod process;
#[cfg(unix)]
mod process_tree;
pub mod profiles;
mod refusals;
mod said;
pub mod settings;
pub mod sso;
mod web_identity;
mod words;

use std::time::Duration;

use aws_config::Region;

use self::{config::region, places::SignIn, profiles::Profiles, settings::AwsSettings};
pub use self::{
    config::unsigned_config,
    sso::browser::opens_a_page,
    sso::session::{login_to_session, sso, sso_session},
};
use crate::{
    aws::{Aws, Clock},
    bounds,
    error::{Failure, Result},
    terminal::{command_line, output::Output},
};

/// Finds credentials and a region. On a terminal a person may sign in meanwhile.
///
/// # Errors
/// Not signed in: no credentials, an unknown profile, or a sign-in that has ended. Usage:
/// no region is set, or the text is not a region's name.
pub async fn connect(settings: &AwsSettings, out: Output) -> Result<Aws> {
    Ok(try_connect(settings, out).await?)
}

/// The region that is typed, set or in the profile.
///
/// # Errors
/// The profiles cannot be read.
pub fn named_region(settings: &AwsSettings) -> Result<Option<String>> {
    let profile = Profiles::load(&settings.files)?.find(settings.profile_name());
    let region = settings.region.clone();
    Ok(region.or_else(|| profile?.region))
}

/// What is in the way of connecting.
pub enum Obstacle {
    /// No region is set, or the text is not a region's name.
    Region(Failure),
    /// Anything else.
    SignIn(Failure),
}

impl From<Failure> for Obstacle {
    fn from(failure: Failure) -> Self {
        Self::SignIn(failure)
    }
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Region(failure) | Obstacle::SignIn(failure) => failure,
        }
    }
}

/// [`connect`], for commands that report what is in the way.
///
/// # Errors
/// As there.
pub async fn try_connect(settings: &AwsSettings, out: Output) -> Result<Aws, Obstacle> {
    let profiles = Profiles::load(&settings.files)?;
    // Completions show no warnings.
    if !settings.only_at_hand {
        profiles.warn(out);
    }
    if let Some(profile) = &settings.profile {
        profiles.get(profile)?;
        if settings.environment.access_key_id.is_some() {
            out.say(&if settings.profile_is_typed {
                format!("signing in with profile {profile}; the keys in the environment are not used")
            } else {
                format!("signing in with the keys in the environment; profile {profile} is used only for its settings (--profile {profile} signs in with it)")
            });
        }
    }
    let config = unsigned_config(settings, &profiles).await?;
    let region = region(settings, &profiles, &config)
        .await
        .map_err(Obstacle::Region)?;
    // Lines about signing in are to have the region, too.
    command_line::remember(settings.options_for_lines().in_region(&region));
    let config = config
        .into_builder()
        .region(Region::new(region.clone()))
        .build();
    let sign_in = SignIn::new(settings, &profiles, &config, out)?;
    let (source, credentials, provider) = Box::pin(sign_in.found()).await?;
    let endpoints = addresses::of_profile(&profiles, settings.profile_name());
    command_line::remember(settings.options_for_lines_in(&region, &source, endpoints));
    let config = config
        .into_builder()
        .credentials_provider(provider)
        .identity_cache(
            aws_config::identity::IdentityCache::lazy()
                // A person may have to type a code or to touch a security key.
                .load_timeout(bounds::HELPER_TIME_WITH_A_PERSON + Duration::from_mins(1))
                .build(),
        )
        .build();
    let clock = Clock::new(settings.http.time().clone());
    Ok(Aws::new(config, region, source, credentials, clock, out))
}
