//! Metrics that the test of all metrics does not move, and what does.

/// Each below what moves it: a test, as its file and function, or what no test can make.
const MOVED_ELSEWHERE: &str = "
a fault of the host
    neckar_host_interface_dropped_total
    neckar_host_interface_missed_total
    neckar_host_interface_errors_total
    neckar_host_softnet_dropped_total
    neckar_host_softnet_squeezed_total
no datagram is longer than a buffer, which is the point
    neckar_receive_truncated_total
daemon/src/ingest/tests.rs::the_fullest_socket_shows
    neckar_receive_queue_bytes
    neckar_receive_queue_fullest_ratio
daemon/src/ingest/tests.rs::coalesced_datagrams_are_told_apart
    neckar_receive_coalesced_total
    neckar_receive_segments_total
daemon/src/ingest/tests.rs::more_datagrams_than_buffers_at_once
    neckar_receive_starved_total
    neckar_receive_rearmed_total
the queue has room for more than there are buffers
    neckar_receive_overflows_total
enrich/tests/enricher.rs::labelling_twice_normalises_once
    neckar_label_already_normalized_total
enrich/tests/enricher.rs::an_unknown_interface_is_an_empty_label_and_a_counter
    neckar_label_interface_unknown_total
daemon/src/stage.rs::who_has_no_room_misses_the_flows_of_a_batch
    neckar_traffic_missed_total
    neckar_splitter_missed_total
a moment of every batch
    neckar_traffic_queue
    neckar_splitter_queue
    neckar_batches_backlog
a defect of ours, which is the point
    neckar_traffic_unreadable_total
traffic/src/tests/flowdata.rs::texts_of_one_label_do_not_drive_out_those_of_another
    neckar_traffic_texts_unkept_total
daemon/src/splitter/tenants.rs::a_wildcard_finds_customers_up_to_the_bound
    neckar_splitter_unserved_total
daemon/src/splitter/tests.rs::a_silent_topic_holds_no_batch_and_takes_nothing_from_others
    neckar_splitter_refused_total
    neckar_tenant_refused_total
daemon/tests/neckard/split.rs::a_topic_that_refuses_costs_its_own_customer_only
    neckar_splitter_failed_total
    neckar_tenant_failed_total
a moment of every flow
    neckar_splitter_bytes_in_flight
    neckar_tenant_in_flight
daemon/tests/neckard/files.rs::a_full_disk_costs_what_does_not_fit
    neckar_output_failed_total
kafka/tests/brokers/framing.rs::a_packed_message_that_is_too_large_fails_with_all_its_flows
    neckar_output_errors_total
kafka/tests/brokers/producer.rs::a_full_queue_gives_the_flows_back
    neckar_output_queue_full_total
a broker that makes no topics for us
    neckar_topics_refused_total
daemon/tests/neckard/torture.rs::a_broker_killed_and_restarted
    neckar_kafka_retries_total
kafka/tests/brokers/real.rs::a_quota_costs_time_and_no_flow
    neckar_kafka_throttled_seconds_total
a moment of what comes from disk
    neckar_spool_out_flows
daemon/tests/neckard/spool.rs::a_full_disk_gives_up_the_oldest_or_the_newest_and_counts_them
    neckar_spool_shed_total
    neckar_spool_refused_total
daemon/src/spool/tests/damage.rs::a_missing_segment_costs_what_was_in_it
    neckar_spool_damaged_total
a disk that fails
    neckar_spool_io_errors_total
a splitter that is slower than the disk for long
    neckar_spool_splitter_missed_total
daemon/tests/neckard/files.rs::what_was_written_before_a_crash_reads_after_the_next_start
    neckar_files_finished_total
    neckar_files_bytes
daemon/src/sink/files/tests.rs::the_oldest_go_when_there_are_too_many_bytes
    neckar_files_deleted_total
daemon/tests/neckard/labels.rs::a_changed_file_is_taken_in_by_itself_and_a_broken_one_changes_nothing
    neckar_tables_failures_total
daemon/tests/neckard/labels.rs::what_exporters_call_their_interfaces_is_written_to_their_flows
    neckar_tables_interfaces
a moment of each swap
    neckar_tables_retired
daemon/tests/neckard/snmp.rs::a_real_agent_gives_names_in_both_versions_and_they_survive_a_restart
    neckar_snmp_walks_total
    neckar_snmp_failed_total
    neckar_snmp_devices
    neckar_snmp_devices_backing_off
    neckar_snmp_interfaces
daemon/tests/neckard/snmp.rs::thousands_of_interfaces_are_walked_up_to_the_bound_and_old_devices_too
    neckar_snmp_cut_total
a moment of each walk
    neckar_snmp_devices_walking
daemon/tests/neckard/http.rs::one_address_gets_half_of_the_places_and_nobody_holds_up_the_end
    neckar_http_connections_refused_total
daemon/tests/neckard/http.rs::on_loopback_this_host_may_look_and_no_other_site
    neckar_http_denied_total
a visitor who asks what takes longer than its turn
    neckar_http_busy_total
daemon/tests/neckard/names.rs::the_first_flow_has_no_name_and_later_ones_have
    neckar_names_asked_total
    neckar_names_answered_total
    neckar_names_nameless_total
    neckar_names_entries
daemon/tests/neckard/names.rs::a_name_server_that_is_silent_holds_no_flow_up
    neckar_names_failed_total
daemon/src/reverse_names/table.rs::two_million_addresses_take_no_more_room_than_there_is
    neckar_names_evicted_total
more new addresses than reverse_names.queue holds
    neckar_names_queue_full_total
daemon/tests/neckard/influx.rs::influxdb_has_each_count_once_although_it_was_killed
    neckar_influx_points_total
    neckar_influx_pushes_total
    neckar_influx_errors_total
    neckar_influx_buffer_bytes
    neckar_influx_buffer_points
    neckar_influx_series
    neckar_influx_last_success_timestamp_seconds
    neckar_influx_databases
    neckar_influx_creates_total
daemon/tests/neckard/influx.rs::who_may_not_make_databases_writes_to_those_that_are_there
    neckar_influx_absent_total
    neckar_influx_databases_refused
daemon/tests/neckard/influx.rs::a_full_buffer_loses_no_count
    neckar_influx_skipped_total
daemon/tests/neckard/influx.rs::a_wrong_password_loses_nothing_but_at_the_end
    neckar_influx_dropped_total
daemon/src/push/outbox/tests.rs::refusals_are_counted_once_and_told_at_the_end
    neckar_influx_failed_total
daemon/tests/neckard/remote_write.rs::prometheus_takes_remote_write_and_answers
    neckar_remote_write_points_total
    neckar_remote_write_pushes_total
    neckar_remote_write_series
    neckar_remote_write_last_success_timestamp_seconds
daemon/tests/neckard/remote_write.rs::what_is_refused_fails_and_what_has_no_room_is_skipped
    neckar_remote_write_failed_total
    neckar_remote_write_errors_total
    neckar_remote_write_skipped_total
    neckar_remote_write_buffer_bytes
    neckar_remote_write_buffer_points
    neckar_remote_write_dropped_total
";

/// Each of them, and what moves it.
pub fn moved_elsewhere() -> Vec<(&'static str, &'static str)> {
    let (mut by, mut all) = ("", Vec::new());
    for line in MOVED_ELSEWHERE.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("    ") {
            Some(name) => all.push((name, by)),
            None => by = line,
        }
    }
    all
}
