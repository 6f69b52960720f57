package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

const subject0 = "dkg.0123456789abcdef0123456789abcdef.deal.0"

func TestEnvelopeOfNode(t *testing.T) {
	f, foreign := newFleet(t, 2, 3), newFleet(t, 2, 3)
	key, body := f.sessions[0], []byte("body")
	data := key.Seal(f.m, subject0, body)
	o := NewOpener(f.m, f.access)
	for range 2 { // the second time the delegation is known
		if got, err := o.FromNode(0, storedAt(subject0, t0, data)); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	change := func(f func(*Envelope)) []byte {
		var e Envelope
		must(0, Decode(data, MaxMessageSize, &e))
		f(&e)
		return Encode(&e)
	}
	early, late := t0.Add(-ClockSkew-time.Second), t0.Add(DelegationLife+ClockSkew+time.Second)
	for name, test := range map[string]struct {
		node    int
		subject string
		at      time.Time
		data    []byte
	}{
		"another subject":      {0, strings.Replace(subject0, "deal", "cert", 1), t0, data},
		"another node's slot":  {1, subject0, t0, data},
		"before the session":   {0, subject0, early, data},
		"after the session":    {0, subject0, late, data},
		"another body":         {0, subject0, t0, change(func(e *Envelope) { e.Body = []byte("bode") })},
		"no signature":         {0, subject0, t0, change(func(e *Envelope) { e.Signature = nil })},
		"no delegation":        {0, subject0, t0, change(func(e *Envelope) { e.Delegation = nil })},
		"another's delegation": {0, subject0, t0, change(func(e *Envelope) { e.Delegation = f.sessions[1].delegation })},
		"another fleet":        {0, subject0, t0, foreign.sessions[0].Seal(foreign.m, subject0, body)},
		"sealed for another":   {0, subject0, t0, key.Seal(foreign.m, subject0, body)},
		"a gateway":            {0, subject0, t0, SealGateway(f.gateway, "gw", f.m, subject0, body)},
		"no envelope":          {0, subject0, t0, body},
		"too large":            {0, subject0, t0, key.Seal(f.m, subject0, make([]byte, MaxMessageSize))},
	} {
		msg := storedAt(test.subject, test.at, test.data)
		for _, msg := range []LogMessage{msg, NewReader().Read(f.m, msg), NewReader().Read(foreign.m, msg)} {
			if got, err := o.FromNode(test.node, msg); err == nil || got != nil {
				t.Errorf("%s: opened, %v", name, err)
			}
		}
	}
	for _, at := range []time.Time{t0.Add(-ClockSkew), t0.Add(DelegationLife + ClockSkew)} {
		if _, err := o.FromNode(0, storedAt(subject0, at, data)); err != nil {
			t.Errorf("at %s: %v", at.Sub(t0), err)
		}
	}
}

func TestEnvelopeOfGateway(t *testing.T) {
	f := newFleet(t, 2, 3)
	o := NewOpener(f.m, f.access)
	data := SealGateway(f.gateway, "gw", f.m, "work.x", []byte("task"))
	if got, err := o.FromGateway("work.x", data); err != nil || string(got) != "task" {
		t.Fatalf("got %q, %v", got, err)
	}
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	for name, data := range map[string][]byte{
		"unknown":       SealGateway(f.gateway, "other", f.m, "work.x", nil),
		"wrong key":     SealGateway(stranger, "gw", f.m, "work.x", nil),
		"wrong subject": SealGateway(f.gateway, "gw", f.m, "work.y", nil),
		"other fleet":   SealGateway(f.gateway, "gw", newFleet(t, 2, 3).m, "work.x", nil),
		"a node":        f.sessions[0].Seal(f.m, "work.x", nil),
	} {
		if _, err := o.FromGateway("work.x", data); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

// A delegation is what the HSM said once; everything in it is bound, and it
// can't live longer than a session key may.
func TestDelegations(t *testing.T) {
	f := newFleet(t, 2, 3)
	o := NewOpener(f.m, f.access)
	make := func(change func(*delegation)) []byte {
		d := f.sessions[0].pending
		change(&d)
		d.Attestation = f.attestOne(min(int(d.Node), 2), d.leaf(f.m))
		return Encode(&d)
	}
	if _, err := o.delegation(make(func(*delegation) {})); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*delegation){
		"no such node": func(d *delegation) { d.Node = 3 },
		"huge node":    func(d *delegation) { d.Node = math.MaxUint32 },
		"short key":    func(d *delegation) { d.Key = d.Key[:31] },
		"long life":    func(d *delegation) { d.NotAfter = d.NotBefore + int64(DelegationLife.Seconds()) + 1 },
		// NotAfter - NotBefore is over 2^63 and wraps.
		"for ever": func(d *delegation) { d.NotBefore, d.NotAfter = -5e17, 9e18 },
	} {
		if _, err := o.delegation(make(change)); !errors.Is(err, errDelegation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	tampered := func(change func(*delegation)) []byte {
		d := f.sessions[0].pending
		change(&d)
		return Encode(&d)
	}
	for name, change := range map[string]func(*delegation){
		"node": func(d *delegation) { d.Node = 1 }, "not before": func(d *delegation) { d.NotBefore++ },
		"not after": func(d *delegation) { d.NotAfter-- }, "key": func(d *delegation) { d.Key = f.sessions[1].pending.Key },
		"attestation": func(d *delegation) { d.Attestation = nil },
	} {
		if _, err := o.delegation(tampered(change)); err == nil {
			t.Errorf("%s was changed after the HSM signed, and it passes", name)
		}
	}
}

func TestDelegationCacheIsBounded(t *testing.T) {
	f := newFleet(t, 1, 1)
	o := NewOpener(f.m, f.access)
	for i := range maxKnownDelegations {
		o.known[[32]byte{byte(i), byte(i >> 8)}] = nil
	}
	if _, err := o.delegation(f.sessions[0].delegation); err != nil || len(o.known) > maxKnownDelegations {
		t.Fatalf("%d delegations remembered, %v", len(o.known), err)
	}
}

func TestSessionKeyPrintsNothing(t *testing.T) {
	key := newFleet(t, 1, 1).sessions[0]
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		if got := fmt.Sprintf(verb, key); got != "[session key]" {
			t.Errorf("%s prints %.60s", verb, got)
		}
	}
	equal(t, "life", key.NotAfter(), time.Unix(t0.Add(DelegationLife).Unix(), 0))
	if _, err := NewSessionKey(bytes.NewReader(nil), 0, t0); err == nil {
		t.Error("a session key without randomness")
	}
}

// storedAt is a message that the bus stored at a time.
func storedAt(subject string, at time.Time, data []byte) LogMessage {
	return LogMessage{Subject: subject, Time: at, Data: data}
}
