package bus

import (
	"errors"
	"strings"
	"testing"
)

var testHash = strings.Repeat("0123456789abcdef", 4)

func TestStreamOfEverySubject(t *testing.T) {
	b := &Bus{}
	declared, err := load(testNodes)
	if err != nil {
		t.Fatal(err)
	}
	b.declared.Store(&declared)
	for subject, want := range map[string]Stream{
		"job.sign.alice": Jobs, "bulk.sign.alice": Bulk, "work.a.b.c.0.0": Work, "manifest." + testHash: Keys,
		"dkg." + testBatch + ".deal.0": RoundsOf(0), "dkg." + testBatch + ".cert.4": RoundsOf(4),
		"dkg." + testBatch + ".abort.3": RoundsOf(3), "entry." + testBatch + ".0.head": Keys, "entry." + testBatch + ".0.deal.7": Keys,
		"sign." + testBatch + ".refuse.0": Sign, "res.alice.j": Results, "notice.alice.j": Notices, "dead.sign.alice.j": DeadLetter,
	} {
		if got, err := b.streamOf(subject); err != nil || got != want {
			t.Errorf("%s: %s %v", subject, got, err)
		}
	}
	for _, subject := range []string{"result.alice.j", "job.sign", "job.sign.alice.x", "bulk.keygen.alice", "dkg." + testBatch + ".bribe.0", "dkg." + testBatch + ".deal.5", "entry." + testBatch + ".head", "", "live.keys.x"} {
		if got, err := b.streamOf(subject); !errors.Is(err, ErrSubject) {
			t.Errorf("%s: %s %v", subject, got, err)
		}
	}
}

// A bus knows the streams of more nodes once it grows, and of no fewer afterwards.
func TestGrow(t *testing.T) {
	declared, err := load(1)
	if err != nil {
		t.Fatal(err)
	}
	b := &Bus{opt: Options{Nodes: 1}}
	b.declared.Store(&declared)
	deal := "dkg." + testBatch + ".deal.3"
	if _, err := b.streamOf(deal); !errors.Is(err, ErrSubject) {
		t.Fatal(err)
	}
	for _, nodes := range []int{4, 0, 2, 4} {
		if err := b.Grow(nodes); err != nil {
			t.Fatal(err)
		}
		if got, err := b.streamOf(deal); err != nil || got != RoundsOf(3) {
			t.Errorf("after %d: %s %v", nodes, got, err)
		}
	}
	if b.Nodes() != 1 {
		t.Errorf("%d nodes, by its options", b.Nodes())
	}
}
