package nsctl

import (
	"context"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// orderNamespace has the order configurations: the topic is the key, and the value says
// how many queues of which brokers its messages are ordered over.
// Java: NamesrvUtil.NAMESPACE_ORDER_TOPIC_CONFIG.
const orderNamespace = "ORDER_TOPIC_CONFIG"

// newOrder makes `nsctl order`.
func (c *ctl) newOrder() *cobra.Command {
	topic := func(args []string) (namespace, key string) { return orderNamespace, args[0] }
	keys := func(ctx context.Context, s *server, typed string, _ []string) ([]string, error) {
		return askKVKeys(ctx, s, typed, []string{orderNamespace})
	}
	return group("order", "Order configurations of topics: how many queues of which brokers",
		c.getKey(&cobra.Command{
			Use:               "get TOPIC",
			Short:             "Show the order configuration of a topic: exit 1 if it has none",
			Example:           "  nsctl order get ORDERS",
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: c.complete(0, keys),
		}, topic),
		&cobra.Command{
			Use:               "put TOPIC BROKER:QUEUES[;BROKER:QUEUES...]",
			Short:             "Set the order configuration of a topic",
			Example:           "  nsctl order put ORDERS 'broker-a:8;broker-b:8'",
			Args:              cobra.ExactArgs(2),
			ValidArgsFunction: c.complete(0, askTopics),
			RunE: c.writes(func(ctx context.Context, args []string) error {
				if err := checkOrder(args[1]); err != nil {
					return err
				}
				return c.putKey(ctx, orderNamespace, args[0], args[1])
			}),
		},
		&cobra.Command{
			Use:               "delete TOPIC",
			Short:             "Remove the order configuration of a topic",
			Example:           "  nsctl order delete ORDERS",
			Args:              cobra.ExactArgs(1),
			ValidArgsFunction: c.complete(0, keys),
			RunE:              c.writes(func(ctx context.Context, args []string) error { return c.deleteKey(ctx, orderNamespace, args[0]) }),
		},
	)
}

var orderSyntax = regexp.MustCompile(`^[^;:]+:[0-9]{1,9}$`)

// checkOrder refuses an order configuration that clients cannot read: Java's throw an
// exception, and the Go client panics, also at a semicolon in the end.
func checkOrder(text string) error {
	for item := range strings.SplitSeq(text, ";") {
		if !orderSyntax.MatchString(item) {
			return usage("an order configuration is BROKER:QUEUES;BROKER:QUEUES, without a semicolon in the end: %q is not", text)
		}
	}
	return nil
}
