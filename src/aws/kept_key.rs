//! Whether an API key is kept where machines are to fetch it. Neither service is asked
//! for the key itself.

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use serde_json::{Value, json};
use url::Url;

use super::Aws;
use crate::{
    error::{Failure, Kind, Result},
    http::Http,
    terminal::{mask, slow},
    values::{KeyPlace, KeyService},
};

const CANNOT_SIGN: &str = "the call cannot be signed";
const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

impl Aws {
    /// Asks `ssm:DescribeParameters` or `secretsmanager:DescribeSecret`.
    ///
    /// # Errors
    /// The key is not there; or nobody can tell, or may not.
    pub async fn find_kept_key(&self, place: &KeyPlace, http: &Http) -> Result<()> {
        let name = &place.name;
        // An ARN has the region and, after its kind, the name.
        let arn: Vec<&str> = name.splitn(6, ':').collect();
        let region = arn.get(3).filter(|_| name.starts_with("arn:"));
        let region = region.map_or(self.region.as_str(), |region| *region);
        let (target, body) = match place.service {
            KeyService::Ssm => {
                let filter =
                    json!({"Key": "Name", "Option": "Equals", "Values": [parameter(name)]});
                (
                    "AmazonSSM.DescribeParameters",
                    json!({"ParameterFilters": [filter]}),
                )
            }
            KeyService::SecretsManager => {
                ("secretsmanager.DescribeSecret", json!({"SecretId": name}))
            }
        };
        let what = format!("cannot look up {place}");
        let cannot = |why: String| Failure::failed(format!("{what}: {why}"));
        let missing = || {
            Failure::new(Kind::NotFound, format!("there is no {place} in {region}"))
                .hint("keep your Inductiva API key there, or name another place")
        };
        let (status, answer) = self
            .call_kept(place.service.as_str(), region, target, &body, http)
            .await
            .map_err(cannot)?;
        let code = answer["__type"].as_str().unwrap_or_default();
        let code = code.rsplit('#').next().unwrap_or_default();
        match (status, code) {
            (200, _) if answer["Parameters"].as_array().is_some_and(Vec::is_empty) => {
                Err(missing())
            }
            (200, _) if answer["Parameters"].is_array() || answer["Name"].is_string() => Ok(()),
            (200, _) => Err(cannot("AWS's answer cannot be read".into())),
            (_, "ResourceNotFoundException") => Err(missing()),
            (_, "AccessDeniedException") => Err(Failure::new(
                Kind::NotPermitted,
                format!(
                    "{what}: you may not ({})",
                    target.replace("AmazonSSM.", "ssm:").replace('.', ":")
                ),
            )
            .hint("machines read it with the role of their instance profile: it may be there")),
            _ => Err(cannot(format!(
                "AWS answers {status} {}",
                mask::foreign(code)
            ))),
        }
    }

    /// Makes a signed call to a service that speaks JSON. Its SDK would take minutes to
    /// compile, for two calls.
    async fn call_kept(
        &self,
        service: &str,
        region: &str,
        target: &str,
        body: &Value,
        http: &Http,
    ) -> Result<(u16, Value), String> {
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        let own = self.config.endpoint_url().map(str::to_owned);
        let url = own.unwrap_or_else(|| format!("https://{service}.{region}.{domain}/"));
        let url = Url::parse(&url).map_err(|error| error.to_string())?;
        let body = body.to_string();
        let headers = [("content-type", CONTENT_TYPE), ("x-amz-target", target)];
        let identity = self.credentials.clone().into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(region)
            .name(service)
            .time(self.time.now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| CANNOT_SIGN)?
            .into();
        let request = SignableRequest::new(
            "POST",
            url.as_str(),
            headers.into_iter(),
            SignableBody::Bytes(body.as_bytes()),
        );
        let (instructions, _) = request
            .and_then(|request| sign(request, &parameters))
            .map_err(|_| CANNOT_SIGN)?
            .into_parts();
        let headers: Vec<(&str, String)> = headers
            .into_iter()
            .chain(instructions.headers())
            .map(|(name, value)| (name, value.to_owned()))
            .collect();
        let called = target.split_once('.').unwrap_or((service, target));
        let call = http.call("POST", &url, &headers, Some(body));
        let answer = slow::watched(self.out, &self.time, called, call).await?;
        let body = serde_json::from_str(&answer.body).unwrap_or_default();
        Ok((answer.status, body))
    }
}

/// A parameter's name, from its ARN, without its version or label.
fn parameter(name: &str) -> &str {
    let name = match name.split_once(":parameter") {
        Some((_, name)) if !name[1..].contains('/') => name.trim_start_matches('/'),
        Some((_, name)) => name,
        None => name,
    };
    name.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_looked_for_by_its_name() {
        for (text, name) in [
            ("key", "key"),
            ("key:3", "key"),
            ("/inductiva/key:3", "/inductiva/key"),
            ("arn:aws:ssm:eu-west-2:123456789012:parameter/key", "key"),
            (
                "arn:aws:ssm:eu-west-2:123456789012:parameter/inductiva/key",
                "/inductiva/key",
            ),
        ] {
            assert_eq!(parameter(text), name, "{text}");
        }
    }
}
