'use strict';

// Sends count distinct messages to a topic, then consumes the topic from its
// beginning until as many distinct messages have arrived. Prints one line
// "sent BODY" or "received BODY" per message; the caller compares the sets.
//
// Arguments: node_modules directory, name server address, topic, group, count,
// seconds to wait. It signs with ACCESS_KEY and SECRET_KEY of the environment, if they
// are set.
// Exit code: 0 all received, 1 not within the time or a message not stored.

const path = require('path');

const [modules, nameSrv, topic, group, countText, secondsText] = process.argv.slice(2);
const { Consumer, Message, Producer } = require(path.join(modules, 'ali-ons'));
const count = Number(countText);

const common = {
  httpclient: require(path.join(modules, 'urllib')),
  nameSrv: [nameSrv],
  accessKeyId: process.env.ACCESS_KEY || '',
  accessKeySecret: process.env.SECRET_KEY || '',
  clientIP: '127.0.0.1',
};

async function produce() {
  const producer = new Producer({
    ...common,
    producerGroup: `${group}-producer`,
    instanceName: 'producer',
    sendMsgTimeout: 30000, // nothing must fail because the machine is busy
  });
  await producer.ready();
  for (let i = 0; i < count; i++) {
    const body = `${topic}-${i}`;
    const result = await producer.send(new Message(topic, 'tag', body));
    if (result.sendStatus !== 'SEND_OK') {
      throw new Error(`refused ${body} ${result.sendStatus}`);
    }
    console.log(`sent ${body}`);
  }
  await producer.close();
}

function consume() {
  const distinct = new Set();
  const consumer = new Consumer({
    ...common,
    consumerGroup: group,
    instanceName: 'consumer',
    consumeFromWhere: 'CONSUME_FROM_FIRST_OFFSET',
  });
  return new Promise(resolve => {
    consumer.on('error', err => console.log(err.stack));
    consumer.subscribe(topic, '*', async msg => {
      const body = msg.body.toString();
      console.log(`received ${body}`);
      distinct.add(body);
      if (distinct.size === count) {
        resolve();
      }
    });
  });
}

setTimeout(() => process.exit(1), Number(secondsText) * 1000);
produce().then(consume).then(() => process.exit(0), err => {
  console.log(err.stack);
  process.exit(1);
});
