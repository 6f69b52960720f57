package worker

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

const largestDeal = 512 << 10

func someIDs(n int) []string {
	r, ids := rand.New(rand.NewPCG(1, 2)), map[string]bool{}
	for len(ids) < n {
		ids[fmt.Sprintf("%016x%016x", r.Uint64(), r.Uint64())] = true
	}
	return slices.Sorted(maps.Keys(ids))
}

func offered(t *testing.T, pending []string, said map[string]protocol.Said, at time.Time) (ids []string) {
	t.Helper()
	if err := newOffers(pending, said, at).each(func(id string) (int, error) {
		ids = append(ids, id)
		return largestDeal, nil
	}); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestOffersComeRound: however many batches never become entries, a node says few of
// them again at a time, and each of them within a week; and so that all nodes have said
// it while the rounds still have it, though they have not all the same, and begin at
// other minutes.
func TestOffersComeRound(t *testing.T) {
	const nodes, times, keep = 3, 7 * 48, 2 // the rounds keep 70 minutes, more than two half hours
	all := someIDs(2000)                    // 1 GiB of deals
	pending := [nodes][]string{all, all[:1900], slices.DeleteFunc(slices.Clone(all), func(id string) bool { return id[31] == '0' })}
	last, whole := map[string]*[nodes]int{}, map[string]bool{}
	for _, id := range all {
		last[id] = &[nodes]int{-keep - 1, -keep - 1, -keep - 1}
	}
	begin := time.Unix(1_800_000_000, 0)
	for now := range times {
		for node := range nodes {
			said := map[string]protocol.Said{}
			for id, at := range last {
				for by, when := range at {
					if now-when < keep { // what they said this time is there, too
						s := said[id]
						s.Any, s.Deal, s.Cert = true, s.Deal || by == node, s.Cert || by == node
						said[id] = s
					}
				}
			}
			at := begin.Add(time.Duration(now)*offerEvery*time.Second + time.Duration(node)*7*time.Minute)
			ids := offered(t, pending[node], said, at)
			if bytes := len(ids) * largestDeal; bytes > maxOffered {
				t.Fatalf("%d bytes at a time", bytes)
			}
			for _, id := range ids {
				last[id][node] = now
			}
		}
		for id, at := range last {
			if now-slices.Min(at[:]) < keep {
				whole[id] = true
			}
		}
	}
	for _, id := range all {
		everybody := slices.Contains(pending[1], id) && slices.Contains(pending[2], id)
		if everybody && !whole[id] {
			t.Errorf("batch %s was never said by all nodes", id)
		}
	}
}

// TestOffersAreNotCrowdedOut: ids of batches can be chosen, so that many stand next to one
// that should have become an entry. It has its turn all the same.
func TestOffersAreNotCrowdedOut(t *testing.T) {
	victim := "80000000" + strings.Repeat("0", 24)
	var pending []string
	for i := range 2 * maxOffered / largestDeal {
		pending = append(pending, fmt.Sprintf("7fffff%02x%024x", i, i), fmt.Sprintf("800001%02x%024x", i, i))
	}
	pending = append(pending, victim)
	slices.Sort(pending)
	for now := range 48 {
		at := time.Unix(1_800_000_000, 0).Add(time.Duration(now) * offerEvery * time.Second)
		if slices.Contains(offered(t, pending, nil, at), victim) {
			return
		}
	}
	t.Error("not said within a day")
}

// TestWhatIsWaitedForIsOffered: a certificate that did not leave, of a deal that did, is
// said again whatever else there is. What is in the rounds is not, and others' words
// take half of the room at most.
func TestWhatIsWaitedForIsOffered(t *testing.T) {
	pending, said := someIDs(4000), map[string]protocol.Said{}
	for i, id := range pending {
		said[id] = []protocol.Said{{}, {Any: true}, {Any: true, Deal: true}, {Any: true, Deal: true, Cert: true}}[i%4]
	}
	counts := map[protocol.Said]int{}
	for _, id := range offered(t, pending, said, time.Now()) {
		counts[said[id]]++
	}
	if want := map[protocol.Said]int{
		{}: maxOffered / largestDeal / 2, {Any: true}: maxOffered / largestDeal / 2, {Any: true, Deal: true}: 1000,
	}; !maps.Equal(counts, want) {
		t.Errorf("offered %v, want %v", counts, want)
	}
	few := someIDs(100)
	if ids := offered(t, few, nil, time.Now()); len(ids) != maxOffered/largestDeal/2 {
		t.Errorf("%d of 100 offered", len(ids))
	}
	if ids := offered(t, few[:maxOffered/largestDeal/2], nil, time.Now()); len(ids) != maxOffered/largestDeal/2 {
		t.Errorf("%d offered, of as many as there is room for", len(ids))
	}
}
