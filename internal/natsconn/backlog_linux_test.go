package natsconn

import (
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// TestSlowLink: a link on which a message of the largest size takes longer than a
// server may be silent. The server has nothing to say until it has the message.
func TestSlowLink(t *testing.T) {
	log := new(lines)
	c, l := pair(t, log)
	l.Slow(faultlink.Up, MaxPayload/4/int(deafAfter/time.Second))
	answers := must[*nats.Subscription](t)(c.SubscribeSync("q"))
	if err := c.Publish("q", make([]byte, MaxPayload)); err != nil {
		t.Fatal(err)
	}
	if m, err := answers.NextMsg(patience); err != nil || len(m.Data) != MaxPayload {
		t.Errorf("%v", err)
	}
	if c.ConnectedServerName() != "first" || strings.Contains(log.String(), "silent") {
		t.Errorf("given up: %s", log)
	}
}
