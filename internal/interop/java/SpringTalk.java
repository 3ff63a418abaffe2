import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.spring.annotation.RocketMQMessageListener;
import org.apache.rocketmq.spring.core.RocketMQListener;
import org.apache.rocketmq.spring.core.RocketMQPushConsumerLifecycleListener;
import org.apache.rocketmq.spring.core.RocketMQTemplate;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;

/**
 * A Spring Boot application with the starter of RocketMQ: a listener receives what a
 * template sends. Prints one line "sent BODY" or "received BODY" per message; the
 * caller compares the sets.
 *
 * Arguments: name server address, topic, group, count, seconds to wait.
 * Exit code: 0 all received, 1 not within the time, or a message not stored.
 */
@SpringBootConfiguration
@EnableAutoConfiguration
public class SpringTalk {
    private static final Set<String> DISTINCT = ConcurrentHashMap.newKeySet();
    private static CountDownLatch complete;

    @RocketMQMessageListener(topic = "${talk.topic}", consumerGroup = "${talk.group}")
    public static class Listener implements RocketMQListener<String>, RocketMQPushConsumerLifecycleListener {
        @Override
        public void prepareStart(DefaultMQPushConsumer consumer) {
            // Else a queue whose first message comes while the consumer asks where it ends loses that.
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        }

        @Override
        public void onMessage(String body) {
            System.out.println("received " + body);
            if (DISTINCT.add(body)) {
                complete.countDown();
            }
        }
    }

    @Bean
    public Listener listener() {
        return new Listener();
    }

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int count = Integer.parseInt(args[3]);
        complete = new CountDownLatch(count);

        Map<String, Object> properties = new HashMap<>();
        properties.put("rocketmq.name-server", args[0]);
        properties.put("rocketmq.producer.group", args[2] + "-producer");
        properties.put("rocketmq.producer.send-message-timeout", 30_000); // nothing must fail because the machine is busy
        properties.put("talk.topic", topic);
        properties.put("talk.group", args[2]);
        SpringApplication application = new SpringApplication(SpringTalk.class);
        application.setWebApplicationType(WebApplicationType.NONE);
        application.setDefaultProperties(properties);
        RocketMQTemplate template = application.run().getBean(RocketMQTemplate.class);

        for (int i = 0; i < count; i++) {
            String body = topic + "-" + i;
            SendResult result = template.syncSend(topic, body);
            if (result.getSendStatus() != SendStatus.SEND_OK) {
                System.out.println("refused " + body + " " + result.getSendStatus());
                System.exit(1);
            }
            System.out.println("sent " + body);
        }
        boolean all = complete.await(Integer.parseInt(args[4]), TimeUnit.SECONDS);
        System.out.flush();
        System.exit(all ? 0 : 1);
    }
}
