package register

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/clock"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// AskTime is how long a node has for one answer.
const AskTime = 3 * time.Second

var errOtherAnswer = errors.New("the answer is not one to the question")

// ErrNoAnswer says that a node did not answer in time.
var ErrNoAnswer = errors.New("no answer")

// Asker asks the nodes of one manifest about what they hold, for one process. Answers are sealed for its
// subject, which nobody could know before it started.
type Asker struct {
	bus      *bus.Bus
	manifest *wire.Manifest
	nodes    int
	access   func() *wire.Access // may return nil: nobody is revoked then
	replyTo  string
	hearing  []*bus.Listener // one a node: a node that floods its own fills nobody else's
	number   atomic.Uint64
	seal     func(subject string, body []byte) []byte // nil: questions are not signed

	mu      sync.Mutex
	waiting map[uint64]*question
}

type question struct {
	node   int
	answer chan *wire.Held
}

// NewAsker listens for answers until Close. Without a manifest it takes the bus's word
// for who answers.
func NewAsker(b *bus.Bus, m *wire.Manifest, access func() *wire.Access) (*Asker, error) {
	var token [16]byte
	_, _ = rand.Read(token[:]) // never fails
	a := &Asker{
		bus: b, manifest: m, access: access, replyTo: hex.EncodeToString(token[:]), waiting: map[uint64]*question{},
	}
	if a.nodes = b.Nodes(); m != nil {
		a.nodes = m.N
	}
	for i := range a.nodes {
		l, err := b.Listen(wire.HeldSubject(a.replyTo, i), a.hear)
		if err != nil {
			a.Close()
			return nil, fmt.Errorf("listening for what nodes hold: %w", err)
		}
		a.hearing = append(a.hearing, l)
	}
	return a, nil
}

// SignAs has questions signed by a gateway: nodes then let nobody else take its turn. It
// is called before the first question.
func (a *Asker) SignAs(gateway string, key ed25519.PrivateKey) {
	a.seal = func(subject string, body []byte) []byte {
		return wire.SealGateway(key, gateway, a.manifest, subject, body)
	}
}

// next numbers questions by the time: a node takes no signed one twice.
func (a *Asker) next() uint64 {
	for {
		last := a.number.Load()
		if number := max(last+1, uint64(clock.Now().UnixNano())); a.number.CompareAndSwap(last, number) {
			return number
		}
	}
}

// epoch is that of the manifest.
func (a *Asker) epoch() int {
	if a.manifest == nil {
		return 0
	}
	return a.manifest.Epoch
}

// Close ends the listening.
func (a *Asker) Close() {
	for _, l := range a.hearing {
		l.Stop()
	}
}

// Ask asks one node, and returns its answer. A.Number and A.ReplyTo are set here.
func (a *Asker) Ask(ctx context.Context, node int, ask wire.Ask) (*wire.Held, error) {
	m := a.manifest
	if m == nil {
		m = ofEpoch(0)
	}
	return a.askAt(ctx, m.AskSubject(node), node, ask)
}

// ofEpoch is as much of a manifest as names the subjects of its nodes: 0 is a founding one.
func ofEpoch(epoch int) *wire.Manifest {
	m := &wire.Manifest{Epoch: epoch}
	if epoch > 0 {
		m.Previous = make([]byte, 32)
	}
	return m
}

func (a *Asker) askAt(ctx context.Context, subject string, node int, ask wire.Ask) (*wire.Held, error) {
	number := a.next()
	wanted := ask.Number
	ask.Version, ask.Number, ask.ReplyTo = wire.HoldingsVersion, number, a.replyTo
	q := &question{node, make(chan *wire.Held, 1)}
	a.mu.Lock()
	a.waiting[number] = q
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		delete(a.waiting, number)
		a.mu.Unlock()
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, AskTime, ErrNoAnswer)
	defer cancel()
	nobody := make(chan error, 1)
	body := wire.Encode(&ask)
	if a.seal != nil {
		body = a.seal(subject, body)
	}
	go func() { nobody <- a.bus.Call(ctx, subject, body) }()
	select {
	case held := <-q.answer:
		if !held.Answers(&ask) {
			return held, fmt.Errorf("node %d: %w", node, errOtherAnswer)
		}
		held.Number = wanted
		return held, nil
	case err := <-nobody:
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("node %d: %w", node, err)
	case <-ctx.Done():
		return nil, fmt.Errorf("node %d: %w", node, context.Cause(ctx))
	}
}

// hear takes an answer. Only one to a question that is open is opened: whatever else a
// node sends costs its reading.
func (a *Asker) hear(subject string, data []byte) {
	number, ok := wire.PeekHeld(data)
	if !ok {
		return
	}
	a.mu.Lock()
	q := a.waiting[number]
	a.mu.Unlock()
	node, err := strconv.Atoi(subject[strings.LastIndexByte(subject, '.')+1:])
	if q == nil || err != nil || node != q.node {
		return
	}
	held, err := a.open(node, subject, data)
	if err != nil {
		return
	}
	select {
	case q.answer <- held:
	default: // answered twice
	}
}

// open opens an answer. An Asker without a manifest believes that the bus let nobody
// else speak for the node.
func (a *Asker) open(node int, subject string, data []byte) (*wire.Held, error) {
	if a.manifest == nil {
		return wire.DecodeHeld(wire.UnverifiedBody(data))
	}
	return wire.OpenHeld(a.manifest, a.access(), node, a.replyTo,
		wire.LogMessage{Subject: subject, Time: time.Now(), Data: data})
}
