// Package mutations_test takes valid PSBTs and Solana transactions, changes them by chance,
// and has the reader and a policy judge what comes out, as a node does: whatever passes is
// signed. What was signed is then judged once more, by code that shares nothing with the
// reader: parsers of its own, btcd's script engine, and lists of who may be paid.
//
// The same judges without the policy find plenty, which shows that they look.
package mutations_test

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/policy"
	"github.com/frostfleet/frostfleet/internal/tx"
	"github.com/frostfleet/frostfleet/internal/tx/intent"
)

var (
	mutations = flag.Int("mutations", 5000, "how many mutants of each chain are judged")
	seed      = flag.Uint64("seed", 1, "of the mutations")
)

// must returns what a call that can't fail here returns.
func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}

// chain is what the tests of both have.
type chain struct {
	kind   intent.Kind
	policy string
	roots  []intent.Root
	mutant func(*rand.Rand) []byte
	sign   func(*testing.T, intent.Signature) []byte
	// judge returns what is wrong with what was signed, by kind, and what the client loses.
	judge func(t *testing.T, in *intent.Intent, signatures [][]byte, done tx.Finished) (wrong []string, loss uint64)
	daily uint64 // limit of the losses in a day
}

// The kinds of what is wrong.
const (
	unreadable  = "unreadable"  // the judge can't account for it
	destination = "destination" // somebody is paid who may not be
	fee         = "fee"
	above       = "above" // more than one transaction may cost
	inADay      = "in a day"
)

// step is the time from one mutant to the next.
const step = 8 * time.Minute

// run has so many mutants judged, and returns what went wrong, by kind, and why others were not signed.
func (c chain) run(t *testing.T, p *policy.Policy, count int) (wrong, codes map[string]int) {
	t.Helper()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var ledger *policy.Ledger
	if p != nil {
		ledger, _ = policy.NewLedger(p, now)
	}
	r, branches := rand.New(rand.NewPCG(*seed, uint64(len(c.policy)))), derive.NewCache(1000)
	wrong, codes = map[string]int{}, map[string]int{}
	read, signed, window := 0, 0, []loss{}
	for i := range count {
		now = now.Add(step)
		raw := c.mutant(r)
		request := tx.Request{Kind: c.kind, Bytes: raw, Roots: c.roots, Partial: i%4 == 0}
		reading, refusal := tx.Read(request, "regtest", branches)
		if refusal != nil {
			codes[refusal.Code]++
			continue
		}
		read++
		in := reading.Intent()
		if len(in.Refused) > 0 && !request.Partial {
			t.Fatalf("mutant %d: inputs are refused, and the rest is to be signed: %x", i, raw)
		}
		ask := policy.Ask{Client: "client", Job: fmt.Sprint(i), Digest: sha256.Sum256(fmt.Append(raw, i)), Intent: in,
			Roots: c.roots, Now: now}
		d := p.Decide(&ask, ledger)
		if d.Verdict != policy.Allowed {
			codes[d.Code]++
			continue
		}
		signed++
		if charged := ledger.Charge(&ask, &d); charged.Save != nil {
			ledger.Saved(charged.Save.Seq)
		}
		signatures := make([][]byte, len(in.Signatures))
		for k, s := range in.Signatures {
			signatures[k] = c.sign(t, s)
		}
		done, err := reading.Finish(signatures, i%2 == 0)
		if err != nil {
			t.Fatalf("mutant %d: %v: %x", i, err, raw)
		}
		found, lost := c.judge(t, in, signatures, done)
		window = append(window, loss{now, lost})
		if total(&window, now) > c.daily {
			found = append(found, inADay)
		}
		for _, kind := range found {
			wrong[kind]++
			if p != nil {
				t.Errorf("mutant %d of seed %d is signed: %s: %x", i, *seed, kind, raw)
			}
		}
	}
	t.Logf("%d mutants: %d are read, %d signed; of the others: %v", count, read, signed, codes)
	if read < count/10 || signed < count/20 || read > count*19/20 {
		t.Errorf("%d of %d are read, and %d signed: that shows little", read, count, signed)
	}
	return wrong, codes
}

// loss is what one job costs.
type loss struct {
	at    time.Time
	units uint64
}

// total is what was lost in the day before now. What is older is dropped.
func total(window *[]loss, now time.Time) (sum uint64) {
	*window = slices.DeleteFunc(*window, func(l loss) bool { return now.Sub(l.at) >= 24*time.Hour })
	for _, l := range *window {
		sum += l.units
	}
	return sum
}

// test: nothing goes wrong with the policy, and everything does without it. Codes are those
// of denials that there must be.
func (c chain) test(t *testing.T, kinds, codes []string) {
	t.Run("policy", func(t *testing.T) {
		t.Parallel()
		_, denied := c.run(t, must(policy.Parse([]byte(c.policy), "regtest")), *mutations)
		for _, code := range codes {
			if denied[code] == 0 {
				t.Errorf("nothing is denied with %s", code)
			}
		}
	})
	t.Run("no policy", func(t *testing.T) {
		t.Parallel()
		count := min(*mutations, 2000)
		wrong, _ := c.run(t, nil, count)
		t.Logf("the judge finds %v", wrong)
		for _, kind := range kinds {
			if wrong[kind] < count/1000 {
				t.Errorf("without a policy, the judge finds %d times %q", wrong[kind], kind)
			}
		}
	})
}

// coin throws one that falls so in one of n cases.
func coin(r *rand.Rand, n int) bool { return r.IntN(n) == 0 }

// flip changes bytes.
func flip(r *rand.Rand, raw []byte) []byte {
	raw = slices.Clone(raw)
	at := r.IntN(len(raw) + 1)
	switch r.IntN(5) {
	case 0:
		raw = slices.Insert(raw, at, byte(r.Uint32()))
	case 1:
		raw = slices.Delete(raw, at, min(len(raw), at+1+r.IntN(4)))
	default:
		if at < len(raw) {
			raw[at] ^= 1 << r.IntN(8)
		}
	}
	return raw
}
