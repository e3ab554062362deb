//! What an owner promises, on SQLite and on PostgreSQL alike.
//!
//! PostgreSQL is used where `SPIL_TEST_POSTGRES` holds the URL of a superuser (`postgres://postgres@localhost/postgres`); each
//! test makes a database of its own and drops it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test reports a fault by panicking"
)]

mod database;
mod follower;
mod owner;
mod sample;
mod scenario;

use database::Database;

/// Runs scenarios on both backends.
macro_rules! on_both {
    ($($module:ident::$scenario:ident,)*) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    super::Database::sqlite().run(super::scenario::$module::$scenario).await;
                }
            )*
        }

        mod postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $scenario() {
                    if let Some(database) = super::Database::postgres().await {
                        database.run(super::scenario::$module::$scenario).await;
                    }
                }
            )*
        }
    };
}

on_both! {
    kinds::every_kind_lives_its_life,
    kinds::every_field_is_absent_or_not,
    kinds::extreme_values_come_back,
    batch::a_batch_is_answered_once,
    batch::a_batch_that_comes_twice_at_a_time_is_applied_once,
    batch::a_key_is_not_used_for_another_batch,
    batch::a_dry_run_writes_nothing,
    batch::a_dry_run_with_the_key_of_a_batch_finds_its_answer,
    batch::a_conflict_tells_what_else_is_wrong,
    batch::one_bad_command_stops_the_batch,
    batch::later_commands_see_earlier_ones,
    batch::names_can_be_handed_on_within_a_batch,
    batch::a_stale_write_is_told_what_differs,
    batch::records_are_found_by_every_name,
    batch::rules_see_the_record_referred_to,
    batch::a_retired_record_is_left_alone,
    batch::a_request_that_is_not_sound_is_refused,
    batch::old_answers_are_purged,
    batch::who_may_only_write_is_shown_no_record,
    structure::a_cycle_is_refused,
    structure::two_writers_close_no_cycle_together,
    race::one_of_twenty_writers_wins_each_round,
    race::shares_are_never_given_away_twice,
    race::one_key_makes_one_record,
    effect::a_decision_changes_the_initiative_in_the_same_revision,
    effect::effects_are_seen_by_later_commands,
    effect::what_forbids_an_effect_forbids_the_command,
    effect::decisions_at_a_time_lose_nothing,
    one_way::a_respondent_counts_once_in_a_wave,
    one_way::a_respondent_is_given_once_and_never_compared,
    one_way::a_respondent_is_found_nowhere,
    one_way::a_dry_run_keeps_no_salt_and_tells_nothing,
    one_way::who_sends_an_answer_is_not_named,
    one_way::one_of_many_answers_of_a_respondent_counts,
    unique::a_statement_counts_once,
    unique::one_of_many_records_gets_a_statement,
    feed::a_follower_sees_every_revision_in_order,
    feed::snapshot_and_watch_come_to_the_later_snapshot,
    feed::large_revisions_come_whole,
    feed::a_slow_reader_is_dropped,
    feed::what_was_trimmed_is_out_of_range,
    feed::checkpoints_come_when_nothing_happens,
    feed::two_instances_see_each_other,
    provenance::each_field_tells_who_set_it_last,
    provenance::records_from_before_tell_nothing,
    provenance::random_writes_equal_the_last_writer_of_each_field,
    restart::everything_is_there_after_a_restart,
    restore::a_restored_backup_is_another_history,
    restore::a_restore_ends_the_streams_of_a_running_owner,
    seal::what_tells_who_somebody_is_stands_nowhere_in_plain,
    seal::names_that_are_sealed_are_found_and_unique,
    seal::a_database_from_before_is_sealed_when_it_is_opened,
    seal::a_rewrite_that_was_cut_off_is_made_up_for,
    seal::another_key_opens_nothing,
    rekey::another_key_opens_what_was_sealed,
    rekey::a_change_of_the_key_that_is_cut_off_changes_nothing,
    rekey::who_has_an_older_key_writes_nobody_new,
    erase::who_was_erased_is_found_nowhere,
    erase::who_was_erased_does_not_come_back,
    erase::an_erasure_is_done_once_whoever_is_in_the_way,
    erase::only_people_are_erased,
    erase::who_left_long_ago_is_told_until_erased,
    erase::what_somebody_was_called_before_does_not_come_back_either,
    erase::names_are_told_to_services_alone,
    redact::what_was_redacted_is_found_nowhere,
    redact::a_redaction_is_proven,
    redact::only_a_redaction_writes_the_log_anew,
    redact::what_is_sealed_of_others_is_redacted_too,
    redact::others_keep_what_they_are_called,
    redact::who_reads_and_writes_meanwhile_is_not_in_the_way,
    tables::what_is_changed_beside_the_log_is_found,
    calls::calls_need_a_token_and_permission,
    audit::the_audit_tells_every_change_with_what_was_before,
    audit::the_audit_tells_who_people_are_to_services_alone,
    audit::reads_are_kept_and_told,
    chain::what_was_written_is_whole,
    chain::whatever_is_altered_is_found,
    chain::the_log_is_only_added_to,
    chain::what_is_left_of_a_trimmed_log_is_proven,
    chain::a_trim_that_no_revision_tells_of_is_found,
    chain::a_log_from_before_begins_its_chain,
    chain::links_that_were_taken_away_are_missed,
    chain::writers_at_a_time_make_one_chain,
    chain::why_and_which_way_are_kept,
    policy::a_worker_writes_own_claims_and_finds_no_other,
    policy::a_manager_writes_within_the_own_units,
    policy::a_lead_writes_within_the_own_initiatives,
    say::nobody_makes_the_own_scope_wider,
    say::what_a_scoped_writer_sends_never_widens_the_scope,
    say::references_to_what_is_not_seen_lead_nowhere,
    say::names_of_people_tell_nothing_to_who_may_not_see_them,
}

mod postgres_only {
    use super::{Database, scenario};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn overlapping_transactions_lose_no_change() {
        if let Some(database) = Database::postgres().await {
            database.run(scenario::overlap::overlapping_transactions_lose_no_change).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn lost_connections_lose_no_acknowledged_write() {
        if let Some(database) = Database::postgres().await {
            database.run(scenario::restart::lost_connections_lose_no_acknowledged_write).await;
        }
    }
}
