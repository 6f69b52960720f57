package bus

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrSubject is wrapped by every error about a subject or one of its tokens.
var ErrSubject = errors.New("bad subject")

const maxToken = 64

// Stream names one of the fleet's streams, as in nats/streams.json.
type Stream string

// The streams of a fleet.
const (
	Jobs       Stream = "JOBS"
	Bulk       Stream = "BULK"
	Work       Stream = "WORK"
	Rounds     Stream = "ROUNDS" // the family of RoundsOf
	Keys       Stream = "KEYS"
	Sign       Stream = "SIGN"
	Results    Stream = "RESULTS"
	Pending    Stream = "PENDING"
	Approvals  Stream = "APPROVALS"
	Notices    Stream = "NOTICES"
	Presence   Stream = "PRESENCE"
	Control    Stream = "CONTROL"
	DeadLetter Stream = "DEADLETTER"
	Webhooks   Stream = "WEBHOOKS"
	Requests   Stream = "REQUESTS"
	Labels     Stream = "LABELS"
)

// RoundsOf is the stream of what one node says of key generations.
func RoundsOf(node int) Stream { return ofNode(Rounds, node) }

func ofNode(family Stream, node int) Stream { return family + Stream("_"+strconv.Itoa(node)) }

// Family is the stream's name without the node that it belongs to, if it is one node's.
func (s Stream) Family() Stream {
	if strings.HasPrefix(string(s), string(Rounds)+"_") {
		return Rounds
	}
	return s
}

// CheckToken checks that s may be between two dots: [A-Za-z0-9_-]{1,64}.
func CheckToken(s string) error {
	if len(s) == 0 || len(s) > maxToken {
		return fmt.Errorf("%w: token %q must have 1 to %d characters", ErrSubject, clip(s), maxToken)
	}
	for i := range len(s) {
		if !tokenByte(s[i]) {
			return fmt.Errorf("%w: token %q may contain only letters, digits, _ and -", ErrSubject, clip(s))
		}
	}
	return nil
}

func tokenByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

// checkSubject wants tokens joined by dots, as every stored subject has them.
func checkSubject(s string) error {
	for token := range strings.SplitSeq(s, ".") {
		if err := CheckToken(token); err != nil {
			return fmt.Errorf("subject %q: %w", clip(s), err)
		}
	}
	return nil
}

// checkFilter is checkSubject with wildcards.
func checkFilter(s string) error {
	tokens := strings.Split(s, ".")
	for i, token := range tokens {
		if token == "*" || token == ">" && i == len(tokens)-1 {
			continue
		}
		if err := CheckToken(token); err != nil {
			return fmt.Errorf("filter %q: %w", clip(s), err)
		}
	}
	return nil
}

// clip keeps untrusted text in errors short.
func clip(s string) string {
	if len(s) > 96 {
		return s[:96] + "..."
	}
	return s
}
