package frost

import (
	"bytes"
	"errors"
	"testing"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestCheckShare: a node's share passes, and no other scalar does.
func TestCheckShare(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		for _, of := range [][2]int{{1, 1}, {3, 1}, {3, 2}, {24, 16}} {
			keys, others := dealKey(t, s, of[0], of[1]), dealKey(t, s, of[0], of[1])
			for i, k := range keys {
				if err := CheckShare(k); err != nil {
					t.Errorf("%d of %d, node %d: %v", of[1], of[0], i, err)
				}
				wrong := *k
				for name, share := range map[string]*secret.Bytes{
					"of another key": others[i].Share, "short": secret.New(make([]byte, 31)), "none": nil,
					"zero": secret.New(make([]byte, 32)), "not canonical": secret.New(bytes.Repeat([]byte{0xff}, 32)),
				} {
					if wrong.Share = share; !errors.Is(CheckShare(&wrong), ErrShare) {
						t.Errorf("a share that is %s: %v", name, CheckShare(&wrong))
					}
				}
				if wrong.Share = keys[(i+1)%len(keys)].Share; of[1] > 1 && !errors.Is(CheckShare(&wrong), ErrShare) {
					t.Error("a share of another node")
				}
			}
			wrong := *keys[0]
			wrong.PublicKey = others[0].PublicKey
			refuses(t, &wrong)
			wrong = *keys[0]
			wrong.Index = of[0]
			refuses(t, &wrong)
			wrong = *keys[0]
			wrong.VSSCommitment = bytes.Repeat([]byte{0xff}, len(wrong.VSSCommitment))
			refuses(t, &wrong)
			refuses(t, &Key{})
		}
	})
}

func refuses(t *testing.T, k *Key) {
	t.Helper()
	if err := CheckShare(k); err == nil || errors.Is(err, ErrShare) {
		t.Errorf("a key that is none: %v", err)
	}
}
