package bus

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A writer may send any header block. Whatever it does, it is read as the
// message it is, with the server's sequence.
func TestHostileHeaders(t *testing.T) {
	blocks := map[string]string{
		"early blank line":       "NATS/1.0\r\nA: b\r\n\r\nC: d\r\n\r\n",
		"forged, then blank":     "NATS/1.0\r\nNats-Stream: FROST_MAIN_SIGN\r\nNats-Subject: frost.main.sign.x.commit.9\r\nNats-Sequence: 4000\r\nNats-Time-Stamp: 2020-01-01T00:00:00Z\r\n\r\n\r\n",
		"forged sequence":        "NATS/1.0\r\nNats-Sequence: 4000\r\n\r\n",
		"looks like the end":     "NATS/1.0\r\nStatus: 404\r\nDescription: Message Not Found\r\n\r\n\r\n",
		"looks like no stream":   "NATS/1.0\r\nStatus: 503\r\n\r\n",
		"status line":            "NATS/1.0 404 Message Not Found\r\n\r\n",
		"looks like end of page": "NATS/1.0\r\nStatus: 204\r\nNats-Num-Pending: 0\r\n\r\n\r\n",
		"no colon":               "NATS/1.0\r\nnonsense\r\n\r\n",
		"not a block":            "hello\r\n\r\n",
		"many spaces":            "NATS/1.0\r\nA:    b\r\n\r\n",
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			b, s := newTestBus(t)
			var live collector
			if _, err := b.Follow(testContext(t), Sign, 0, live.options()); err != nil {
				t.Fatal(err)
			}
			subject := commitSubject(testBatch, 1)
			for range 3 {
				publishRaw(t, s.URL(), b.names.prefix+subject, block)
				publishN(t, b, 0, 1)
			}
			checkGapless(t, live.waitFor(t, 6), 1)
			var late collector
			if _, err := b.Follow(testContext(t), Sign, 0, late.options()); err != nil {
				t.Fatal(err)
			}
			for _, m := range late.waitFor(t, 6) {
				if m.Seq%2 == 1 && m.Subject != subject {
					t.Errorf("message %d has subject %q", m.Seq, m.Subject)
				}
			}
			if m, ok, err := b.Last(testContext(t), Sign, subject); err != nil || !ok || m.Seq != 5 {
				t.Errorf("last: %+v %v %v", m, ok, err)
			}
			slots, err := b.Slots(testContext(t), Sign, subject)
			if err != nil || len(slots) != 3 {
				t.Errorf("slots: %v %v", slots, err)
			}
			found, err := b.PublishSlot(testContext(t), subject, []byte("good"), nil, isOneOf("good"))
			if err != nil || found {
				t.Errorf("slot behind junk: %t %v", found, err)
			}
		})
	}
}

// Whatever is answered to a question, Ask returns an error or what was asked for.
func TestHostileAnswers(t *testing.T) {
	b, s := newTestBus(t)
	foreign := rawConn(t, s.URL())
	for name, test := range map[string]struct {
		answer string
		ok     bool
	}{
		"good":              {`{"config":{"name":"x"},"error":null}`, true},
		"empty":             {"", false},
		"not JSON":          {"NATS/1.0 503", false},
		"two values":        {`{} {}`, false},
		"a list":            {`[{}]`, false},
		"another type":      {`{"config":{"name":7}}`, false},
		"an error, no text": {`{"error":{}}`, false},
		"an error and more": {`{"config":{"name":"x"},"error":{"code":404,"err_code":10059}}`, false},
		"deep":              {strings.Repeat(`{"a":`, 100_000) + strings.Repeat("}", 100_000), false},
		"huge number":       {`{"state":{"messages":1e400}}`, false},
	} {
		answer := func(m *nats.Msg) { _ = m.Respond([]byte(test.answer)) }
		sub := must[*nats.Subscription](t)(foreign.Subscribe("question", answer))
		if err := foreign.Flush(); err != nil {
			t.Fatal(err)
		}
		info := new(jetstream.StreamInfo)
		err := b.Ask(testContext(t), "question", nil, info)
		if (err == nil) != test.ok || test.ok && info.Config.Name != "x" {
			t.Errorf("%s: %+v, %v", name, info.Config, err)
		}
		api, ok := errors.AsType[*jetstream.APIError](err)
		if name == "an error and more" && (!ok || api.ErrorCode != 10059) {
			t.Errorf("%s: the server's error is lost: %v", name, err)
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
	}
}

// publishRaw speaks the NATS protocol itself: nats.go would not send this.
func publishRaw(t *testing.T, url, subject, block string) {
	t.Helper()
	d := &rawDialer{}
	nc := rawConn(t, url, nats.SetCustomDialer(d))
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(d.conn, "HPUB %s %d %d\r\n%s\r\n", subject, len(block), len(block), block); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}
