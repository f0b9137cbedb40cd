//! The user data of a builder.

use crate::{
    error::Result,
    model::{request::Request, user_data::Variable},
    plan::launch_plan::packed_user_data,
};

/// What a builder is given: nothing of a group, and no key.
pub fn user_data(request: &Request, gpu: bool) -> Result<Vec<u8>> {
    packed_user_data(&request.script, &variables(request, gpu))
}

fn variables(request: &Request, gpu: bool) -> Vec<Variable> {
    let without = [
        "INDUCTIVA_API_KEY",
        "INDUCTIVA_API_URL",
        "MACHINE_GROUP_ID",
        "MACHINE_GROUP_NAME",
        "MAX_IDLE_MINUTES",
        "MAX_LIFETIME_SECONDS",
        "NUM_MACHINES",
    ];
    let mut variables = request.runner.variables(&request.group, None, gpu);
    variables.retain(|variable| !without.contains(&variable.name));
    variables.insert(
        0,
        Variable {
            name: "PREPARE_IMAGE",
            value: "true".into(),
        },
    );
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::examples;

    #[test]
    fn a_builder_is_told_nothing_of_a_run() {
        let variables = variables(&examples::request(1), false);
        let names: Vec<&str> = variables.iter().map(|v| v.name).collect();
        assert_eq!(
            names,
            [
                "PREPARE_IMAGE",
                "TASK_RUNNER_IMAGE",
                "FILE_TRACKER_IMAGE",
                "BOOT_TIMEOUT_SECONDS",
                "GPU"
            ]
        );
    }
}
