package bench_test

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/test/fleettest"
)

// side is a fleet with its client.
type side struct {
	*fleettest.Processes
	client *client.Client
	nodes  int
	keys   map[string][]client.Key // by chain, made once
	bulk   map[string]float64      // a second, as measured: bitcoin keys ("keygen") and signatures ("sign")
}

func startSide(b *testing.B, o fleettest.Options, nodes int) *side {
	b.Helper()
	built = true
	measureKey(b)
	if *procs > 0 {
		b.Setenv("GOMAXPROCS", strconv.Itoa(*procs))
	}
	results.Say("starting %d workers, a gateway and a bus", nodes)
	s := &side{Processes: fleettest.StartProcesses(b, o), nodes: nodes, keys: map[string][]client.Key{}, bulk: map[string]float64{}}
	s.AwaitReady()
	s.client = s.Client()
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

// keysOf gives keys to sign with.
func (s *side) keysOf(b *testing.B, chain string) []client.Key {
	b.Helper()
	if s.keys[chain] == nil {
		s.keys[chain] = s.keygen(b, chain, 2000)
	}
	return s.keys[chain]
}

// items asks for count signatures of fresh messages, the keys in turn.
func items(keys []client.Key, count int) []client.SignItem {
	items := make([]client.SignItem, count)
	for i := range items {
		k := keys[i%len(keys)]
		items[i] = client.SignItem{Key: k.ID, PublicKey: k.PublicKey, Message: freshMessage()}
	}
	return items
}

func (s *side) sign(b *testing.B, chain string, count int) {
	b.Helper()
	if _, err := s.client.Sign(b.Context(), client.SignRequest{Items: items(s.keysOf(b, chain), count)}); err != nil {
		b.Fatal(err)
	}
}

var messages atomic.Uint64

// freshMessage is a hash that nobody was asked to sign yet.
func freshMessage() []byte {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, messages.Add(1)))
	return sum[:]
}

// usage is processor time, by who used it.
type usage struct{ nodes, gateway, bus, client time.Duration }

func (s *side) usage(b *testing.B) usage {
	b.Helper()
	u := usage{gateway: cpuOf(b, s.PID(fleettest.GatewayName)), bus: cpuOf(b, s.PID("bus")), client: ownCPU()}
	for i := range s.nodes {
		u.nodes += cpuOf(b, s.PID(fleettest.NodeName(i)))
	}
	return u
}

func (u usage) minus(o usage) usage {
	return usage{u.nodes - o.nodes, u.gateway - o.gateway, u.bus - o.bus, u.client - o.client}
}

func (u usage) total() time.Duration { return u.nodes + u.gateway + u.bus + u.client }

// per tells the use per item, in microseconds.
func (u usage) per(count int) string {
	each := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(count) }
	return fmt.Sprintf("nodes %.0f, gateway %.0f, bus %.0f, client %.0f",
		each(u.nodes), each(u.gateway), each(u.bus), each(u.client))
}

// tick is the unit of /proc/PID/stat, as Linux shows it to programs.
const tick = 10 * time.Millisecond

// cpuOf is the processor time that a process has used.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), ") ") // the name may have spaces
	fields := strings.Fields(after)
	var user, system int64
	if len(fields) < 13 {
		b.Fatalf("process %d: stat has %d fields", pid, len(fields))
	}
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * tick
}
