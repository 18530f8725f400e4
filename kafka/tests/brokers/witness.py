"""Reads a topic as a consumer would who has never heard of us: confluent-kafka fetches, Google's
protobuf decodes by what protoc made of a .proto file. Prints one JSON line a flow: partition, key,
and the fields asked for.

witness.py BROKERS TOPIC MODULE FRAMING FLOWS FIELD...   (MODULE's folder is in PYTHONPATH)
"""

import importlib
import json
import sys

from confluent_kafka import Consumer, TopicPartition
from google.protobuf.internal.decoder import _DecodeVarint

brokers, topic, module, framing, flows, *fields = sys.argv[1:]
FlowMessage = importlib.import_module(module).FlowMessage


def payloads(value):
    """The flows of a message's value."""
    if framing == "bare":
        yield value
        return
    at = 0
    while at < len(value):
        length, at = _DecodeVarint(value, at)
        yield value[at : at + length]
        at += length


def plain(value):
    return value.hex() if isinstance(value, bytes) else value


consumer = Consumer({"bootstrap.servers": brokers, "group.id": "witness", "auto.offset.reset": "earliest"})
partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
seen = 0
while seen < int(flows):
    record = consumer.poll(30)
    if record is None or record.error():
        sys.exit(f"{seen} of {flows} flows came: {record and record.error()}")
    for payload in payloads(record.value()):
        flow = FlowMessage()
        assert flow.ParseFromString(payload) == len(payload)
        key = record.key().hex() if record.key() else None
        values = [plain(getattr(flow, field)) for field in fields]
        print(json.dumps([record.partition(), key, *values]))
        seen += 1
consumer.close()
