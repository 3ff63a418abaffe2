import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Clients that do what the lines of a connection tell them, each answered with
 * "ok" or with an error in one line:
 *
 * <pre>
 * producer NAME NAMESRVS      start a producer with connections of its own
 * send NAME TOPIC BODY        send with the producer NAME
 * consume NAME NAMESRVS TOPIC start a consumer likewise; it prints "received NAME BODY";
 *                             after an error it may be told again
 * </pre>
 *
 * Arguments: the port on 127.0.0.1 to connect to. Ends with the connection.
 */
public class Client {
    private static final Map<String, DefaultMQProducer> PRODUCERS = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Socket socket = new Socket("127.0.0.1", Integer.parseInt(args[0]));
        BufferedReader in = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
        PrintWriter out = new PrintWriter(socket.getOutputStream(), true);
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                carryOut(line.split(" "));
                out.println("ok");
            } catch (Exception e) {
                out.println(e.toString().replace('\n', ' '));
            }
        }
        System.exit(0);
    }

    private static void carryOut(String[] word) throws Exception {
        switch (word[0]) {
            case "producer": {
                DefaultMQProducer producer = new DefaultMQProducer(word[1]);
                configure(producer, word[1], word[2]);
                producer.setSendMsgTimeout(30_000);
                producer.start();
                PRODUCERS.put(word[1], producer);
                break;
            }
            case "send": {
                byte[] body = word[3].getBytes(StandardCharsets.UTF_8);
                SendResult result = PRODUCERS.get(word[1]).send(new Message(word[2], body));
                if (result.getSendStatus() != SendStatus.SEND_OK) {
                    throw new IllegalStateException(result.toString());
                }
                break;
            }
            case "consume": {
                final String name = word[1];
                DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(name);
                configure(consumer, name, word[2]);
                consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
                consumer.subscribe(word[3], "*");
                consumer.registerMessageListener((MessageListenerConcurrently) (msgs, context) -> {
                    for (MessageExt msg : msgs) {
                        System.out.println("received " + name + " " + new String(msg.getBody(), StandardCharsets.UTF_8));
                    }
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                });
                Thread hastener = Shutdowns.hasten(); // a consumer that cannot start shuts down
                try {
                    consumer.start();
                } finally {
                    hastener.interrupt();
                }
                break;
            }
            default:
                throw new IllegalArgumentException(word[0]);
        }
    }

    /** Clients of one instance name share connections; a short poll shows soon what a client thinks of a route. */
    private static void configure(ClientConfig config, String name, String namesrvs) {
        config.setNamesrvAddr(namesrvs);
        config.setInstanceName(name);
        config.setPollNameServerInterval(1000);
        config.setMqClientApiTimeout(15_000); // a question must not fail because the machine is busy
    }
}
