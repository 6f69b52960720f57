package protocol

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// Every item is in one chunk, whatever their number, and whoever makes the calls.
func TestChunks(t *testing.T) {
	for _, each := range []Each{nil, atOnce} {
		for _, n := range []int{0, 1, chunkItems - 1, chunkItems, chunkItems + 1, 10 * chunkItems, 1001} {
			var mu sync.Mutex
			seen := make([]int, n)
			each.chunks(n, func(from, to int) {
				mu.Lock()
				defer mu.Unlock()
				if from >= to || to-from > chunkItems || from%chunkItems != 0 {
					t.Errorf("%d items: a chunk from %d to %d", n, from, to)
				}
				for i := from; i < to; i++ {
					seen[i]++
				}
			})
			if slices.ContainsFunc(seen, func(times int) bool { return times != 1 }) {
				t.Errorf("%d items: seen %v times", n, seen)
			}
		}
	}
}

// many is a sign job whose items make several chunks.
func many(t *testing.T, suite string) *signCase {
	f := agedFleet(t)
	batch := map[string]string{"bitcoin": f.btc, "solana": f.sol}[suite]
	var items []wire.JobItem
	for i := range 2*chunkItems + 50 {
		items = append(items, item(batch, i%2, fmt.Sprint(i)))
	}
	return newSignCase(t, items...)
}

// Wrong shares in one chunk are blamed on their node, cost the items of others nothing, and these
// items alone are asked for again.
func TestWrongShareInAChunk(t *testing.T) {
	for _, suite := range []string{"bitcoin", "solana"} {
		t.Run(suite, func(t *testing.T) {
			s := many(t, suite)
			bad := s.members()[0]
			w := s.nodes[bad].want(wire.SlotShare)
			var b wire.ShareBody
			s.check(wire.Decode(w.body, wire.MaxMessageSize, &b))
			wrong := []uint32{3, chunkItems + 7, 2*chunkItems + 49}
			for _, i := range wrong[1:] { // the first chunk is right, but for a share that is no scalar
				b.Shares[i*frost.ScalarSize+8] ^= 1
			}
			copy(b.Shares[wrong[0]*frost.ScalarSize:], slices.Repeat([]byte{0xff}, frost.ScalarSize))
			s.say(w.slot, wire.Encode(&b))
			s.nodes[bad].out = nil
			s.drain()
			task := s.lastTask()
			if !slices.Equal(task.Items, wrong) || !slices.Equal(task.Exclude, []uint8{uint8(bad)}) {
				t.Errorf("asks for items %v again, without %v", task.Items, task.Exclude)
			}
			s.done(2)
			blamed := s.desk.told(ReportBlamed)
			if len(blamed) != 1 || blamed[0].Culprit != bad || blamed[0].Code != BlameShare {
				t.Errorf("blamed: %v, want node %d once", blamed, bad)
			}
		})
	}
}

// A commitment with one nonce that is no point, in whatever chunk, counts for nothing at nodes and gateway: another
// node takes its place, and the first is blamed.
func TestWrongNonceInAChunk(t *testing.T) {
	for _, suite := range []string{"bitcoin", "solana"} {
		for _, wrong := range []int{0, chunkItems + 1, 2*chunkItems + 49} {
			t.Run(fmt.Sprint(suite, wrong), func(t *testing.T) {
				s := many(t, suite)
				bad := slices.IndexFunc(s.nodes, func(a *actor) bool {
					return slices.ContainsFunc(a.out, func(w wish) bool { return w.slot.Kind == wire.SlotCommit })
				})
				w := s.nodes[bad].want(wire.SlotCommit)
				var c wire.CommitBody
				s.check(wire.Decode(w.body, wire.MaxMessageSize, &c))
				size := len(c.Points) / (2*chunkItems + 50)
				for i := range size { // y of 2 is on no curve of the two
					c.Points[wrong*size+i] = 0
				}
				c.Points[wrong*size] = 2
				c.Attestation = s.attestOne(bad, wire.CommitLeaf(s.m, c.Session, bad, c.Points))
				s.nodes[bad].out = nil
				s.say(w.slot, wire.Encode(&c))
				for _, a := range s.nodes {
					a.do(Timer{w.slot.ID, timerStandby})
				}
				s.drain()
				s.done(1)
				blamed := s.desk.told(ReportBlamed)
				if len(blamed) != 1 || blamed[0].Culprit != bad || blamed[0].Code != BlameCommitment {
					t.Errorf("blamed: %v, want node %d once", blamed, bad)
				}
			})
		}
	}
}

// What is computed in chunks is what one computation of all items gives.
func TestAggregateChunksAgree(t *testing.T) {
	s := many(t, "bitcoin")
	s.desk.hold = true
	s.drain()
	for a := s.attempt(); !a.aggregating; {
		held := s.desk.held
		s.desk.held = nil
		for _, c := range held {
			s.desk.do(c.Run())
		}
	}
	a := s.attempt()
	shares, _ := a.answered()
	want, _, err := frost.Aggregate(a.form, a.items, a.set, shares)
	s.check(err)
	got, blame, err := aggregateChunks(atOnce, a.form, a.items, a.set, shares)
	if err != nil || blame != nil || len(got) != len(want) {
		t.Fatalf("%d signatures, blame %v, %v", len(got), blame, err)
	}
	for i := range got { // FROST's signatures follow from nonces and shares
		if !slices.Equal(got[i].Bytes, want[i].Bytes) || !slices.Equal(got[i].PublicKey, want[i].PublicKey) {
			t.Fatalf("signature %d differs", i)
		}
	}
}
