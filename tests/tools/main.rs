//! The tests that need a tool, such as tmux, or a feature of the machine, such as IPv6.
//!
//! `cargo test --test tools NAME` runs the tests whose path contains NAME. A test whose tool is
//! missing is shown as ignored with the reason, and the run ends with a list of all of them. The
//! built-in harness cannot ignore a test while it runs, so this binary has its own `main`, and
//! [`TESTS`] lists the tests.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // a test may fail so, and the harness prints

/// Clients of the Route 53 API.
mod api_clients;
/// Requests of every shape to the Route 53 API.
mod api_variants;
/// The status page and the Route 53 API in Chromium.
mod browser;
/// Nodes with one configuration in etcd.
mod cluster;
/// What nodes do when etcd, a link or a node fails.
#[cfg(target_os = "linux")]
mod cluster_failures;
/// Nodes that agree on health.
mod cluster_health;
/// Health while etcd, links or endpoints fail.
#[cfg(target_os = "linux")]
mod cluster_health_failures;
/// What nodes do when they are cut off, killed or have a wrong clock.
#[cfg(target_os = "linux")]
mod cluster_partitions;
mod cluster_writers;
/// Cookies and the TCP keepalive, as clients of other vendors read them.
mod edns_options;
/// Geo databases that people publish.
mod geo_databases;
/// IPv4 and IPv6 on one port.
mod ipv6;
/// Manifests for Kubernetes.
mod kubernetes;
/// Manual pages and completions.
mod manual;
/// Metric checks with a real Prometheus.
mod metric_checks;
/// Metrics and dnstap, read by the real tools.
mod observability;
/// A server that root starts, and what it gives up.
#[cfg(target_os = "linux")]
mod privilege;
/// The status page behind nginx and Caddy.
mod proxy;
/// Rate limits in a network namespace.
#[cfg(target_os = "linux")]
mod rate_limit;
/// A UDP worker makes no system calls except receive and send.
#[cfg(target_os = "linux")]
mod system_calls;
/// `fiftythree watch` and the demo in a real terminal.
mod terminal;
/// The systemd unit.
mod unit;

/// A client of the Route 53 API.
#[path = "../it/aws.rs"]
mod aws;
/// What tests need, and whether this machine has it.
mod needs;
/// A Prometheus.
mod prometheus;
/// The real binary with its own files, and clients for it.
#[path = "../it/server/mod.rs"]
mod server;
/// Zones and responders that the benches use too.
#[path = "../../benches/support/mod.rs"]
mod support;
/// Nodes, an etcd and their network.
#[cfg(target_os = "linux")]
mod universe;

use std::collections::BTreeMap;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use needs::Need;

/// A test, and what it needs.
struct Test {
    name: &'static str,
    run: fn(),
    needs: &'static [Need],
}

/// `test!(module::function, NEED, …)`
macro_rules! test {
    ($module:ident :: $function:ident $(, $need:ident)*) => {
        Test {
            name: concat!(stringify!($module), "::", stringify!($function)),
            run: $module::$function,
            needs: &[$(needs::$need),*],
        }
    };
}

/// All tests. The compiler warns of a function that is missing here.
const TESTS: &[Test] = &[
    test!(api_clients::boto3_calls_every_operation_and_its_responses_fit_the_model, BOTO3, DIG),
    test!(api_clients::the_aws_cli_version_1, AWS_CLI_1, DIG),
    test!(api_clients::the_aws_cli_version_2, AWS_CLI_2, DIG),
    test!(api_clients::the_sdk_for_javascript, AWS_SDK_JAVASCRIPT, DIG),
    test!(api_clients::octodns_plans_applies_and_has_nothing_left_to_do, OCTODNS, DIG),
    test!(api_clients::certbot_proves_that_a_name_is_its_own, CERTBOT, DIG),
    test!(api_clients::ansible_makes_what_a_playbook_says_and_nothing_twice, ANSIBLE, DIG),
    test!(api_clients::boto3_gets_through_to_a_server_that_throttles, BOTO3),
    test!(api_clients::lexicon_creates_updates_and_deletes_records, LEXICON, DIG),
    test!(api_clients::libcloud_uses_the_api_of_2012, LIBCLOUD, DIG),
    test!(api_clients::the_sdk_for_rust, AWS_SDK_RUST, DIG),
    #[cfg(target_os = "linux")]
    test!(api_clients::lego_gets_a_certificate, LEGO, PEBBLE, OPENSSL, NAMESPACES, DIG),
    test!(api_clients::the_example_for_pytest, BOTO3, DIG),
    test!(api_variants::every_variant_of_a_request_gets_what_the_model_says, BOTO3),
    test!(api_variants::strict_mode_wants_the_order_of_the_model_in_every_structure, BOTO3),
    test!(browser::a_page_of_another_origin_cannot_use_the_route_53_api, CHROMIUM, CHROMEDRIVER, SELENIUM),
    test!(browser::the_status_page_in_chromium, CHROMIUM, CHROMEDRIVER, SELENIUM),
    test!(edns_options::dig_and_kdig_take_each_other_s_cookies, DIG, KDIG),
    test!(edns_options::dig_reads_the_keepalive_over_tcp_and_finds_none_over_udp, DIG, KDIG),
    test!(cluster::a_change_on_one_node_is_in_the_answers_of_the_other, ETCD),
    test!(cluster::two_writers_of_one_record_lose_nothing, ETCD),
    test!(cluster::without_etcd_answers_go_on_and_changes_are_refused, ETCD),
    test!(cluster::files_are_applied_and_dumped_and_the_status_is_shown, ETCD),
    test!(cluster::zones_of_the_nodes_move_to_etcd, ETCD),
    test!(cluster::a_zone_of_one_node_that_another_creates_is_served_from_etcd, ETCD),
    test!(cluster::a_change_is_pending_until_every_node_has_it, ETCD),
    test!(cluster::a_user_of_etcd_who_may_use_the_prefix_alone, ETCD),
    test!(cluster::certificates_of_etcd_and_of_the_node, ETCD),
    test!(cluster::an_etcd_that_hangs_delays_no_answer_and_one_that_lost_its_data_removes_none, ETCD),
    test!(cluster::an_override_on_one_node_is_in_force_on_all, ETCD),
    test!(cluster::overrides_from_before_the_cluster_are_put_into_it, ETCD),
    test!(cluster::a_cookie_of_one_node_is_valid_on_all, ETCD),
    test!(cluster::a_node_with_another_secret_keeps_its_cookies_and_says_so, ETCD),
    #[cfg(target_os = "linux")]
    test!(cluster_failures::one_member_of_three_is_down, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_failures::all_members_are_down, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_failures::members_are_slow_and_then_hang, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_failures::etcd_is_full, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_failures::etcd_is_restored_from_an_older_backup, ETCD, ETCDCTL, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::a_node_is_cut_from_etcd_which_compacts_meanwhile, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::the_network_is_split_two_to_one, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::a_node_is_cut_from_the_others_and_from_clients, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::nodes_start_without_etcd, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::three_nodes_write_one_record, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::a_node_is_killed_in_the_middle_of_changes, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::a_node_is_suspended, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_partitions::clocks_are_wrong, ETCD, FAKETIME, NETWORKS),
    test!(cluster_writers::two_nodes_that_change_one_zone_all_the_time_both_progress, ETCD),
    test!(cluster_writers::two_servers_with_one_name_both_say_so, ETCD),
    test!(cluster_health::a_new_check_is_decided_by_all_nodes, ETCD),
    test!(cluster_health::an_endpoint_that_one_node_does_not_reach_stays_in_use, ETCD),
    test!(cluster_health::a_node_without_the_others_decides_by_its_own_opinion, ETCD),
    #[cfg(target_os = "linux")]
    test!(cluster_health_failures::nodes_are_cut_from_an_endpoint_one_after_the_other, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_health_failures::a_node_is_cut_from_etcd_and_from_the_endpoint, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_health_failures::all_of_etcd_is_down_and_the_endpoint_fails_meanwhile, ETCD, NETWORKS),
    #[cfg(target_os = "linux")]
    test!(cluster_health_failures::many_checks_flip_at_once, ETCD, NETWORKS),
    test!(geo_databases::real_databases_are_read_as_their_own_reader_does, GEO_DATABASES),
    test!(ipv6::addresses_that_go_together_are_those_that_can_be_bound_together, IPV6),
    test!(ipv6::ipv4_and_ipv6_listen_side_by_side_on_all_addresses, IPV6),
    test!(kubernetes::the_schemas_find_no_fault_in_the_manifests, KUBERNETES_SCHEMAS),
    test!(kubernetes::what_the_manifests_name_is_there, KUBERNETES_SCHEMAS),
    test!(kubernetes::the_settings_and_commands_of_the_manifests_are_good, KUBERNETES_SCHEMAS),
    test!(manual::every_command_has_a_page),
    test!(manual::groff_renders_every_page_without_a_warning, GROFF),
    test!(manual::mandoc_renders_every_page_without_an_error, MANDOC),
    test!(manual::a_page_is_printed_too_and_an_unknown_one_is_not),
    test!(manual::bash_completes_commands_options_and_values, BASH),
    test!(manual::zsh_takes_the_completion_for_its_own, ZSH),
    test!(manual::fish_completes_commands_and_options, FISH),
    test!(metric_checks::they_ask_a_real_prometheus, PROMETHEUS),
    test!(observability::promtool_objects_to_nothing, PROMTOOL),
    test!(observability::the_alerts_do_what_their_examples_say, PROMTOOL),
    test!(observability::a_real_prometheus_has_data_for_every_query_of_dashboard_and_alerts, PROMETHEUS),
    test!(observability::a_real_reader_takes_dnstap_and_may_come_late, FSTRM_CAPTURE, DNSTAP_LDNS),
    #[cfg(target_os = "linux")]
    test!(privilege::root_gives_up_its_privileges_and_everything_still_works, ROOT),
    #[cfg(target_os = "linux")]
    test!(privilege::a_directory_outside_the_landlock_needs_a_restart, ROOT, LANDLOCK),
    #[cfg(target_os = "linux")]
    test!(privilege::a_zone_file_that_becomes_a_link_out_of_the_landlock_says_so, LANDLOCK),
    #[cfg(target_os = "linux")]
    test!(privilege::no_thread_is_older_than_the_landlock, LANDLOCK, STRACE),
    test!(proxy::the_page_behind_nginx, NGINX),
    test!(proxy::the_page_behind_caddy, CADDY),
    test!(proxy::without_a_token_nothing_changes_behind_a_proxy),
    #[cfg(target_os = "linux")]
    test!(rate_limit::a_source_over_its_limit_is_sent_to_tcp_and_another_is_answered, NAMESPACES, DIG),
    #[cfg(target_os = "linux")]
    test!(rate_limit::a_client_that_uses_more_than_its_time_over_tcp_is_disconnected, NAMESPACES, DIG),
    #[cfg(target_os = "linux")]
    test!(system_calls::a_worker_receives_and_sends_and_does_nothing_else, STRACE),
    test!(terminal::a_watch_fills_the_terminal_follows_its_size_and_gives_it_back, TMUX),
    test!(terminal::health_checks_are_shown_live_on_a_screen_too, TMUX),
    test!(terminal::ctrl_c_and_sigterm_give_the_terminal_back, TMUX),
    test!(terminal::the_keys_of_the_demo_stop_and_start_move_the_client_and_change_weights, TMUX),
    test!(unit::the_unit_is_without_fault, SYSTEMD_ANALYZE),
    test!(unit::the_unit_allows_little, SYSTEMD_ANALYZE),
    test!(unit::the_commands_of_the_unit_are_ones_that_there_are),
];

fn main() -> ExitCode {
    let (arguments, filters) = arguments();
    let is_selected = |test: &&Test| filters.is_empty() || filters.iter().any(|filter| test.name.contains(filter));
    let missing = needs::missing(TESTS.iter().flat_map(|test| test.needs));
    let is_missing = |need: &&Need| missing.contains_key(need.name);
    let trials = TESTS.iter().filter(is_selected).map(|test| {
        let lacks: Vec<&Need> = test.needs.iter().filter(is_missing).collect();
        if let Some(need) = lacks.iter().find(|need| !needs::may_lack(need)) {
            let message = format!("there is no {}: {}", need.name, need.hint);
            return Trial::test(test.name, || Err(message.into()));
        }
        let trial = Trial::test(test.name, || {
            (test.run)();
            Ok(())
        });
        if lacks.is_empty() {
            return trial;
        }
        let names: Vec<&str> = lacks.iter().map(|need| need.name).collect();
        trial.with_kind(format!("needs {}", names.join(", "))).with_ignored_flag(true)
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if !arguments.list && conclusion.num_ignored > 0 {
        let is_selected = |test: &&Test| {
            is_selected(test) && arguments.filter.as_ref().is_none_or(|filter| test.name.contains(filter))
        };
        summary(&TESTS.iter().filter(is_selected).collect::<Vec<_>>(), &missing);
    }
    conclusion.exit_code()
}

/// The arguments, and the filters if there are several: libtest-mimic takes only one.
fn arguments() -> (Arguments, Vec<String>) {
    let mut given: Vec<String> = std::env::args().collect();
    let filters = given[1..].iter().take_while(|text| !text.starts_with('-')).count();
    if filters < 2 {
        return (Arguments::from_args(), Vec::new());
    }
    let filters = given.drain(1..=filters).collect();
    (Arguments::from_iter(given), filters)
}

/// What the run ends with: how many tests did not run, and why.
fn summary(tests: &[&Test], missing: &BTreeMap<&str, &Need>) {
    let count = |is_counted: &dyn Fn(&Need) -> bool| {
        let tests = tests.iter().filter(|test| test.needs.iter().any(is_counted)).count();
        format!("{tests} {}", if tests == 1 { "test" } else { "tests" })
    };
    println!("{} did not run, because this machine does not have:", count(&|need| missing.contains_key(need.name)));
    for need in missing.values() {
        let tests = count(&|other| other.name == need.name);
        if !tests.starts_with('0') {
            println!("  {} ({tests}): {}", need.name, need.hint);
        }
    }
    println!();
}
