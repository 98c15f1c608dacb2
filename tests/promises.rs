//! What nameplate promises to its users; each file is a promise, proved on a real Asterisk, and a line of docs/promises.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// What one promise does not use of the lab, another does.
#![allow(dead_code)]

mod lab;

mod any_input_is_survived;
mod call_rings_with_name;
mod called_people_are_named;
mod calls_are_routed_by_tag;
mod calls_are_seen;
mod calls_come_from_anywhere;
mod calls_left_behind_go_on;
mod cdr_has_the_columns_that_are_wanted;
mod certificates_are_checked;
mod check_goes_and_looks;
mod command_line_helps;
mod configuration_is_checked;
mod connection_comes_back;
mod connection_trouble_is_said;
mod credentials_are_accepted;
mod crm_is_asked_politely;
mod dialplan_goes_on;
mod direct_style_sets_name;
mod documented_dialplan_works;
mod documents_are_true;
mod every_call_of_a_rush_has_its_name;
mod fastagi_floods_cost_no_call;
mod few_files_cost_no_name;
mod fifty_pbxs_are_served;
mod first_call_waits_for_its_search;
mod freepbx_is_served;
mod grafana_shows_the_metrics;
mod guesses_are_marked;
mod hangup_leaves_nothing_behind;
mod held_lists_are_kept;
mod hostile_callers_stay_text;
mod hostile_names_arrive_clean;
mod init_leads_to_a_named_call;
mod known_names_stay;
mod lists_are_steered;
mod lists_have_an_owner;
mod lists_survive;
mod logs_tell_no_secret;
mod lookup_explains;
mod lookup_is_skipped_where_nothing_bounds_it;
mod macro_skips_the_lookup;
mod manual_pages_fit;
mod missing_module_loses_no_call;
mod names_are_written_as_wanted;
mod old_asterisk_is_served_over_http;
mod others_read_the_same;
mod outside_lines_show_the_providers_name;
mod package_comes_and_goes;
mod pages_are_guarded;
mod pages_show_calls;
mod presentation_is_as_documented;
mod prometheus_reads_the_metrics;
mod public_reports_are_answered;
mod refused_while_connected_costs_no_call;
mod reload_changes_what_it_can;
mod replicas_share_one_directory;
mod replicas_take_over;
mod service_absent_rings_at_once;
mod service_hung_rings_within_bound;
mod service_says_how_it_is;
mod service_stops_in_time;
mod strange_answers_cost_one_record;
mod stranger_rings_unchanged;
mod strangers_are_searched;
mod suppressed_numbers_stay_unnamed;
mod taken_port_costs_no_call;
mod tenant_is_followed;
mod unit_is_kept_running;
mod vanished_pbx_is_noticed;
mod web_answers_lookups;
mod withheld_number_is_not_looked_up;
mod wrong_dialplan_loses_no_call;

mod numbers_are_read_as_google_does;
