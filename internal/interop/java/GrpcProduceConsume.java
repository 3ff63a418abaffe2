import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Collections;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.apis.ClientConfiguration;
import org.apache.rocketmq.client.apis.ClientServiceProvider;
import org.apache.rocketmq.client.apis.consumer.ConsumeResult;
import org.apache.rocketmq.client.apis.consumer.FilterExpression;
import org.apache.rocketmq.client.apis.producer.Producer;

/**
 * Sends count distinct messages to a topic through a proxy and receives them
 * with a push consumer. Prints one line "sent BODY" or "received BODY" per
 * message; the caller compares the sets.
 *
 * Arguments: proxy address, topic, group, count, seconds to wait.
 * Exit code: 0 all received, 1 not within the time.
 */
public class GrpcProduceConsume {
    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int count = Integer.parseInt(args[3]);
        ClientServiceProvider provider = ClientServiceProvider.loadService();
        ClientConfiguration proxy = ClientConfiguration.newBuilder().setEndpoints(args[0])
            .setRequestTimeout(Duration.ofSeconds(30)).build(); // nothing must fail because the machine is busy

        // The consumer comes first: a new group starts at the end of a topic.
        Set<String> distinct = ConcurrentHashMap.newKeySet();
        CountDownLatch complete = new CountDownLatch(count);
        provider.newPushConsumerBuilder()
            .setClientConfiguration(proxy)
            .setConsumerGroup(args[2])
            .setSubscriptionExpressions(Collections.singletonMap(topic, FilterExpression.SUB_ALL))
            .setMessageListener(message -> {
                String body = StandardCharsets.UTF_8.decode(message.getBody()).toString();
                System.out.println("received " + body);
                if (distinct.add(body)) {
                    complete.countDown();
                }
                return ConsumeResult.SUCCESS;
            })
            .build();

        Producer producer = provider.newProducerBuilder().setClientConfiguration(proxy).setTopics(topic).build();
        for (int i = 0; i < count; i++) {
            String body = topic + "-" + i;
            producer.send(provider.newMessageBuilder()
                .setTopic(topic).setBody(body.getBytes(StandardCharsets.UTF_8)).build());
            System.out.println("sent " + body);
        }
        boolean all = complete.await(Integer.parseInt(args[4]), TimeUnit.SECONDS);
        System.out.flush();
        System.exit(all ? 0 : 1);
    }
}
