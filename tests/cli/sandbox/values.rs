//! JSON values, as tests read them.

use std::collections::HashMap;

use serde_json::Value;

/// The items of a JSON list.
#[track_caller]
pub fn list(value: &Value) -> Vec<Value> {
    value
        .as_array()
        .unwrap_or_else(|| panic!("no list: {value}"))
        .clone()
}

/// A JSON text.
#[track_caller]
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// The tags of an AWS resource by their keys.
#[track_caller]
pub fn tags(resource: &Value) -> HashMap<String, String> {
    let tags = resource.get("Tags").or_else(|| resource.get("TagSet"));
    list(tags.unwrap_or_else(|| panic!("no tags: {resource}")))
        .iter()
        .map(|tag| (text(&tag["Key"]).to_owned(), text(&tag["Value"]).to_owned()))
        .collect()
}
