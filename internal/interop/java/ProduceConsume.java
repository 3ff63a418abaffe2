import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Sends count distinct messages to a topic, then consumes the topic from its
 * beginning until as many distinct messages have arrived. Prints one line
 * "sent BODY" or "received BODY" per message; the caller compares the sets.
 * Uses only what the clients of RocketMQ 4.9 and 5.x have in common.
 *
 * Arguments: name server address (empty: to be found), topic, group, count, seconds to wait.
 * Exit code: 0 all received, 1 not within the time, or a message not sent or stored.
 */
public class ProduceConsume {
    public static void main(String[] args) {
        try {
            talk(args);
        } catch (Throwable e) {
            e.printStackTrace(System.out);
            System.exit(1); // threads of the client would keep the JVM alive
        }
    }

    private static void talk(String[] args) throws Exception {
        String namesrvAddr = args[0];
        String topic = args[1];
        String group = args[2];
        int count = Integer.parseInt(args[3]);
        int seconds = Integer.parseInt(args[4]);

        produce(namesrvAddr, topic, group + "-producer", count);
        boolean complete = consume(namesrvAddr, topic, group, count, seconds);
        System.out.flush();
        System.exit(complete ? 0 : 1);
    }

    private static void produce(String namesrvAddr, String topic, String group, int count) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(group);
        if (!namesrvAddr.isEmpty()) {
            producer.setNamesrvAddr(namesrvAddr);
        }
        producer.setSendMsgTimeout(30_000); // nothing must fail because the machine is busy
        producer.setMqClientApiTimeout(15_000);
        producer.start();
        for (int i = 0; i < count; i++) {
            String body = topic + "-" + i;
            SendResult result = producer.send(new Message(topic, body.getBytes(StandardCharsets.UTF_8)));
            if (result.getSendStatus() != SendStatus.SEND_OK) {
                System.out.println("refused " + body + " " + result.getSendStatus());
                System.exit(1);
            }
            System.out.println("sent " + body);
        }
        producer.shutdown();
    }

    private static boolean consume(String namesrvAddr, String topic, String group, int count, int seconds)
        throws Exception {
        final Set<String> distinct = ConcurrentHashMap.newKeySet();
        final CountDownLatch complete = new CountDownLatch(count);

        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        if (!namesrvAddr.isEmpty()) {
            consumer.setNamesrvAddr(namesrvAddr);
        }
        consumer.setMqClientApiTimeout(15_000);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(new MessageListenerConcurrently() {
            @Override
            public ConsumeConcurrentlyStatus consumeMessage(List<MessageExt> msgs, ConsumeConcurrentlyContext context) {
                for (MessageExt msg : msgs) {
                    String body = new String(msg.getBody(), StandardCharsets.UTF_8);
                    System.out.println("received " + body);
                    if (distinct.add(body)) {
                        complete.countDown();
                    }
                }
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            }
        });
        consumer.start();
        boolean all = complete.await(seconds, TimeUnit.SECONDS);
        consumer.shutdown();
        return all;
    }
}
