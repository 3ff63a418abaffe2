"""Sends count distinct messages to a topic through a proxy, and receives them.

Prints one line "sent BODY" or "received BODY" per message; the caller compares the sets.

Arguments: proxy address, topic, group, count, seconds to wait.
Exit code: 0 all received, 1 not within the time.
"""
import os
import sys
import time

from rocketmq import ClientConfiguration, Credentials, FilterExpression, Message, Producer, SimpleConsumer
from rocketmq.v5.exception import InternalErrorException

proxy, topic, group, count, seconds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
deadline = time.monotonic() + seconds
config = ClientConfiguration(proxy, Credentials(), request_timeout=30)  # nothing must fail because the machine is busy



def say(line):
    """Print a line in one piece."""
    os.write(1, (line + '\n').encode('utf-8'))


def receive(consumer):
    """Return what there is. A question may overtake the settings of the client, which go
    another way, and without them the proxy fails."""
    while True:
        try:
            return consumer.receive(32, 60) or []
        except InternalErrorException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


# The consumer asks first: a new group starts at the end of a topic.
consumer = SimpleConsumer(config, group, {topic: FilterExpression()}, 2)
consumer.startup()
receive(consumer)

producer = Producer(config, (topic,))
producer.startup()
for i in range(count):
    body = '%s-%d' % (topic, i)
    message = Message()
    message.topic = topic
    message.body = body.encode('utf-8')
    producer.send(message)
    say('sent ' + body)

distinct = set()
while len(distinct) < count and time.monotonic() < deadline:
    for message in receive(consumer):
        body = message.body.decode('utf-8')
        say('received ' + body)
        distinct.add(body)
        consumer.ack(message)
os._exit(0 if len(distinct) == count else 1)  # the threads of the library would keep the process alive
