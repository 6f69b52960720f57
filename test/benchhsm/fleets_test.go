package benchhsm_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/keyprovider/awskms"
	"github.com/frostfleet/frostfleet/internal/worker"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

const (
	nodes     = 3
	burstSize = 200
	bulkSize  = 1000 // addresses or signatures of one job
)

// fleets are the two that are compared.
type fleets struct {
	kms       *kmstest.FaultKMS
	latency   time.Duration    // of kms
	arns      [nodes][2]string // identity and derivation key of each node
	hard      *side            // its nodes have their keys in kms
	soft      *side
	mostCalls map[string]float64 // so far, for 1,000 of something
	provider  *awskms.Provider   // over a key of its own: what one call takes
}

// side is a fleet with its client.
type side struct {
	name   string
	p      *fleettest.Processes
	client *client.Client
	keys   []client.Key // bulkSize
}

func startFleets(b *testing.B) *fleets {
	b.Helper()
	started = true
	kmstest.Setenv(b)
	b.Setenv("GOMAXPROCS", "1")
	f := &fleets{kms: kmstest.StartFaultKMS(b), mostCalls: map[string]float64{}}
	sections := map[int]string{}
	for i := range nodes {
		f.arns[i] = [2]string{f.kms.CreateKey(kmstest.Identity), f.kms.CreateKey(kmstest.Derivation)}
		sections[i] = fmt.Sprintf("type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
			f.arns[i][0], f.arns[i][1], f.kms.Endpoint())
	}
	results.Say("starting two fleets of %d nodes, a gateway and a bus each", nodes)
	f.hard = startSide(b, "KMS", sections)
	f.soft = startSide(b, "software", nil)
	var err error
	f.provider, err = awskms.Open(b.Context(), awskms.Options{
		Section: awskms.Section{KeyID: f.kms.CreateKey(kmstest.Identity), Endpoint: f.kms.Endpoint()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = f.provider.Close() })
	return f
}

func startSide(b *testing.B, name string, sections map[int]string) *side {
	b.Helper()
	s := &side{name: name, p: fleettest.StartProcesses(b, fleettest.Options{Providers: sections})}
	s.p.AwaitReady()
	s.client = s.p.Client()
	s.keys = s.keygen(b, "bitcoin", bulkSize)
	return s
}

func (s *side) keygen(b *testing.B, chain string, count int) []client.Key {
	b.Helper()
	result, err := s.client.Keygen(b.Context(), client.KeygenRequest{Chain: chain, Count: count})
	if err != nil {
		b.Fatal(err)
	}
	return result.Keys
}

// sign has one message signed with each key; the client verifies the
// signatures.
func (s *side) sign(b *testing.B, keys []client.Key) error {
	items := make([]client.SignItem, len(keys))
	for i, k := range keys {
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: freshMessage()}
	}
	_, err := s.client.Sign(b.Context(), client.SignRequest{Items: items})
	return err
}

var messages atomic.Uint64

// freshMessage is a hash that nobody was asked to sign yet.
func freshMessage() []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, messages.Add(1)))
	return sum[:]
}

// setLatency has KMS wait from now on, and starts its nodes anew: at its start a
// node takes the time of its device, from which it knows how long to wait for
// others.
func (f *fleets) setLatency(b *testing.B, latency time.Duration) {
	b.Helper()
	results.Say("KMS answers after %s from now on; its nodes start anew", latency)
	f.latency = latency
	f.kms.Everywhere(kmstest.Fault{Latency: latency})
	for i := range nodes {
		f.hard.p.Kill(fleettest.NodeName(i))
		f.hard.p.StartNode(i)
	}
	f.hard.p.AwaitReady()
	for _, s := range []*side{f.hard, f.soft} { // both are warm
		s.keygen(b, "bitcoin", bulkSize)
		s.burst(b)
		s.burst(b)
	}
}

// calls of one node, by operation. Renewals of the session key are some of the
// digests that its calls of Sign served.
type calls struct{ sign, mac, describe, public, renewals int }

func (f *fleets) calls() (all [nodes]calls) {
	for i, keys := range f.arns {
		c := &all[i]
		for _, arn := range keys {
			c.sign += f.kms.CallsTo(arn, kmstest.Sign)
			c.mac += f.kms.CallsTo(arn, kmstest.GenerateMac)
			c.describe += f.kms.CallsTo(arn, kmstest.DescribeKey)
			c.public += f.kms.CallsTo(arn, kmstest.GetPublicKey)
		}
		metrics := f.hard.p.Metrics(i)
		c.renewals = metric(metrics, "frostfleet_provider_coalesced_digests_sum") -
			metric(
				metrics,
				`frostfleet_events_total{event="certified"}`,
			) - metric(metrics, `frostfleet_events_total{event="committed"}`)
	}
	return all
}

// metric finds the value of a series in a node's metrics.
func metric(text, series string) int {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				panic(line)
			}
			return int(v)
		}
	}
	panic("no metric " + series)
}

func (c calls) minus(o calls) calls {
	return calls{c.sign - o.sign, c.mac - o.mac, c.describe - o.describe, c.public - o.public, c.renewals - o.renewals}
}

func (c calls) total() int { return c.sign + c.mac + c.describe + c.public }

func (c calls) String() string {
	return fmt.Sprintf(
		"%d Sign (%d session keys), %d GenerateMac, %d DescribeKey, %d GetPublicKey",
		c.sign,
		c.renewals,
		c.mac,
		c.describe,
		c.public,
	)
}

// since gives the calls of the node that made most since then. It looks once
// nobody commits any more: a node of the second rank may do so a while after the
// signature is there.
func (f *fleets) since(before [nodes]calls) (most calls) {
	time.Sleep(worker.StandbyDelay + 4*f.latency)
	for i, now := range f.calls() {
		if c := now.minus(before[i]); i == 0 || c.total() > most.total() {
			most = c
		}
	}
	return most
}
