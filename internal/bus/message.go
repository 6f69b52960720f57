package bus

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Message is a stored or announced message. Its bytes are untrusted.
type Message struct {
	Subject string // relative to the fleet's prefix
	Data    []byte
	Header  map[string][]string // the writer's, without the names reserved to NATS; nil if it can't be read
	Seq     uint64              // sequence in its stream; 0 if it was not stored
	Time    time.Time           // when the server stored it
}

// reserved starts the header names of the server; writers may not use them.
const reserved = "Nats-"

// The server's headers on direct gets and republished messages.
const (
	hdrStream      = "Nats-Stream"
	hdrSubject     = "Nats-Subject"
	hdrSeq         = "Nats-Sequence"
	hdrTime        = "Nats-Time-Stamp"
	hdrPending     = "Nats-Num-Pending"
	hdrUnused      = "Nats-Pending-Messages"
	hdrStatus      = "Status"
	hdrDescription = "Description"
)

// errAmbiguous: the header block of a stored message hides or forges the
// server's headers. The JSON API has what it really is.
var errAmbiguous = errors.New("headers do not identify the stored message")

// stored reads a message that carries the server's headers.
func (b *Bus) stored(m *nats.Msg, stream string) (Message, error) {
	got, err := b.names.storedHeader(m.Header, blockSize(m), stream)
	got.Data = m.Data
	if blockSize(m) > maxKeptHeader { // whoever keeps the data would keep all of it
		got.Data = bytes.Clone(m.Data)
	}
	return got, err
}

// maxKeptHeader is how much of a message's headers may stay in memory with its data, in bytes:
// both are parts of what the connection read. It is no more than what those who hold many
// messages count for each beside its data (board.Board, a node's early messages).
const maxKeptHeader = 1 << 10

// storedHeader reads the header that a block of size bytes was parsed to. Only if that
// accounts for every byte of the block was nothing cut off behind an early blank line
// or dropped, and what the server appended is the last value of its name.
func (n naming) storedHeader(h nats.Header, size int, stream string) (Message, error) {
	if len(h) == 0 || size != headerSize(h, false) || last(h, hdrStream) != stream {
		return Message{}, errAmbiguous
	}
	subject, ok := n.relative(last(h, hdrSubject))
	seq, err := strconv.ParseUint(last(h, hdrSeq), 10, 64)
	at, errTime := time.Parse(time.RFC3339Nano, last(h, hdrTime))
	if !ok || err != nil || errTime != nil || seq == 0 {
		return Message{}, errAmbiguous
	}
	return Message{Subject: subject, Header: userHeader(h), Seq: seq, Time: at}, nil
}

// blockSize is the length of the header block as it came.
func blockSize(m *nats.Msg) int { return m.Size() - len(m.Subject) - len(m.Reply) - len(m.Data) }

// headerSize is the length of the block that parses to h; inline is the form
// of the server's own answers, "NATS/1.0 404 Message Not Found".
func headerSize(h nats.Header, inline bool) int {
	n := len("NATS/1.0\r\n\r\n")
	for k, values := range h {
		for _, v := range values {
			if inline && (k == hdrStatus || k == hdrDescription) {
				n += len(" ") + len(v)
				continue
			}
			n += len(k) + len(": \r\n") + len(v)
		}
	}
	return n
}

// isStatus distinguishes the server's own answers from stored messages. Those end
// with the server's Nats-Sequence; a block that hides it does not add up.
func isStatus(m *nats.Msg) bool {
	return len(m.Data) == 0 && last(m.Header, hdrStatus) != "" && last(m.Header, hdrSeq) == "" &&
		blockSize(m) == headerSize(m.Header, true)
}

// isEnd: nothing is stored from there on.
func isEnd(m *nats.Msg) bool { return isStatus(m) && last(m.Header, hdrStatus) == "404" }

func statusError(m *nats.Msg) error {
	if last(m.Header, hdrStatus) == "503" { // no responders
		return ErrNoStream
	}
	return fmt.Errorf("server answers %s %s", last(m.Header, hdrStatus), last(m.Header, hdrDescription))
}

// last value of a header: the server appends its own after the writer's.
func last(h nats.Header, name string) string {
	values := h[name]
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// userHeader drops what belongs to NATS.
func userHeader(h nats.Header) map[string][]string {
	var out map[string][]string
	for k, v := range h {
		if isReserved(k) {
			continue
		}
		if out == nil {
			out = make(map[string][]string, len(h))
		}
		out[k] = v
	}
	return out
}

func isReserved(name string) bool {
	return len(name) >= len(reserved) && strings.EqualFold(name[:len(reserved)], reserved) ||
		name == hdrStatus || name == hdrDescription
}

// outgoing builds a message for the server after checking every part of it, and
// names the stream that will store it.
func (b *Bus) outgoing(subject string, data []byte, header map[string][]string) (*nats.Msg, Stream, error) {
	if err := checkSubject(subject); err != nil {
		return nil, "", err
	}
	stream, err := b.streamOf(subject)
	if err != nil {
		return nil, "", err
	}
	m := &nats.Msg{Subject: b.names.prefix + subject, Data: data, Header: make(nats.Header, len(header)+1)}
	for k, values := range header {
		if CheckToken(k) != nil || isReserved(k) {
			return nil, "", fmt.Errorf("bus: header %q is reserved or no plain name", clip(k))
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n") || strings.TrimSpace(v) != v {
				return nil, "", fmt.Errorf("bus: value of header %s must have no line break and no space around it", k)
			}
		}
		m.Header[k] = values
	}
	return m, stream, nil
}
