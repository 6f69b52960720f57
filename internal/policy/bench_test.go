package policy

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
)

func BenchmarkDecideAndCharge(b *testing.B) {
	p := parse(b, plainRule("psbt", `destinations = ["`+shop+`"]`, `max_fee = ["1 BTC"]`, "max_fee_rate = 1000",
		limitOf("21000000 BTC", "day"), limitOf("20000000 BTC", "hour"), limitOf("1000000000 signatures", "minute")))
	l := fresh(p)
	ask := psbt("a", 2000, out{to: shop, units: 1000}, out{to: "mine", units: 900, path: derive.Path{1, 7}})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ask.Digest = [32]byte{byte(i), byte(i >> 8), byte(i >> 16), byte(i >> 24)}
		d := p.Decide(ask, l)
		if d.Verdict != Allowed {
			b.Fatal(d.Reason)
		}
		store(l, l.Charge(ask, &d).Save)
	}
}

// BenchmarkSave is a state of many counters.
func BenchmarkSave(b *testing.B) {
	p := dayRule(b)
	l := fresh(p)
	for i := range 10_000 {
		ask := job(fmt.Sprint(i), 10, 0)
		ask.Client = fmt.Sprint("client", i)
		d := p.Decide(ask, l)
		l.Charge(ask, &d)
	}
	b.ReportAllocs()
	for b.Loop() {
		l.save(false)
	}
}

func BenchmarkEncode(b *testing.B) {
	p := dayRule(b)
	l := fresh(p)
	for i := range 10_000 {
		ask := job(fmt.Sprint(i), 10, 0)
		ask.Client = fmt.Sprint("client", i)
		d := p.Decide(ask, l)
		l.Charge(ask, &d)
	}
	for b.Loop() {
		b.SetBytes(int64(len(l.save(false).Encode())))
	}
}
