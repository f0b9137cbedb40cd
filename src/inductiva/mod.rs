//! The part of the Inductiva API that a launcher needs.
//!
//! Its server's source is not public. This relies on what the released Python client and
//! task runner rely on, and survives other answers.

mod failure;
mod group;
mod settings;

use std::time::Duration;

use serde_json::json;
use url::Url;

use self::failure::detail;
pub use self::{failure::ApiError, group::Group, settings::ApiSettings};
use crate::{
    error::{Failure, Result},
    http::{Answer, Http},
    model::{request::Runner, vm_type::VmTypeFacts},
    terminal::{mask, output::Output, slow},
    time::Time,
    values::{GroupName, VmType},
};

/// What the API sees us as.
const USER_AGENT: &str = concat!("inductiva-aws/", env!("CARGO_PKG_VERSION"));
/// The pause before the second try of a call without a usable answer.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The longest `Retry-After` that is kept. A machine group is not worth a longer wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(30);
/// A call that took longer than this has no second try.
const SHORT: Duration = Duration::from_secs(10);

#[derive(serde::Deserialize)]
struct User {
    username: String,
}

/// A client of the API, with a key.
#[derive(Clone)]
pub struct Client {
    http: Http,
    url: Url,
    key: String,
    out: Output,
}

/// What a try of a call came to.
enum TryOutcome<T> {
    Done(Result<T, ApiError>),
    /// It may be tried again after this pause.
    Again(ApiError, Duration),
}

impl Client {
    /// A client for the API at `settings.url`; it connects with the first call.
    pub fn new(settings: &ApiSettings, key: String, http: Http, out: Output) -> Result<Self> {
        let url = Url::parse(&settings.url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or_else(|| {
                Failure::usage(format!("{:?} is not the address of an API", settings.url)).hint(
                    format!(
                        "--api-url and INDUCTIVA_API_URL look like {}",
                        Runner::API_URL
                    ),
                )
            })?;
        Ok(Self {
            http,
            url,
            key,
            out,
        })
    }

    /// A client for what also works without the API. None, with a warning, if the key,
    /// its file or the address cannot be used. `without` says what follows from having no
    /// key.
    pub fn where_usable(
        settings: Result<ApiSettings>,
        http: &Http,
        without: Option<&str>,
        out: Output,
    ) -> Option<Self> {
        let client = settings.and_then(|settings| {
            let key = settings.key.clone();
            key.map(|key| Self::new(&settings, key, http.clone(), out))
                .transpose()
        });
        match (client, without) {
            (Ok(Some(client)), _) => return Some(client),
            (Ok(None), None) => {}
            (Ok(None), Some(without)) => {
                out.warn(&format!("there is no Inductiva API key: {without}"));
            }
            (Err(failure), _) => {
                out.warn(&format!("Inductiva cannot be asked: {}", failure.message));
            }
        }
        None
    }

    /// The clock of the run that makes these calls.
    pub fn time(&self) -> &Time {
        self.http.time()
    }

    /// `GET /compute/group/{name}`: the group of that name, active or not.
    pub async fn group(&self, name: &GroupName) -> Result<Option<Group>, ApiError> {
        let address = self.address(&["compute", "group", name.as_str()]);
        let read = |status, body: &str| match status {
            200 => {
                let group: Group = parse(body)?;
                if group.name != name.as_str() {
                    return Err(ApiError::OutOfReach(format!(
                        "it answers with another group than {name}"
                    )));
                }
                Ok(Some(group))
            }
            404 => parse::<serde_json::Map<_, _>>(body).map(|_| None),
            _ => Err(ApiError::OutOfReach(detail(status, body))),
        };
        self.call("GET", &address, None, read).await
    }

    /// The active group of that name, if machines of ours can join it.
    ///
    /// # Errors
    /// Its machines are another provider's. If its id is not told, the API counts as out
    /// of reach: machines find the group by its name.
    pub async fn group_to_join(&self, name: &GroupName) -> Result<Option<Group>, ApiError> {
        let Some(group) = self.group(name).await?.filter(Group::is_active) else {
            return Ok(None);
        };
        if group.is_of_another_provider() {
            let provider = group.provider_id.unwrap_or_default();
            return Err(ApiError::OtherProvider(format!(
                "{name} has machines of {provider} on Inductiva's side"
            )));
        }
        if group.id.is_empty() {
            return Err(ApiError::OutOfReach(format!(
                "it does not tell the id of the group {name}"
            )));
        }
        Ok(Some(group))
    }

    /// `GET /compute/groups`: the active groups, including those of other providers.
    /// Groups that cannot be read are left out.
    pub async fn groups(&self) -> Result<Vec<Group>, ApiError> {
        let address = self.address(&["compute", "groups"]);
        let read = |status, body: &str| {
            if status != 200 {
                return Err(ApiError::OutOfReach(detail(status, body)));
            }
            let groups: Vec<serde_json::Value> = parse(body)?;
            let group = |value| serde_json::from_value(value).ok();
            Ok(groups.into_iter().filter_map(group).collect())
        };
        self.call("GET", &address, None, read).await
    }

    /// `GET /users/info`: the user that the key belongs to.
    pub async fn user(&self) -> Result<String, ApiError> {
        let read = |status, body: &str| match status {
            200 => parse::<User>(body).map(|user| mask::foreign(&user.username)),
            _ => Err(unexpected(status, body)),
        };
        let address = self.address(&["users", "info"]);
        self.call("GET", &address, None, read).await
    }

    /// `POST /compute/group`: makes a group of machines that are not
    /// Inductiva's own, and returns its id.
    pub async fn create_group(
        &self,
        name: &GroupName,
        vm_type: &VmType,
        facts: &VmTypeFacts,
        disk_gib: u32,
    ) -> Result<String, ApiError> {
        let mut group = json!({
            "provider_id": "LOCAL",
            "name": name.as_str(),
            "machine_type": vm_type.as_str(),
            "disk_size_gb": disk_gib,
            "cpu_cores_logical": facts.vcpus,
            "cpu_cores_physical": facts.cores,
        });
        if let Some(gpu) = &facts.gpu {
            group["gpu_count"] = gpu.count.into();
            group["gpu_name"] = gpu.name.clone().into();
        }
        let address = self.address(&["compute", "group"]);
        let read = |status, body: &str| Ok((status, body.to_owned()));
        let (mut status, mut body) = self.call("POST", &address, Some(&group), read).await?;
        if status == 422 {
            // It is not documented whether a LOCAL group may name a type.
            if let Some(fields) = group.as_object_mut() {
                fields.remove("machine_type");
            }
            (status, body) = self.call("POST", &address, Some(&group), read).await?;
        }
        match status {
            200 | 201 => {
                let made: Group = parse(&body)?;
                if !made.id.is_empty() && made.name == name.as_str() {
                    return Ok(made.id);
                }
                // The group was made, and its name leads to its id.
                match self.group_to_join(name).await? {
                    Some(group) => Ok(group.id),
                    None => Err(ApiError::OutOfReach(format!(
                        "it does not show the group {name}, which it said it had made"
                    ))),
                }
            }
            409 => Err(ApiError::NameTaken(detail(status, &body))),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// `DELETE /compute/group?machine_group_id=…`. It is no error if the group is gone
    /// already.
    pub async fn delete_group(&self, id: &str) -> Result<(), ApiError> {
        let mut address = self.address(&["compute", "group"]);
        address
            .query_pairs_mut()
            .append_pair("machine_group_id", id);
        let read = |status, body: &str| match status {
            200..=299 | 404 => Ok(()),
            _ => Err(unexpected(status, body)),
        };
        self.call("DELETE", &address, None, read).await
    }

    /// The API's address with more path segments, percent-encoded.
    fn address(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// What `read` makes of the answer. If the answer is of no use, the call is made once
    /// more.
    async fn call<T>(
        &self,
        method: &str,
        address: &Url,
        body: Option<&serde_json::Value>,
        read: impl Fn(u16, &str) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match self.try_once(method, address, body, &read).await {
            TryOutcome::Done(result) => result,
            TryOutcome::Again(_, pause) => {
                self.http.time().pause(pause).await;
                match self.try_once(method, address, body, &read).await {
                    TryOutcome::Done(result) => result,
                    TryOutcome::Again(error, _) => Err(error),
                }
            }
        }
    }

    async fn try_once<T>(
        &self,
        method: &str,
        address: &Url,
        body: Option<&serde_json::Value>,
        read: &impl Fn(u16, &str) -> Result<T, ApiError>,
    ) -> TryOutcome<T> {
        let time = self.http.time();
        let since = time.instant();
        let answer = self.answer(method, address, body).await;
        let took = time.instant().duration_since(since);
        // What may have been made already is looked up, and not made again.
        let again = |error: ApiError, has_no_effect: bool, pause: Duration| {
            let harmless = has_no_effect || method != "POST";
            if harmless && took < SHORT && pause <= LONGEST_RETRY_AFTER {
                TryOutcome::Again(error, pause)
            } else {
                TryOutcome::Done(Err(error))
            }
        };
        let Answer {
            status,
            body,
            retry_after,
        } = match answer {
            Ok(answer) => answer,
            Err(why) => return again(ApiError::OutOfReach(why), false, AGAIN_AFTER),
        };
        let out_of_reach = || ApiError::OutOfReach(detail(status, &body));
        match status {
            401 | 403 => TryOutcome::Done(Err(ApiError::KeyRefused(detail(status, &body)))),
            300..=399 | 408 | 429 => {
                let pause = retry_after.unwrap_or(AGAIN_AFTER);
                again(out_of_reach(), true, pause)
            }
            500..=599 => again(out_of_reach(), false, retry_after.unwrap_or(AGAIN_AFTER)),
            _ => match read(status, &body) {
                Err(error @ ApiError::OutOfReach(_)) => again(error, false, AGAIN_AFTER),
                result => TryOutcome::Done(result),
            },
        }
    }

    /// The answer, whatever its status, or why there is none.
    async fn answer(
        &self,
        method: &str,
        address: &Url,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, String> {
        let started = std::time::Instant::now();
        let mut headers = vec![
            ("x-api-key", self.key.clone()),
            ("user-agent", USER_AGENT.to_owned()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(serde_json::Value::to_string);
        let call = self.http.call(method, address, &headers, body);
        let name = format!("{method} {}", address.path());
        let called = ("Inductiva's API", name.as_str());
        let answer = slow::watched(self.out, self.time(), called, call).await;
        let outcome = match &answer {
            Ok(answer) => answer.status.to_string(),
            Err(why) => mask::foreign(why),
        };
        let millis = started.elapsed().as_millis();
        self.out
            .trace(&format!("inductiva {name}: {outcome}, {millis} ms"));
        answer
    }
}

/// An answer that cannot be read means nothing: it may come from a proxy.
fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, ApiError> {
    serde_json::from_str(body)
        .map_err(|error| ApiError::OutOfReach(format!("an answer that cannot be read ({error})")))
}

fn unexpected(status: u16, body: &str) -> ApiError {
    ApiError::Unexpected(detail(status, body))
}
