// Package webhook tells receivers over HTTP what became of jobs: that one is finished, was
// denied, or waits for approvals. Messages are those of Standard Webhooks
// (standardwebhooks.com): an id that stays the same, a time, and an HMAC-SHA256 over both and
// the body.
//
// Each event comes at least once. A webhook belongs to one gateway at a time, which keeps in
// WEBHOOKS how far it came; where that gateway is gone, another one goes on from there. So
// each webhook has its own progress, and a receiver that is down holds up nobody else's.
// docs/adr/0033-webhooks.md says why it is done so.
//
// Only what proves itself is told: results that a gateway of the access list signed, and jobs
// that wait with their client's signature.
package webhook

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/directory"
)

// Event is what a webhook may be told of.
type Event string

// The events, as the configuration names them. In a message they begin with "job.".
const (
	Finished Event = "finished" // it has its result: done, partial or failed
	Denied   Event = "denied"   // policies deny it
	Pending  Event = "pending"  // it waits for approvals
)

// Type is what a message of the event calls it.
func (e Event) Type() string { return "job." + string(e) }

// eventOf is the event that a job in a state is; none of one that is under way.
func eventOf(s directory.State) Event {
	switch {
	case s == directory.Pending:
		return Pending
	case s == directory.Denied:
		return Denied
	case s.Ended():
		return Finished
	}
	return ""
}

// Config is one webhook, as package config has checked it. Its name is also that of its
// progress: under another name it begins anew, with what happens from then on.
type Config struct {
	Name    string   // 1 to 64 letters, digits, _ and -
	Client  string   // whose jobs; "*": of all clients
	URL     string   // https, or http of this machine
	Events  []Event  // none: all
	Secrets [][]byte // one, or while it is replaced two: messages are signed with each
}

// wants reports whether the webhook is told of an event.
func (c Config) wants(e Event) bool {
	return e != "" && (len(c.Events) == 0 || slices.Contains(c.Events, e))
}

// Bounds of secrets, in bytes (Standard Webhooks), and how many there may be.
const (
	minSecret  = 24
	maxSecret  = 64
	maxSecrets = 2
	secretMark = "whsec_"
)

// MaxSecretFile bounds a webhook's secret_file, in bytes.
const MaxSecretFile = 1 << 10

// ParseSecrets reads a secret_file: one secret a line, "whsec_" and base64 of 24 to 64 bytes.
// Errors do not repeat what is in it.
func ParseSecrets(text []byte) (secrets [][]byte, err error) {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		encoded, ok := strings.CutPrefix(line, secretMark)
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil || len(raw) < minSecret || len(raw) > maxSecret {
			return nil, fmt.Errorf("secret %d is not %q and the base64 of %d to %d bytes", len(secrets)+1, secretMark, minSecret,
				maxSecret)
		}
		secrets = append(secrets, raw)
	}
	if len(secrets) == 0 || len(secrets) > maxSecrets {
		return nil, fmt.Errorf("%d secrets: want 1, or 2 while it is replaced", len(secrets))
	}
	return secrets, nil
}
