/*
 * Prints a topic's first flows, with librdkafka and neckar_flows.h; C and C++ alike.
 *
 *     apt-get install librdkafka-dev
 *     cc -O2 -I kafka/include kafka/examples/consumer.c -o consumer -lrdkafka
 *     ./consumer 127.0.0.1:9092 flows 10
 *
 * A line a flow: partition, key, bytes, source, its port, exporter, time received; addresses and keys in hexadecimal,
 * `-` for what is absent. A member of a group would subscribe, and store offsets behind its work
 * (`enable.auto.offset.store` = false).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "neckar_flows.h"

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "consumer: %s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *connect_to(const char *brokers)
{
    char why[256];
    rd_kafka_t *client;
    rd_kafka_conf_t *config = rd_kafka_conf_new();
    if (rd_kafka_conf_set(config, "bootstrap.servers", brokers, why, sizeof why) != RD_KAFKA_CONF_OK
        || rd_kafka_conf_set(config, "group.id", "example", why, sizeof why) != RD_KAFKA_CONF_OK) {
        fail("configuration", why);
    }
    client = rd_kafka_new(RD_KAFKA_CONSUMER, config, why, sizeof why);
    if (client == NULL) {
        fail("client", why);
    }
    rd_kafka_poll_set_consumer(client);
    return client;
}

/* Reads all partitions from their beginning. */
static void assign(rd_kafka_t *client, const char *topic)
{
    int index;
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
    rd_kafka_topic_partition_list_t *partitions = rd_kafka_topic_partition_list_new(1);
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, handle, &metadata, 30000);
    if (error || metadata->topic_cnt != 1) {
        fail(topic, rd_kafka_err2str(error));
    }
    for (index = 0; index < metadata->topics[0].partition_cnt; index++) {
        rd_kafka_topic_partition_list_add(partitions, topic, metadata->topics[0].partitions[index].id)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    }
    error = rd_kafka_assign(client, partitions);
    if (error) {
        fail(topic, rd_kafka_err2str(error));
    }
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_partition_list_destroy(partitions);
    rd_kafka_topic_destroy(handle);
}

static void print_bytes(neckar_bytes bytes)
{
    size_t index;
    putchar(' ');
    if (bytes.length == 0) {
        putchar('-');
    }
    for (index = 0; index < bytes.length; index++) {
        printf("%02x", bytes.at[index]);
    }
}

static void print_number(neckar_bytes flow, uint32_t number)
{
    printf(" %llu", (unsigned long long)neckar_number(flow, number));
}

/* Answers how many flows there were. */
static unsigned long print(const rd_kafka_message_t *message)
{
    unsigned long count = 0;
    int more;
    neckar_bytes key, rest, flow;
    neckar_framing framing;
    key.at = (const unsigned char *)message->key;
    key.length = message->key_len;
    rest.at = (const unsigned char *)message->payload;
    rest.length = message->len;
    framing = neckar_framing_of(rest);
    while ((more = neckar_next_flow(&rest, framing, &flow)) > 0) {
        printf("%d", (int)message->partition);
        print_bytes(key);
        print_number(flow, NECKAR_Bytes);
        print_bytes(neckar_text(flow, NECKAR_SrcAddr));
        print_number(flow, NECKAR_DstPort);
        print_bytes(neckar_text(flow, NECKAR_SamplerAddress));
        print_number(flow, NECKAR_TimeReceived);
        putchar('\n');
        count++;
    }
    if (more < 0) {
        fprintf(stderr, "consumer: offset %lld holds something else\n", (long long)message->offset);
    }
    return count;
}

int main(int argc, char **argv)
{
    unsigned long wanted, seen = 0;
    rd_kafka_t *client;
    if (argc != 4) {
        fail("usage", "consumer BROKERS TOPIC FLOWS");
    }
    wanted = strtoul(argv[3], NULL, 10);
    client = connect_to(argv[1]);
    assign(client, argv[2]);
    while (seen < wanted) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client, 30000);
        if (message == NULL) {
            fail(argv[2], "nothing more came in 30 s");
        }
        if (message->err) {
            fail(argv[2], rd_kafka_message_errstr(message));
        }
        seen += print(message);
        rd_kafka_message_destroy(message);
    }
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return 0;
}
