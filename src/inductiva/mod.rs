//! The part of the Inductiva API that a launcher needs.
//!
//! Its server's source is not public: what is relied on is what the released
//! Python client and task runner rely on, and other answers are survived.

mod group;
mod settings;

use serde_json::json;
use url::Url;

pub use self::{group::Group, settings::ApiSettings};
use crate::{
    error::{Failure, Kind, Result},
    http::{Answer, Http},
    model::{request::Runner, vm_type::VmTypeFacts},
    terminal::{mask, output::Output},
    values::{GroupName, VmType},
};

/// What the API sees us as.
const USER_AGENT: &str = concat!("inductiva-aws/", env!("CARGO_PKG_VERSION"));

/// Whose key it is.
#[derive(serde::Deserialize)]
struct User {
    username: String,
}

/// Why a call had no answer that can be used.
#[derive(Clone, Debug)]
pub enum ApiError {
    /// 401 or 403.
    KeyRefused(String),
    /// No connection, no answer in time, or a 5xx.
    OutOfReach(String),
    /// 409: there is a group of this name.
    NameTaken(String),
    /// Any other answer.
    Unexpected(String),
}

impl ApiError {
    pub fn why(&self) -> &str {
        match self {
            Self::KeyRefused(why)
            | Self::OutOfReach(why)
            | Self::NameTaken(why)
            | Self::Unexpected(why) => why,
        }
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::KeyRefused(why) => Self::new(Kind::NotSignedIn, format!("Inductiva refused the API key: {why}"))
                .hint("get a new key at https://inductiva.ai/ and give it as --api-key, in INDUCTIVA_API_KEY or in ~/.inductiva/api_key"),
            ApiError::OutOfReach(why) => Self::failed(format!("Inductiva's API is out of reach: {why}"))
                .hint("try again later; --api-url and INDUCTIVA_API_URL say where it is"),
            ApiError::NameTaken(why) | ApiError::Unexpected(why) => Self::failed(format!("Inductiva's API refused the call: {why}")),
        }
    }
}

/// A client of the API, with a key.
#[derive(Clone)]
pub struct Client {
    http: Http,
    url: Url,
    key: String,
    out: Output,
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

    /// A client where there is a key to be found: what needs none goes on without.
    pub fn with_key_if_any(
        settings: &ApiSettings,
        http: &Http,
        out: Output,
    ) -> Result<Option<Self>> {
        let key = settings.key.clone();
        key.map(|key| Self::new(settings, key, http.clone(), out))
            .transpose()
    }

    /// `GET /compute/group/{name}`: the group of that name, active or not.
    pub async fn group(&self, name: &GroupName) -> Result<Option<Group>, ApiError> {
        let (status, body) = self
            .call(
                "GET",
                self.address(&["compute", "group", name.as_str()]),
                None,
            )
            .await?;
        match status {
            200 => parse(&body).map(Some),
            404 => Ok(None),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// `GET /compute/groups`: the active groups, those of other providers too.
    /// One that cannot be read is left out.
    pub async fn groups(&self) -> Result<Vec<Group>, ApiError> {
        let (status, body) = self
            .call("GET", self.address(&["compute", "groups"]), None)
            .await?;
        if status != 200 {
            return Err(unexpected(status, &body));
        }
        let groups: Vec<serde_json::Value> = parse(&body)?;
        let group = |value| serde_json::from_value(value).ok();
        Ok(groups.into_iter().filter_map(group).collect())
    }

    /// `GET /users/info`: whose key it is.
    pub async fn user(&self) -> Result<String, ApiError> {
        let (status, body) = self
            .call("GET", self.address(&["users", "info"]), None)
            .await?;
        match status {
            200 => parse::<User>(&body).map(|user| mask::foreign(&user.username)),
            _ => Err(unexpected(status, &body)),
        }
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
        let (mut status, mut body) = self
            .call("POST", self.address(&["compute", "group"]), Some(&group))
            .await?;
        if status == 422 {
            // Whether a LOCAL group may name a type is not documented.
            if let Some(fields) = group.as_object_mut() {
                fields.remove("machine_type");
            }
            (status, body) = self
                .call("POST", self.address(&["compute", "group"]), Some(&group))
                .await?;
        }
        match status {
            200 | 201 => parse::<Group>(&body).map(|group| group.id),
            409 => Err(ApiError::NameTaken(detail(status, &body))),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// `DELETE /compute/group?machine_group_id=…`. A group that is gone already
    /// is as good.
    pub async fn delete_group(&self, id: &str) -> Result<(), ApiError> {
        let mut address = self.address(&["compute", "group"]);
        address
            .query_pairs_mut()
            .append_pair("machine_group_id", id);
        let (status, body) = self.call("DELETE", address, None).await?;
        match status {
            200..=299 | 404 => Ok(()),
            _ => Err(unexpected(status, &body)),
        }
    }

    /// The API's address with more path segments, percent-encoded.
    fn address(&self, segments: &[&str]) -> Url {
        let mut url = self.url.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    async fn call(
        &self,
        method: &str,
        address: Url,
        body: Option<&serde_json::Value>,
    ) -> Result<(u16, String), ApiError> {
        let started = std::time::Instant::now();
        let mut headers = vec![
            ("x-api-key", self.key.clone()),
            ("user-agent", USER_AGENT.to_owned()),
        ];
        if body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
        }
        let body = body.map(serde_json::Value::to_string);
        let answer = self.http.call(method, &address, &headers, body).await;
        let outcome = match &answer {
            Ok(answer) => answer.status.to_string(),
            Err(why) => mask::foreign(why),
        };
        let millis = started.elapsed().as_millis();
        self.out.trace(&format!(
            "inductiva {method} {}: {outcome}, {millis} ms",
            address.path()
        ));
        let Answer { status, body } =
            answer.map_err(|why| ApiError::OutOfReach(mask::foreign(&why)))?;
        match status {
            401 | 403 => Err(ApiError::KeyRefused(detail(status, &body))),
            500..=599 => Err(ApiError::OutOfReach(detail(status, &body))),
            _ => Ok((status, body)),
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, ApiError> {
    serde_json::from_str(body).map_err(|error| {
        let why = mask::foreign(&error.to_string());
        ApiError::Unexpected(format!("an answer that cannot be read ({why})"))
    })
}

fn unexpected(status: u16, body: &str) -> ApiError {
    ApiError::Unexpected(detail(status, body))
}

/// The `detail` of an error: a text, or a list of `{loc, msg, type}`.
fn detail(status: u16, body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let said = match &value["detail"] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => {
            let item = |item: &serde_json::Value| {
                let place: Vec<String> = item["loc"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|part| part.as_str().map_or(part.to_string(), str::to_owned))
                    .collect();
                format!(
                    "{}: {}",
                    place.join("."),
                    item["msg"].as_str().unwrap_or_default()
                )
            };
            items.iter().map(item).collect::<Vec<_>>().join("; ")
        }
        _ => String::new(),
    };
    let said = mask::foreign(&said);
    if said.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}, {said}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_in_both_forms() {
        assert_eq!(
            detail(409, r#"{"detail": "name taken"}"#),
            "HTTP 409, name taken"
        );
        assert_eq!(
            detail(
                422,
                r#"{"detail": [{"loc": ["body", "name"], "msg": "too long", "type": "x"}]}"#
            ),
            "HTTP 422, body.name: too long"
        );
        assert_eq!(detail(502, "<html>"), "HTTP 502");
    }
}
