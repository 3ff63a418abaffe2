'use strict';

// Sends count distinct messages to a topic through a proxy, and receives them. Prints
// one line "sent BODY" or "received BODY" per message; the caller compares the sets.
//
// Arguments: node_modules directory, proxy address, topic, group, count, seconds to
// wait.
// Exit code: 0 all received, 1 not within the time.

const path = require('path');

const [modules, endpoints, topic, consumerGroup, countText, secondsText] = process.argv.slice(2);
const { Producer, SimpleConsumer } = require(path.join(modules, 'rocketmq-client-nodejs'));
const count = Number(countText);

const common = {
  endpoints,
  namespace: '',
  requestTimeout: 30000, // nothing must fail because the machine is busy
};

async function talk() {
  // The consumer asks first: a new group starts at the end of a topic.
  const consumer = new SimpleConsumer({
    ...common,
    consumerGroup,
    subscriptions: new Map([[topic, '*']]),
    awaitDuration: 2000,
  });
  await consumer.startup();
  await consumer.receive(1, 60000);

  const producer = new Producer(common);
  await producer.startup();
  for (let i = 0; i < count; i++) {
    const body = `${topic}-${i}`;
    await producer.send({ topic, body: Buffer.from(body) });
    console.log(`sent ${body}`);
  }

  const distinct = new Set();
  while (distinct.size < count) {
    for (const message of await consumer.receive(32, 60000)) {
      const body = message.body.toString();
      console.log(`received ${body}`);
      distinct.add(body);
      await consumer.ack(message);
    }
  }
}

setTimeout(() => process.exit(1), Number(secondsText) * 1000);
talk().then(() => process.exit(0), err => {
  console.log(err.stack);
  process.exit(1);
});
