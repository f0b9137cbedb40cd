"""Changes of one place in src/, each of which has to turn a test red.

A change is named by what the program would do wrong with it. `old` is text that
is in `file` exactly once, `new` is what takes its place. `unit` and `cli` name
the tests that have to fail then, as `cargo test` prints them: those in src/, and
those in tests/cli/; `script` those of user-data.sh, whose changes are in hazards.py.
`tests/mutations/run` tries them.

One list, however long: nobody reads it from its beginning, and a change is found by
its words.

When code moves, change `file`; when its text changes, change `old` and `new`.
When you mend a test that could not fail, add what it could not see.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    what: str
    file: str
    old: str
    new: str
    unit: tuple = ()
    cli: tuple = ()
    script: tuple = ()


CHANGES = [
    Change(
        "only the first page of DescribeInstances is read",
        file="src/aws/instances.rs",
        old="while let Some(page) = pages.next().await {",
        new="if let Some(page) = pages.next().await {",
        cli=("list::hundreds_of_machines_are_paged_through",),
    ),
    Change(
        "a RunInstances call begins although another has failed",
        file="src/launch/attempt.rs",
        old="if self.has_failed.get() {",
        new="if false {",
        cli=("launches::no_call_begins_once_another_has_failed",),
    ),
    Change(
        "a RunInstances call that fails does not tell the others",
        file="src/launch/calls.rs",
        old="self.has_failed.set(true);",
        new="",
        cli=("launches::no_call_begins_once_another_has_failed",),
    ),
    Change(
        "machines that the group had before count as launched",
        file="src/launch/attempt.rs",
        old="} else if machines.iter().all(is_counted) {",
        new="} else if machines.is_empty() {",
        unit=(
            "launch::attempt::tests::only_machines_that_are_all_gone_spend_a_token_and_those_counted_before_are_not_launched",
        ),
    ),
    Change(
        "a launch is as old as the oldest of its calls",
        file="src/plan/underway.rs",
        old="shown.age = shown.age.min(age);",
        new="shown.age = shown.age.max(age);",
        unit=("plan::underway::tests::a_launch_is_as_young_as_the_last_of_its_calls",),
    ),
    Change(
        "after InternalFailure nothing is believed to have been launched",
        file="src/aws/codes.rs",
        old='    ("InternalFailure", Sort::Unknown),\n',
        new="",
        unit=(
            "aws::codes::tests::after_an_error_of_the_servers_own_a_launch_may_have_taken_place",
        ),
    ),
    Change(
        "settings are compared with those of the first machine and no other",
        file="src/plan/decision.rs",
        old="live.iter().map(|m| (m, settings.differences(m)))",
        new="live.iter().take(1).map(|m| (m, settings.differences(m)))",
        unit=("plan::decision::tests::the_settings_of_every_machine_of_the_group_are_compared",),
    ),
    Change(
        "the instance profile is not one of a group's settings",
        file="src/plan/group_settings.rs",
        old='            ("instance-profile", instance_profile.clone()),\n',
        new="",
        unit=(
            "plan::group_settings::tests::every_option_that_makes_other_machines_is_a_setting",
        ),
    ),
    Change(
        "a batch of terminate that fails stops the batches after it",
        file="src/commands/terminate/ending.rs",
        old="""\
                    if answer.send(aws.terminate(batch).await).is_err() {
                        return;
""",
        new="""\
                    let ended = aws.terminate(batch).await;
                    let failed = ended.failure.is_some();
                    if answer.send(ended).is_err() || failed {
                        return;
""",
        cli=("terminate::several::a_batch_that_fails_does_not_keep_the_others_from_ending",),
    ),
    Change(
        "security groups are removed although machines are left",
        file="src/commands/terminate/everything.rs",
        old="args.remove_security_group && left.is_empty()",
        new="args.remove_security_group",
        cli=("terminate::several::security_groups_stay_while_there_are_machines_left",),
    ),
    Change(
        "terminate takes no sign of machines that show late",
        file="src/machines/last_look.rs",
        old="sign.map_or(AT_LEAST, |_| VISIBLE_WITHIN)",
        new="sign.map_or(AT_LEAST, |_| AT_LEAST)",
        cli=(
            "ending::late::machines_that_show_late_are_ended",
            "ending::late::the_rest_of_a_launch_that_shows_in_part_is_waited_for",
        ),
    ),
    Change(
        "terminate says done without looking again",
        file="src/machines/last_look.rs",
        old="const AT_LEAST: Duration = Duration::from_secs(10);",
        new="const AT_LEAST: Duration = Duration::ZERO;",
        cli=("ending::late::a_machine_without_any_sign_of_it_is_looked_for_ten_seconds",),
    ),
    Change(
        "terminate forgets the machines of other regions",
        file="src/commands/terminate/by_name.rs",
        old="if elsewhere.is_empty() {",
        new="if true {",
        cli=(
            "ending::regions::a_group_in_another_region_is_not_said_to_be_gone",
            "ending::regions::machines_of_the_group_in_another_region_are_named_when_those_here_have_ended",
        ),
    ),
    Change(
        "a last look at the region that is denied counts as one",
        file="src/commands/terminate/look.rs",
        old="                found.require(&self.aws.region);\n",
        new="",
        cli=("ending::regions::a_last_look_that_is_denied_is_no_look",),
    ),
    Change(
        "a batch that EC2 refuses for one of its ids is given up",
        file="src/aws/terminate.rs",
        old="matches!(sort, Sort::NotPermitted | Sort::NotFound | Sort::Fatal)",
        new="matches!(sort, Sort::NotFound)",
        cli=(
            "ending::a_protected_machine_keeps_no_other_running",
            "ending::each_machine_that_cannot_be_ended_is_named_with_its_reason",
        ),
    ),
    Change(
        "an answer about another group is believed",
        file="src/inductiva/mod.rs",
        old="if group.name != name.as_str() {",
        new="if false {",
        cli=(
            "inductiva::answers::a_bad_moment_of_the_api_is_tried_again_once_and_stops_no_launch",
        ),
    ),
    Change(
        "the group of an id is deleted, whatever its name",
        file="src/commands/terminate/groups.rs",
        old="other.id == group.id && other.name == group.name",
        new="other.id == group.id",
        cli=("ending::groups::an_answer_about_another_group_deletes_nothing",),
    ),
    Change(
        "a machine that has left its group counts as registered",
        file="src/inductiva/group.rs",
        old="m.host_name.as_deref() == Some(host_name) && m.terminated_at.is_none()",
        new="m.host_name.as_deref() == Some(host_name)",
        unit=(
            "inductiva::group::tests::a_machine_that_has_left_the_group_is_not_registered",
        ),
    ),
    Change(
        "one look that fails ends --wait",
        file="src/machines/waiting.rs",
        old="Err(failure) if failure.kind.may_pass() => self.out.warn(&failure.message),\n",
        new="",
        cli=("wait::a_look_that_fails_is_said_and_the_wait_goes_on",),
    ),
    Change(
        "--wait goes on waiting for a machine that was stopped",
        file="src/machines/waiting.rs",
        old="machines.iter().filter(|m| !m.state.is_live())",
        new="machines.iter().filter(|m| m.state.is_gone())",
        unit=(
            "machines::waiting::tests::a_machine_that_is_stopped_or_going_does_not_boot_any_more",
        ),
    ),
    Change(
        "a plan from before a sleep is carried out",
        file="src/launch/attempt.rs",
        old="let good_until = self.looked_at.get() + GOOD_FOR;",
        new="let good_until = self.looked_at.get() + GOOD_FOR * 60;",
        cli=("launches::a_plan_from_before_a_sleep_is_not_carried_out",),
    ),
    Change(
        "EC2 is not asked again before a call that goes by a look of some seconds ago",
        file="src/plan/protocol.rs",
        old="FRESH_FOR: Duration = Duration::from_secs(5);",
        new="FRESH_FOR: Duration = Duration::from_mins(5);",
        cli=("capacity::a_start_that_was_slow_sees_what_was_launched_elsewhere_meanwhile",),
    ),
    Change(
        "a top-up is done before EC2 shows its machines",
        file="src/launch/mod.rs",
        old="(calls.has_walked.get() || !is_told)",
        new="calls.has_walked.get()",
        cli=(
            "ending::late::a_top_up_is_done_when_its_machines_show",
            "ending::late::a_group_that_was_started_without_inductiva_is_known_to_terminate_at_once",
        ),
    ),
    Change(
        "without Inductiva no other region is asked for the group",
        file="src/launch/regions.rs",
        old="GroupLookup::OutOfReach(_) => (Vec::new(), own.is_some()),",
        new="GroupLookup::OutOfReach(_) => return Ok(()),",
        cli=("regions::where_inductiva_cannot_be_asked_the_other_regions_are_asked_by_tag",),
    ),
    Change(
        "right after the turn of the hour nothing is waited for",
        file="src/launch/mod.rs",
        old="if looked_at >= until || run.is_sole_maker(plan).await {",
        new="if true {",
        unit=(
            "launch::histories::histories_with_all_faults_have_hardly_ever_a_machine_too_many",
        ),
    ),
    Change(
        "another start's machines are not waited for",
        file="src/launch/marker.rs",
        old="is_young && !ids.any(|id| id == group.id)",
        new="false",
        cli=("launches::more_machines_than_another_start_wants_are_topped_up",),
    ),
    Change(
        "a launch is undone although another start may count its machines",
        file="src/launch/undo.rs",
        old="self.has_slept() || machines.iter().any(|m| self.is_a_strangers(m))",
        new="false",
        unit=(
            "launch::histories::histories_with_one_place_and_inductiva_in_reach_have_never_a_machine_too_many",
        ),
    ),
    Change(
        "machines that cannot be terminated yet are warned of again at every try",
        file="src/launch/undo.rs",
        old="if said != about {",
        new="if true {",
        cli=("launches::undoing_waits_for_machines_that_do_not_show",),
    ),
    Change(
        "a machine that Inductiva has not seen for a minute is taken for gone",
        file="src/machines/leftovers.rs",
        old="const SEEN_WITHIN: Duration = Duration::from_mins(10);",
        new="const SEEN_WITHIN: Duration = Duration::from_mins(1);",
        unit=(
            "machines::leftovers::tests::a_group_with_a_machine_that_was_seen_lately_is_in_use",
        ),
    ),
    Change(
        "machines have 34 minutes to show before their group is left over",
        file="src/machines/leftovers.rs",
        old="Duration::from_secs(2 * Runner::BOOT_TIMEOUT.as_secs());",
        new="Duration::from_mins(34);",
        unit=("machines::leftovers::tests::machines_have_an_hour_to_show",),
    ),
    Change(
        "the prices of Local Zones count",
        file="src/aws/price_list.rs",
        old='.is_none_or(|place| place == "AWS Region")',
        new=".is_none_or(|_| true)",
        unit=("aws::price_list::tests::the_prices_of_local_zones_do_not_count",),
    ),
    Change(
        "a price of 0 is a price",
        file="src/aws/price_list.rs",
        old="(usd.is_finite() && usd > 0.0).then_some(usd)",
        new="usd.is_finite().then_some(usd)",
        unit=("aws::price_list::tests::a_price_of_zero_is_no_price",),
    ),
    Change(
        "a group that costs as much as --max-cost-per-hour is refused",
        file="src/plan/cost.rs",
        old="Some((usd, _)) if usd <= limit => Ok(()),",
        new="Some((usd, _)) if usd < limit => Ok(()),",
        unit=("plan::cost::tests::what_costs_as_much_as_the_limit_is_within_it",),
    ),
    Change(
        "the other calls are made although the first got fewer machines",
        file="src/launch/calls.rs",
        old="if all { others } else { &[] }",
        new="others",
        cli=("capacity::where_the_first_call_gets_fewer_the_other_calls_are_not_made",),
    ),
    Change(
        "calls to Inductiva have no time limit",
        file="src/http.rs",
        old="const CALL_TIMEOUT: Duration = Duration::from_secs(15);",
        new="const CALL_TIMEOUT: Duration = Duration::from_hours(15);",
        cli=("inductiva::answers::an_api_that_never_answers_is_given_up",),
    ),
    Change(
        "what a group has been promised is not added up before a later launch",
        file="src/plan/budget_of_launch.rs",
        old="if promised + new > total {",
        new="if false {",
        unit=("plan::budget_histories::no_group_costs_more_than_its_budget",),
    ),
    Change(
        "a machine that runs is paid for until Inductiva says that it left",
        file="src/plan/lives.rs",
        old="State::Pending | State::Running => End::at(at.now),",
        new="State::Pending | State::Running => End::at(member.left_at().unwrap_or(at.now)),",
        unit=(
            "plan::lives::tests::a_machine_that_runs_is_paid_for_whatever_inductiva_says",
        ),
    ),
    Change(
        "what nobody knows of a cost counts as nothing",
        file="src/plan/spent.rs",
        old="why_unknown: why_unknown.cloned(),",
        new="why_unknown: None,",
        unit=(
            "plan::spent::tests::what_is_not_known_makes_the_sum_unknown_and_is_not_left_out",
        ),
        cli=("spent::unknown::what_neither_knows_is_said_and_makes_the_sum_unknown",),
    ),
    Change(
        "without Inductiva a cost is taken to be whole",
        file="src/machines/ledger.rs",
        old="if let (Err(why), None) = (&group.record, &group.ids) {",
        new="if let (Err(why), Some(_)) = (&group.record, &group.ids) {",
        cli=("spent::unknown::without_inductiva_the_sum_is_what_is_known",),
    ),
    Change(
        "an interruption of terminate's last line fails the command",
        file="src/commands/terminate/spent.rs",
        old="() = interrupt.until(1) => return,",
        new="() = interrupt.until(9) => return,",
        cli=("spent_elsewhere::an_interruption_of_the_last_line_is_no_failure",),
    ),
    Change(
        "terminate counts only the machines that it ends itself",
        file="src/commands/terminate/spent.rs",
        old="let of_group = machines.iter().filter(|m| m.group() == Some(name));",
        new="let of_group = machines.iter().filter(has_ended);",
        cli=("spent_elsewhere::the_end_of_terminate_tells_what_the_group_came_to",),
    ),
    Change(
        "prices may delay a launch by seconds",
        file="src/launch/look_up.rs",
        old="const PRICES_MAY_BE_LATER: Duration = Duration::from_millis(300);",
        new="const PRICES_MAY_BE_LATER: Duration = Duration::from_millis(3_000);",
        unit=(
            "launch::look_up::tests::prices_that_are_late_delay_a_launch_by_so_much_and_no_more",
        ),
    ),
    Change(
        "surplus CPU credits are no part of what a machine can cost",
        file="src/plan/machine_price.rs",
        old="dearest.most = dearest.most.max(most + surplus);",
        new="dearest.most = dearest.most.max(most);",
        unit=("plan::parts::tests::surplus_credits_count_in_what_it_can_be_at_most",),
    ),
    Change(
        "a price under a limit may be as old as any",
        file="src/aws/request_prices.rs",
        old="let worth = if request.needs_prices() {",
        new="let worth = if false {",
        cli=("cost::price_list::a_price_that_is_known_is_not_asked_for",),
    ),
    Change(
        "list has no price for a machine that does not run",
        file="src/machines/price_book.rs",
        old="machine: if is_live { price() } else { Ok(0.0) },",
        new="machine: if is_live { price() } else { unknown() },",
        unit=(
            "machines::price_book::tests::a_machine_that_does_not_run_costs_nothing_beyond_its_disks",
        ),
    ),
    Change(
        "list has the price of a running machine for one that does not run",
        file="src/machines/price_book.rs",
        old="machine: if is_live { price() } else { Ok(0.0) },",
        new="machine: price(),",
        unit=(
            "machines::price_book::tests::a_machine_that_does_not_run_costs_nothing_beyond_its_disks",
        ),
    ),
    Change(
        "zones without enough free addresses are tried",
        file="src/launch/capacity.rs",
        old="subnet.free_addresses >= least && offers(&subnet.zone)",
        new="offers(&subnet.zone)",
        cli=("capacity::a_zone_with_too_few_free_addresses_is_not_tried",),
    ),
    Change(
        "machines that Inductiva cannot be asked about count as registered",
        file="src/machines/waiting.rs",
        old="*registered.as_ref().unwrap_or(&0)",
        new="*registered.as_ref().unwrap_or(&self.running)",
        unit=("machines::waiting::tests::machines_count_by_what_is_waited_for",),
    ),
    Change(
        "throttling is taken for a refusal",
        file="src/aws/codes.rs",
        old="None if THROTTLING_ERRORS.contains(&code) => Some(Sort::NotNow),",
        new="",
        unit=("aws::codes::tests::throttling_means_that_nothing_was_done",),
    ),
    Change(
        "a certificate that the HTTP stack panics at is handed to it",
        file="src/http.rs",
        old="RootCertStore::empty().add(der.into()).is_ok()",
        new="!der.is_empty()",
        unit=("http::tests::what_is_no_certificate_is_left_out_of_a_bundle",),
    ),
    Change(
        "a sign-in that failed is shown as a region that is wrong",
        file="src/commands/check/mod.rs",
        old='Err(Obstacle::SignIn(failure)) => (vec![Check::failed("identity", failure)], None)',
        new='Err(Obstacle::SignIn(failure)) => (vec![Check::failed("region", failure)], None)',
        cli=("check::permissions::nobody_is_signed_in",),
    ),
    Change(
        "an answer that is cut counts",
        file="src/http.rs",
        old="if xml::is_cut(&body) {",
        new="if body.is_empty() && xml::is_cut(&body) {",
        cli=("damaged::what_is_missing_in_a_list_is_not_taken_for_ended",),
    ),
    Change(
        "a launch that is answered without its machines counts",
        file="src/aws/run_instances.rs",
        old="(!right || !whole).then(",
        new="(!right && !whole).then(",
        cli=("damaged::a_launch_whose_answer_lacks_machines_is_asked_for_again_with_its_token",),
    ),
    Change(
        "ids that TerminateInstances does not answer for are not asked for again",
        file="src/aws/terminate.rs",
        old="const TRIES: u32 = 3;",
        new="const TRIES: u32 = 1;",
        cli=("damaged::a_machine_that_an_end_passes_over_is_asked_for_again_at_once",),
    ),
    Change(
        "whatever private key is in the file is that of the key pair",
        file="src/launch/key_pair.rs",
        old="if private_key::has_fingerprint(&text, &pair.fingerprint) {",
        new="if private_key::has_fingerprint(&text, &pair.fingerprint) || !text.is_empty() {",
        cli=("key_pairs::a_file_that_is_in_the_way_is_seen_before_anything_is_made",),
    ),
    Change(
        "a key pair that may have been made is not deleted",
        file="src/launch/key_pair.rs",
        old="""\
                    maybe_made = true;
                    aws.delete_key_pair(&self.name).await?;
""",
        new="""\
                    maybe_made = true;
""",
        cli=(
            "key_pairs::a_key_pair_whose_private_key_never_arrived_is_deleted_before_it_is_made_again",
        ),
    ),
    Change(
        "two starts make a key pair at once",
        file="src/launch/key_pair.rs",
        old="match file.lock() {",
        new="match file.try_lock().map_err(io::Error::from).or(Ok::<(), io::Error>(())) {",
        cli=("key_pairs::two_starts_at_once_use_one_key_pair",),
    ),
    Change(
        "every date of an answer is believed",
        file="src/http/date.rs",
        old="is_refused || date.abs_diff(signed_at) <= MOST_SECONDS_FROM_SIGNING",
        new="is_refused || date.abs_diff(signed_at) <= u64::MAX / MOST_SECONDS_FROM_SIGNING",
        cli=("clocks::a_wrong_date_in_one_answer_is_not_believed",),
    ),
    Change(
        "a launch whose signature has expired is not signed again",
        file="src/aws/run_instances.rs",
        old="if answer.as_ref().is_err_and(clock::has_expired) {",
        new="if answer.as_ref().is_ok_and(|_| false) {",
        cli=("clocks::a_call_whose_signature_has_expired_is_signed_again",),
    ),
    Change(
        "a request is quoted in the words of an error",
        file="src/error.rs",
        old=".find(|at| is_debug_form(text, *at))",
        new=".find(|_| false)",
        unit=(
            "error::tests::words_are_kept_and_quoted_values_are_not",
            "aws::errors::tests::no_cause_of_an_error_quotes_the_request",
        ),
    ),
    Change(
        "keys with blanks or control characters in them are signed with",
        file="src/identity/credentials_check.rs",
        old="part.chars().find(|c| !c.is_ascii_graphic() && *c != ' ')",
        new="part.chars().find(|_| false)",
        cli=("broken_keys::a_variable_with_a_character_in_it_that_no_key_has_is_named",),
    ),
    Change(
        "a secret that comes back is shown",
        file="src/terminal/mask.rs",
        old=".filter(|secret| counts(secret))",
        new=".filter(|secret| counts(secret) && false)",
        cli=("hostile::a_message_of_aws_that_repeats_keys_does_not_show_them",),
    ),
    Change(
        "a tag with a line break is two rows of a table",
        file="src/terminal/table.rs",
        old="row.iter().map(|cell| printable::cell(cell)).collect()",
        new="row.clone()",
        cli=("hostile::terminals::a_tag_forges_no_row_of_a_table",),
    ),
    Change(
        "a command of a profile outlives the program",
        file="src/identity/children.rs",
        old="            end_with_descendants(id);\n",
        new="            let _ = end_with_descendants;\n",
        cli=("bounds::a_command_ends_with_the_program",),
    ),
    Change(
        "what an mfa_process says is shown with its secrets",
        file="src/identity/said.rs",
        old="self.out.prompt(&mask::foreign(&line));",
        new="eprintln!(\"{line}\");",
        cli=("mfa::codes::what_a_command_says_is_shown_without_secrets",),
    ),
    Change(
        "the program that ends a command gets the secrets",
        file="src/identity/process_tree.rs",
        old="    without_secrets(&mut kill);\n",
        new="",
        cli=("bounds::a_command_ends_with_the_program",),
    ),
    Change(
        "text from outside is a command of GitHub Actions",
        file="src/terminal/output.rs",
        old="to_stdout(&without_commands(&screened(text)))",
        new="to_stdout(&screened(text))",
        cli=("hostile::terminals::nothing_from_outside_is_a_command_of_github_actions",),
    ),
    Change(
        "EC2 is asked with the key whether it would permit a launch",
        file="src/commands/start/mod.rs",
        old="    request.runner = request.runner.without_secrets();\n",
        new="",
        cli=("dry_runs::dry_runs_have_a_placeholder_of_the_keys_length",),
    ),
    Change(
        "a panic after a launch says nothing of machines",
        file="src/terminal/panics.rs",
        old="if LAUNCHING.load(Ordering::Relaxed) {",
        new="if false {",
        cli=("panics::a_start_that_fails_itself_after_its_launch_says_what_may_be_running",),
    ),
    Change(
        "sign-in: AWS_PROFILE goes before keys in the environment",
        file="src/identity/places/mod.rs",
        old="!self.settings.profile_is_typed && self.settings.environment.access_key_id.is_some()",
        new="self.settings.profile.is_none() && self.settings.environment.access_key_id.is_some()",
        cli=(
            "like_the_cli::variables_and_profiles_are_used_in_the_aws_clis_order",
            "sign_in::keys_in_the_environment_go_before_all_profiles_but_a_typed_one",
        ),
    ),
    Change(
        "sign-in: the role of a source goes before its keys",
        file="src/identity/places/roles.rs",
        old="if source.role().is_some() && !source.has_keys {",
        new="if source.role().is_some() {",
        cli=("like_the_cli::roles_are_assumed_with_what_the_aws_cli_assumes_them_with",),
    ),
    Change(
        "sign-in: a line further to the right is one of its own",
        file="src/identity/ini.rs",
        old="if indent > self.indent\n",
        new="if indent > self.indent + 100\n",
        unit=("identity::ini::tests::lines_are_read_as_pythons_parser_reads_them",),
        cli=("like_the_cli::files_are_read_as_the_aws_cli_reads_them",),
    ),
    Change(
        "sign-in: an MFA session that AWS no longer takes is used",
        file="src/identity/mfa/mod.rs",
        old="        !is_refused\n",
        new="        true\n",
        cli=("mfa::a_session_that_aws_no_longer_takes_is_replaced",),
    ),
    Change(
        "sign-in: the variables of MFA count for sessions, too",
        file="src/identity/places/mod.rs",
        old="Some(serial) if !is_session =>",
        new="Some(serial) =>",
        cli=("mfa::codes::the_variables_of_the_mfa_document_count_only_where_a_session_is_made",),
    ),
    Change(
        "sign-in: the end of the input is an answer",
        file="src/terminal/questions.rs",
        old="Ok::<_, io::Error>((read > 0).then_some(answer))",
        new="Ok::<_, io::Error>((read < 9_999).then_some(answer))",
        cli=("configure::no_answer_and_an_interruption_leave_everything_as_it_was",),
    ),
    Change(
        "sign-in: a token that cannot be kept is lost",
        file="src/identity/sso/cache.rs",
        old="            unkept.insert(key.to_owned(), token.clone());\n",
        new="            unkept.remove(key);\n",
        cli=("locks::a_token_that_cannot_be_kept_serves_the_run_that_a_person_signed_in_for",),
    ),
    Change(
        "sign-in: the browser's page says signed in whatever came of it",
        file="src/identity/console_login/sign_in.rs",
        old="page.tell(session.is_ok()).await;",
        new="page.tell(true).await;",
        cli=("console::the_page_says_signed_in_only_after_the_code_was_exchanged",),
    ),
    Change(
        "sign-in: two runs refresh a console session at once",
        file="src/identity/console_login/service.rs",
        old="        let _lock = self.folder.lock(self.http.time(), self.out).await;\n",
        new="",
        cli=("console::keys_are_refreshed_by_one_run_for_all",),
    ),
    Change(
        "sign-in: the files of before the AWS CLI go before the profile",
        file="src/identity/places/mod.rs",
        old="let all = own.into_iter().chain(older);\n",
        new="let all = older.chain(own);\n",
        cli=("like_the_cli::files_of_before_the_aws_cli_are_read_where_it_reads_them",),
    ),
    Change(
        "sign-in: FIPS is forgotten for the console's sign-in",
        file="src/identity/console_login/address.rs",
        old="variant.fips.unwrap_or_default(),",
        new="false,",
        unit=("identity::console_login::address::tests::the_sign_in_service_is_where_its_endpoint_rules_say",),
    ),
    Change(
        "regions that were left out speak for no machines",
        file="src/machines/unseen.rs",
        old="if unseen.is_empty() {",
        new="if true {",
        cli=(
            "regions::ending::machines_that_inductiva_sees_alive_where_nobody_looked_are_not_said_to_have_ended",
        ),
    ),
    Change(
        "a region that does not answer fails a terminate that only checks it",
        file="src/commands/terminate/look.rs",
        old="let failure = self.found.hole_in(region)?;\n",
        new="let (_, failure) = self.found.hole()?;\n",
        cli=(
            "regions::ending::where_a_group_ends_a_region_that_was_not_looked_at_counts_only_if_machines_may_be_there",
        ),
    ),
    Change(
        "a line to be pasted has what was typed alone",
        file="src/identity/settings.rs",
        old="profile: self.profile.clone().filter(|_| counts),",
        new="profile: self.profile.clone().filter(|_| self.profile_is_typed),",
        cli=(
            "lines::every_commands_lines_have_the_region_the_profile_and_the_address_that_were_used",
        ),
    ),
    Change(
        "a start does not look at what it has launched",
        file="src/commands/start/mod.rs",
        old="None => self.ended_at_once(&mut filled.machines).await,",
        new="None => Ok(()),",
        cli=(
            "accounts::a_start_tells_of_machines_that_have_ended_by_the_time_it_has_launched_them",
        ),
    ),
    Change(
        "a way out for IPv6 is none",
        file="src/plan/way_out.rs",
        old="if by_ipv4 == WayOut::Open || !has_way_out_by_ipv6(subnet, table) {",
        new="if true {",
        unit=("plan::way_out::tests::only_what_is_certain_is_closed",),
        cli=("ways_out::a_way_out_for_ipv6_alone_is_a_warning_where_machines_have_such_addresses",),
    ),
    Change(
        "a type that the free plan does not have ends the walk",
        file="src/aws/run_instances.rs",
        old="Sort::Fatal if launch.may_not_be_in_free_plan(code(&error)) => {",
        new="Sort::Fatal if false => {",
        cli=("accounts::vm_types::the_walk_goes_on_to_a_type_of_the_free_plan",),
    ),
    Change(
        "a group without a named type is launched as another type",
        file="src/plan/choices.rs",
        old="let groups = live.find_map(tagged_settings::vm_types);",
        new="let groups = live.find_map(tagged_settings::vm_types).filter(|_| false);",
        cli=("accounts::vm_types::without_a_type_a_group_keeps_its_own",),
    ),
    Change(
        "machines have metadata only where the account's default says so",
        file="src/aws/run_instances.rs",
        old=".http_endpoint(InstanceMetadataEndpointState::Enabled)",
        new="",
        cli=("accounts::machines_reach_their_metadata_whatever_the_accounts_default_is",),
    ),
    Change(
        "a code that is not listed is never known by its family",
        file="src/aws/codes.rs",
        old="listed(code).or_else(|| listed(family))",
        new="listed(code).or_else(|| listed(family).filter(|_| false))",
        unit=("aws::codes::tests::a_code_that_is_not_listed_is_known_by_its_family",),
    ),
    Change(
        "a security group that another start made a second ago is not waited for",
        file="src/launch/attempt.rs",
        old="Missing::SecurityGroup => run.request.security_group_id.is_none(),",
        new="Missing::SecurityGroup => false,",
        cli=("accounts::a_new_security_group_is_waited_for_in_every_call_that_names_it",),
    ),
    Change(
        "a key pair that is mistyped is waited for",
        file="src/launch/attempt.rs",
        old="Missing::KeyPair => run.made_key_pair.get(),",
        new="Missing::KeyPair => true,",
        cli=("accounts::a_key_pair_that_is_mistyped_is_not_waited_for",),
    ),
    Change(
        "machines are launched where they certainly reach nothing",
        file="src/plan/choices.rs",
        old="WayOut::Closed(why) if !request.allow_no_internet => {",
        new="WayOut::Closed(why) if false => {",
        cli=(
            "ways_out::a_subnet_without_a_default_route_is_refused_before_anything_is_made",
            "ways_out::vpc_block_public_access_shuts_internet_gateways",
        ),
    ),
    Change(
        "EC2 chooses among default subnets of which some lead nowhere",
        file="src/launch/calls.rs",
        old="if self.plan.leaves_out && choice.candidate.place == Place::Any {",
        new="if false {",
        cli=("ways_out::a_default_subnet_without_a_way_out_is_left_out_of_the_walk",),
    ),
    Change(
        "an image's other disks outlive its machines",
        file="src/aws/run_instances.rs",
        old="let others = plan.image.other_disks.iter();",
        new="let others = plan.image.other_disks[..0].iter();",
        cli=(
            "images::every_disk_of_an_image_goes_with_its_machine_and_is_encrypted_planned_and_priced",
        ),
    ),
    Change(
        "credits are sent for types that have none",
        file="src/aws/run_instances.rs",
        old="(request.standard_credits && is_burstable)",
        new="(request.standard_credits || is_burstable)",
        cli=("images::standard_credits_are_asked_for_of_burstable_types_alone",),
    ),
    Change(
        "machines that EC2 has ended are listed as machines",
        file="src/commands/list/look.rs",
        old=" && m.ended_by_ec2().is_none())",
        new=")",
        cli=("ten_accounts::a_machine_that_ec2_is_ending_has_ended",),
    ),
    Change(
        "a list says that a group has no machines that runs in another region",
        file="src/commands/list/hidden.rs",
        old="""\
        if all.is_empty() {
            return None;
""",
        new="""\
        if true {
            return None;
""",
        cli=(
            "list::hidden::a_group_that_runs_in_another_region_is_not_said_to_have_no_machines",
        ),
    ),
    Change(
        "a list succeeds that leaves out where machines may be running",
        file="src/commands/list/look.rs",
        old=".or(unseen)",
        new="",
        cli=("regions::a_list_that_leaves_out_regions_fails_only_if_machines_may_be_there",),
    ),
    Change(
        "a launch goes on whose group was ended",
        file="src/launch/marker.rs",
        old="            self.refuse_ended_group(plan, found).await?;",
        new="",
        unit=(
            "launch::histories::histories_with_one_place_and_inductiva_in_reach_have_never_a_machine_too_many",
        ),
        cli=("tokens::a_launch_whose_group_was_ended_is_not_gone_on_with",),
    ),
    Change(
        "an imported RSA key pair is compared by what others hash",
        file="src/launch/private_key.rs",
        old="&[&RSA_ENCRYPTION, &*bits].concat()",
        new="&bits",
        cli=(
            "key_pairs::a_key_pair_that_was_imported_is_used_if_its_private_key_is_here",
        ),
    ),
    Change(
        "a later round launches from the newest image",
        file="src/launch/mod.rs",
        old="                run.keep_image(plan);",
        new="",
        cli=(
            "capacity_waits::it_launches_when_there_is_capacity_and_what_the_first_round_would_have",
        ),
    ),
    Change(
        "a round launches too few, and undoes them",
        file="src/plan/decision.rs",
        old="    if request.wait_for_capacity.is_none() {\n        return 1;",
        new="    if true {\n        return 1;",
        cli=("capacity_waits::what_is_too_few_is_not_launched_and_undone",),
    ),
    Change(
        "a group that was ended between two rounds is made again",
        file="src/launch/marker.rs",
        old="if has_made_one && self.is_later_round.get() {",
        new="if false {",
        cli=("capacity_waits::a_group_that_was_ended_meanwhile_is_not_made_again",),
    ),
    Change(
        "a start that gives up deletes a group that others use by then",
        file="src/launch/undo.rs",
        old=" && !self.others_use_own_group().await {",
        new=" {",
        cli=(
            "capacity_waits::machines_that_another_start_has_launched_meanwhile_count_and_keep_their_group",
            "capacity_waits::a_group_that_has_machines_in_another_region_by_then_is_not_launched_here_too",
        ),
    ),
    Change(
        "a later round does not look at other regions",
        file="src/launch/regions.rs",
        old="own.filter(|_| !self.is_later_round.get());",
        new="own;",
        cli=(
            "capacity_waits::a_group_that_has_machines_in_another_region_by_then_is_not_launched_here_too",
        ),
    ),
    Change(
        "a word that begins machines proposes what clap finds alike",
        file="src/cli/tips.rs",
        old="error.remove(ContextKind::SuggestedSubcommand);",
        new="",
        unit=("cli::tips::tests::nothing_that_begins_machines_proposes_to_end_them",),
    ),
    Change(
        "usage shows options whose variables are set",
        file="src/cli/tips.rs",
        old="if error.get(ContextKind::Usage).is_some() {",
        new="if false {",
        cli=("grammar::usage_shows_no_option_only_because_its_variable_is_set",),
    ),
    Change(
        "a boot timeout longer than the lifetime is taken",
        file="src/cli/without_effect.rs",
        old="boot > lifetime",
        new="boot < lifetime",
        cli=("grammar::start_refuses_what_would_do_nothing_and_check_takes_it",),
    ),
    Change(
        "an idle time of hours counts as seconds",
        file="src/cli/parsers.rs",
        old="u32::try_from(seconds / 60)",
        new="u32::try_from(seconds)",
        unit=("cli::parsers::tests::a_plain_number_keeps_its_unit",),
        cli=("grammar::an_idle_time_is_minutes_or_a_duration",),
    ),
    Change(
        "completions ask EC2 at each press of the key",
        file="src/commands/completions/known.rs",
        old="const KEPT: Duration = Duration::from_secs(10);",
        new="const KEPT: Duration = Duration::ZERO;",
        cli=(
            "completions::machines_are_asked_for_once_in_some_seconds",
            "completions::nobody_waits_longer_than_a_second",
        ),
    ),
    Change(
        "completions run what a profile names, and refresh tokens",
        file="src/commands/completions/known.rs",
        old="settings.only_at_hand = true;",
        new="",
        cli=("completions::only_credentials_at_hand_are_used",),
    ),
    Change(
        "completions have one list of machines for all regions",
        file="src/commands/completions/known.rs",
        old="        settings.region.as_deref(),\n",
        new="",
        cli=("completions::machines_are_asked_for_once_in_some_seconds",),
    ),
    Change(
        "a page of the manual has the global options again",
        file="src/commands/manual/page.rs",
        old="(is_program || !arg.is_global_set())",
        new="true",
        cli=("manual::the_programs_page_has_what_all_commands_share_and_the_others_do_not",),
    ),
    Change(
        "a prepared image that another account has shared is used",
        file="src/model/prepared_image.rs",
        old="self.owner == account",
        new="(true || self.owner == account)",
        unit=(
            "plan::prepared::tests::one_that_does_not_fit_is_not_taken_and_the_reason_is_told",
        ),
    ),
    Change(
        "a prepared image is used however old it is",
        file="src/plan/prepared.rs",
        old="(age > most).then(",
        new="(age > most && false).then(",
        unit=("plan::prepared::tests::the_age_is_the_one_asked_for",),
        cli=(
            "prepared_images::starts::a_start_does_without_where_it_is_told_to_or_none_fits",
        ),
    ),
    Change(
        "a launch that is resumed takes the image of this start",
        file="src/plan/decision.rs",
        old="let of_launch = next.image_id.as_ref();",
        new="let of_launch = next.image_id.as_ref().filter(|_| false);",
        cli=("prepared_images::starts::a_launch_that_is_resumed_has_its_own_image",),
    ),
    Change(
        "an image is made of a machine that has not said that it is prepared",
        file="src/image/builder.rs",
        old="if lines.any(|line| line == prepared) && runs {",
        new="if lines.any(|line| line == prepared) || runs {",
        cli=("prepared_images::failures::a_builder_that_says_nothing_is_ended",),
    ),
    Change(
        "a build that fails leaves its machine",
        file="src/image/build.rs",
        old="return Err(Box::pin(self.undo(id, has_begun.get(), failure)).await);",
        new="return Err(failure);",
        cli=(
            "prepared_images::failures::an_image_that_ec2_cannot_make_is_removed",
            "prepared_images::interruptions::an_interruption_at_any_time_leaves_no_machine_and_no_half_image",
        ),
    ),
    Change(
        "a build that is interrupted goes on to stop its machine",
        file="src/image/builder.rs",
        old="""            if self.interrupt.fired() {
                return Err(interrupted());
            }
            let console""",
        new="            let console",
        cli=(
            "prepared_images::interruptions::an_interruption_before_the_image_is_there_undoes_the_build",
        ),
    ),
    Change(
        "an image that EC2 does not show yet is left by a build that failed",
        file="src/image/build.rs",
        old="let is_last = !may_be_there || time.instant() >= until;",
        new="let is_last = true;",
        cli=("prepared_images::failures::an_image_that_does_not_show_yet_is_removed_too",),
    ),
    Change(
        "a limit leaves out what --initialization-rate costs once",
        file="src/plan/cost.rs",
        old="(rounded(hourly + once), once)",
        new="(rounded(hourly), once)",
        unit=("plan::cost::tests::what_is_paid_once_counts_in_the_first_hour",),
    ),
    Change(
        "a budget leaves out what --initialization-rate has cost machines that were launched before",
        file="src/plan/budget_of_launch.rs",
        old="cost_of(between(launched, until), rate) + once_of(m).unwrap_or(most_once)",
        new="cost_of(between(launched, until), rate)",
        unit=("plan::budget_histories::no_group_costs_more_than_its_budget",),
    ),
    Change(
        "a price that is not by the rate is taken for that of --initialization-rate",
        file="src/aws/price_list.rs",
        old=".filter_map(|p| p.price(is_of_gib_and_mibps))",
        new=".filter_map(|p| p.price(|_| true))",
        cli=("initialization_rate::it_is_paid_once_for_each_machine_and_is_no_part_of_the_hour",),
    ),
    Change(
        "the stopped machine of a build that is at work is ended",
        file="src/image/leftovers.rs",
        old="machine.stopped_at.is_some_and(|at| is_old(at, now))",
        new="machine.stopped_at.is_some()",
        unit=(
            "image::leftovers::tests::a_builder_is_left_over_once_it_was_stopped_for_an_hour_and_no_image_is_pending",
        ),
        cli=(
            "prepared_images::leftovers::a_builder_that_was_left_stopped_is_named_and_after_an_hour_ended",
            "prepared_images::leftovers::terminate_all_ends_a_stopped_builder_only_once_it_is_old",
        ),
    ),
]
