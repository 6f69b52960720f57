package bus

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	declared "github.com/frostfleet/frostfleet/nats"
)

// duration and size read "10m" and "1GiB" in nats/streams.json.
type (
	duration time.Duration
	size     int64
)

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

func (s *size) UnmarshalText(text []byte) error {
	for _, unit := range []struct {
		name  string
		shift uint
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if digits, ok := strings.CutSuffix(string(text), unit.name); ok {
			n, err := strconv.ParseUint(digits, 10, 32)
			*s = size(n << unit.shift)
			return err
		}
	}
	return fmt.Errorf("size %q must end in KiB, MiB or GiB", text)
}

// declaration is one stream of nats/streams.json. Subjects are relative to
// the fleet's prefix; a limit that is absent is no limit. One per node stands for n
// streams: {node} is the index in its subjects, and its name ends with _<index>.
type declaration struct {
	Name                 Stream                    `json:"name"`
	PerNode              bool                      `json:"per_node"`
	New                  bool                      `json:"new"` // the release before did not have it
	Description          string                    `json:"description"`
	Subjects             []string                  `json:"subjects"`
	Added                []string                  `json:"added"` // of these, what the release before did not have
	Retention            jetstream.RetentionPolicy `json:"retention"`
	Storage              jetstream.StorageType     `json:"storage"`
	Discard              jetstream.DiscardPolicy   `json:"discard"`
	DiscardNewPerSubject bool                      `json:"discard_new_per_subject"`
	MaxMsgsPerSubject    int64                     `json:"max_msgs_per_subject"`
	MaxAge               duration                  `json:"max_age"`
	MaxBytes             size                      `json:"max_bytes"`
	MaxMsgSize           size                      `json:"max_msg_size"`
	DenyDelete           bool                      `json:"deny_delete"`
	DenyPurge            bool                      `json:"deny_purge"`
	AllowAtomic          bool                      `json:"allow_atomic"` // with one replica
	Republish            *republish                `json:"republish"`
	Consumers            []durable                 `json:"consumers"`
}

type republish struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

type durable struct {
	Durable       string   `json:"durable"`
	Filter        string   `json:"filter"`
	AckWait       duration `json:"ack_wait"`
	MaxAckPending int      `json:"max_ack_pending"`
}

// GatewaysDurable is the consumer of JOBS that all gateways share for one kind
// of jobs: long key generations must not hold up signatures.
func GatewaysDurable(kind string) string { return "gateways-" + kind }

// BulkDurable is the consumer of BULK that all gateways share.
const BulkDurable = "gateways-bulk"

// ApprovalsDurable is the consumer of APPROVALS that all gateways share.
const ApprovalsDurable = "gateways-approvals"

// durable is the declared consumer of a name; nil if there is none.
func (d *declaration) durable(name string) *durable {
	for i := range d.Consumers {
		if d.Consumers[i].Durable == name {
			return &d.Consumers[i]
		}
	}
	return nil
}

// load reads the declarations, in order of the file, for a fleet of so many nodes.
func load(nodes int) ([]declaration, error) {
	var file struct {
		Streams []declaration `json:"streams"`
	}
	d := json.NewDecoder(bytes.NewReader(declared.Streams))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("nats/streams.json: %w", err)
	}
	var all []declaration
	for _, d := range file.Streams {
		if !d.PerNode {
			all = append(all, d)
			continue
		}
		for node := range nodes {
			all = append(all, d.of(node))
		}
	}
	return all, nil
}

// of is the declaration of one node's stream.
func (d declaration) of(node int) declaration {
	index := strings.NewReplacer("{node}", strconv.Itoa(node))
	d.Name = ofNode(d.Name, node)
	d.Subjects, d.Added = slices.Clone(d.Subjects), slices.Clone(d.Added)
	for _, list := range [][]string{d.Subjects, d.Added} {
		for i, s := range list {
			list[i] = index.Replace(s)
		}
	}
	if d.Republish != nil {
		d.Republish = &republish{d.Republish.Source, index.Replace(d.Republish.Destination)}
	}
	return d
}

// wasDeclared reports whether a stream has the subjects that the release before declared.
func (d *declaration) wasDeclared(n naming, have []string) bool {
	var was []string
	for _, s := range d.Subjects {
		if !slices.Contains(d.Added, s) {
			was = append(was, n.prefix+s)
		}
	}
	return len(d.Added) > 0 && slices.Equal(was, have)
}

// leastDuplicates is as short as a server has it. The fleet uses no Nats-Msg-Id, and
// within the window whoever writes to a stream first under an id keeps out all others.
const leastDuplicates = 100 * time.Millisecond

// config is the whole configuration of the stream on the server. Everything
// that the server would fill in is set, so that Check can compare every field.
// Several replicas write what comes at about the same time together as it is, and what is
// staged for a batch would be in the leader's memory.
func (d *declaration) config(n naming, replicas int) jetstream.StreamConfig {
	c := jetstream.StreamConfig{
		Name:                 n.stream(d.Name),
		Description:          d.Description,
		Retention:            d.Retention,
		Storage:              d.Storage,
		Discard:              d.Discard,
		DiscardNewPerSubject: d.DiscardNewPerSubject,
		MaxConsumers:         -1,
		MaxMsgs:              -1,
		MaxBytes:             limit(int64(d.MaxBytes)),
		MaxMsgsPerSubject:    limit(d.MaxMsgsPerSubject),
		MaxMsgSize:           int32(limit(int64(d.MaxMsgSize))),
		MaxAge:               time.Duration(d.MaxAge),
		Duplicates:           leastDuplicates,
		DenyDelete:           d.DenyDelete,
		DenyPurge:            d.DenyPurge,
		AllowAtomicPublish:   d.AllowAtomic && replicas <= 1,
		AllowDirect:          true,
		Replicas:             max(replicas, 1),
	}
	for _, s := range d.Subjects {
		c.Subjects = append(c.Subjects, n.prefix+s)
	}
	if d.Republish != nil {
		c.RePublish = &jetstream.RePublish{
			Source:      n.prefix + d.Republish.Source,
			Destination: n.prefix + d.Republish.Destination,
		}
	}
	return c
}

// config is the whole configuration of the consumer on the server, as that of a stream,
// which has so many replicas. Where there are several, they keep in memory who has which
// message, as it changes three times a job: servers that all forget it hand out again what
// was not acknowledged. One alone forgets with it that there is a consumer.
func (d *durable) config(n naming, replicas int) jetstream.ConsumerConfig {
	return jetstream.ConsumerConfig{
		Name:          d.Durable,
		Durable:       d.Durable,
		FilterSubject: n.prefix + d.Filter,
		AckPolicy:     jetstream.AckExplicitPolicy,
		AckWait:       time.Duration(d.AckWait),
		MaxAckPending: d.MaxAckPending,
		MaxDeliver:    -1,
		MaxWaiting:    512,
		MemoryStorage: replicas > 1,
	}
}

func limit(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

// naming makes a fleet's names on the server.
type naming struct {
	prefix string // frost.<fleet>.
	upper  string // FROST_<FLEET>_
}

// CheckFleet says whether a name may be a fleet's: a token in lower case, so
// that its streams' names (upper case) can't be another fleet's.
func CheckFleet(fleet string) error {
	if err := CheckToken(fleet); err != nil {
		return fmt.Errorf("fleet: %w", err)
	}
	if len(fleet) > 32 || fleet != strings.ToLower(fleet) {
		return fmt.Errorf("%w: fleet %q must be lower case and at most 32 characters", ErrSubject, fleet)
	}
	return nil
}

func newNaming(fleet string) (naming, error) {
	return naming{prefix: "frost." + fleet + ".", upper: "FROST_" + strings.ToUpper(fleet) + "_"}, CheckFleet(fleet)
}

func (n naming) stream(s Stream) string { return n.upper + string(s) }

// relative cuts the prefix; ok is false for another fleet's subject.
func (n naming) relative(subject string) (string, bool) { return strings.CutPrefix(subject, n.prefix) }

// streamOf is the stream that stores a subject. A mistake is an error here and
// not a wait for a stream that will never come.
func (b *Bus) streamOf(subject string) (Stream, error) {
	for _, d := range b.streams() {
		if slices.ContainsFunc(d.Subjects, func(s string) bool { return matches(s, subject) }) {
			return d.Name, nil
		}
	}
	return "", fmt.Errorf("%w: no stream stores %q", ErrSubject, clip(subject))
}

// Declared is a stream of nats/streams.json with its consumers.
type Declared struct {
	Stream   Stream
	Name     string // on the server
	Durables []string
	New      bool // the release before did not have it: it may not be made yet
}

// Declared lists the fleet's streams, in order of the file.
func (b *Bus) Declared() []Declared {
	streams := b.streams()
	all := make([]Declared, len(streams))
	for i := range streams {
		d := &streams[i]
		all[i] = Declared{Stream: d.Name, Name: b.names.stream(d.Name), New: d.New}
		for j := range d.Consumers {
			all[i].Durables = append(all[i].Durables, d.Consumers[j].Durable)
		}
	}
	return all
}

// matches compares token by token; * is any one.
func matches(pattern, subject string) bool {
	p, s := strings.Split(pattern, "."), strings.Split(subject, ".")
	return slices.EqualFunc(p, s, func(want, have string) bool { return want == "*" || want == have })
}
