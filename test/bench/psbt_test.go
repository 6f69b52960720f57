package bench_test

import (
	"sync"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/draft"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/test/benchreport"
)

const (
	psbtRounds = 5
	psbtsOpen  = 8 // under way at a time, as bulk jobs are
)

// psbtSizes are the inputs of the PSBTs of one round.
var psbtSizes = []int{1000, 100, 1000, 500, 1000, 200, 1000, 800}

// benchPSBT has PSBTs signed that spend children of one key, each child once, in turns with as
// many messages in bulk.
func (s *side) benchPSBT(b *testing.B) {
	b.Helper()
	key, inputs := s.keysOf(b, "bitcoin")[:1], 0
	for _, n := range psbtSizes {
		inputs += n
	}
	s.signPSBTs(b, psbtsOf(b, key[0], []int{100, 1000}), key) // warm
	s.sign(b, "bitcoin", 2000)
	var each, ratio, cpu []float64
	for i := range psbtRounds {
		psbts := psbtsOf(b, key[0], psbtSizes)
		of := func(work func()) (perSecond, micros float64) {
			before, start := s.usage(b), time.Now()
			work()
			took, used := time.Since(start), s.usage(b).minus(before)
			perSecond, micros = float64(inputs)/took.Seconds(), float64(used.total().Microseconds())/float64(inputs)
			results.Say("%.0f a second; CPU µs each: %s, all %.0f", perSecond, used.per(inputs), micros)
			return perSecond, micros
		}
		bulk := func() { s.sign(b, "bitcoin", inputs) }
		first, second := func() { s.signPSBTs(b, psbts, key) }, bulk
		if i%2 == 1 {
			first, second = second, first
		}
		rate, micros := of(first)
		rate2, micros2 := of(second)
		if i%2 == 1 {
			rate, rate2, micros, micros2 = rate2, rate, micros2, micros
		}
		each, ratio, cpu = append(each, rate), append(ratio, rate/rate2), append(cpu, micros/micros2)
	}
	results.Record("psbt_inputs_per_second", benchreport.Median(each), "a second", "")
	results.Record("psbt_ratio_to_bulk", benchreport.Median(ratio), "ratio", ">= 0.8")
	results.Record("psbt_cpu_ratio_to_bulk", benchreport.Median(cpu), "ratio", "")
}

// psbtInput is the number of the next input: no two spend the same amount, so that no two
// digests are the same.
var psbtInput int64

// psbtsOf makes PSBTs of so many inputs, of children of one key, which pay somebody and have
// change.
func psbtsOf(b *testing.B, k client.Key, sizes []int) (psbts [][]byte) {
	b.Helper()
	root := derive.Key{Suite: frost.Secp256k1TR, PublicKey: k.PublicKey, ChainCode: [32]byte(k.ChainCode)}
	for _, n := range sizes {
		p, total := draft.NewPSBT(), int64(0)
		for range n {
			psbtInput++
			amount := 10_000 + psbtInput%90_000
			p.Spend(root, derive.Path{0, uint32(psbtInput)}, amount)
			total += amount
		}
		raw, err := p.Pay(draft.Payee(), total/2).Change(root, derive.Path{1, 0}, total-total/2-int64(n)*100).Bytes()
		if err != nil {
			b.Fatal(err)
		}
		psbts = append(psbts, raw)
	}
	return psbts
}

// signPSBTs has all signed, some at a time.
func (s *side) signPSBTs(b *testing.B, psbts [][]byte, keys []client.Key) {
	b.Helper()
	next := make(chan []byte)
	var all sync.WaitGroup
	for range psbtsOpen {
		all.Go(func() {
			for raw := range next {
				if _, err := s.client.SignPSBT(b.Context(), client.SignPSBTRequest{PSBT: raw, Keys: keys}); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, raw := range psbts {
		next <- raw
	}
	close(next)
	all.Wait()
	if b.Failed() {
		b.FailNow()
	}
}
