"""Sends count distinct messages to a topic with the C++ client, and receives them.

Prints one line "sent BODY" or "received BODY" per message; the caller compares the sets.

Arguments: name server address, topic, group, count, seconds to wait.
Exit code: 0 all received, 1 not within the time, or a message not stored.
"""
import os
import sys
import threading

from rocketmq.client import Message, Producer, PushConsumer

namesrv, topic, group, count, seconds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])


def say(line):
    """Print a line in one piece, whichever thread does."""
    os.write(1, (line + '\n').encode('utf-8'))


producer = Producer(group + '-producer')
producer.set_namesrv_addr(namesrv)
producer.start()
for i in range(count):
    body = '%s-%d' % (topic, i)
    message = Message(topic)
    message.set_body(body)
    result = producer.send_sync(message)
    if result.status != 0:
        say('refused %s %s' % (body, result.status))
        os._exit(1)
    say('sent ' + body)

distinct = set()
complete = threading.Event()


def receive(message):
    body = message.body.decode('utf-8')
    say('received ' + body)
    distinct.add(body)
    if len(distinct) == count:
        complete.set()


consumer = PushConsumer(group)
consumer.set_namesrv_addr(namesrv)
consumer.subscribe(topic, receive)
consumer.start()
os._exit(0 if complete.wait(seconds) else 1)  # the threads of the library would keep the process alive
