package policy

import (
	"testing"
)

func TestFirst(t *testing.T) {
	t.Parallel()
	p := parse(t, plainRule("psbt", `max_fee = ["0.001 BTC"]`, `[[rule.limit]]`, `amount = "1 BTC"`, `per = "day"`))
	l, s := NewLedger(p, start)
	l.Saved(s.Seq)
	for i, want := range []Verdict{Allowed, Allowed, Denied} {
		ask := psbt(string(rune('a'+i)), 40_000_000, out{to: shop, units: 39_990_000})
		d := p.Decide(ask, l)
		if d.Verdict != want {
			t.Fatalf("%d: %+v", i, d)
		}
		if d.Verdict == Allowed {
			c := l.Charge(ask, &d)
			if c.Wait != 0 {
				l.Saved(c.Save.Seq)
			}
		}
	}
}

func TestNoPolicyAllowsAll(t *testing.T) {
	t.Parallel()
	var p *Policy
	ask := psbt("a", 5, out{to: thief, units: 5})
	wantCode(t, p.Decide(ask, nil), Allowed, "")
	if p.Hash() != [32]byte{} || p.Counts() || p.FleetKeys() != nil || p.Approvers() != nil {
		t.Error("no policy says something")
	}
}
