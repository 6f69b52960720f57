package frost

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"testing"

	edwards "filippo.io/edwards25519"
	"github.com/btcsuite/btcd/btcec/v2"

	"github.com/frostfleet/frostfleet/internal/secret"
)

// publicOf is the public key of a secret, by other libraries than the fleet's.
func publicOf(t *testing.T, s Suite, root []byte) []byte {
	t.Helper()
	if s == Secp256k1TR {
		_, public := btcec.PrivKeyFromBytes(root)
		return public.SerializeCompressed()
	}
	scalar, err := edwards.NewScalar().SetCanonicalBytes(root)
	if err != nil {
		t.Fatal(err)
	}
	return edwards.NewIdentityPoint().ScalarBaseMult(scalar).Bytes()
}

// sharesOf are those of the nodes.
func sharesOf(keys []*Key, nodes ...int) map[int]*secret.Bytes {
	shares := map[int]*secret.Bytes{}
	for _, i := range nodes {
		shares[i] = keys[i].Share
	}
	return shares
}

// TestReconstructRoot: any t shares, and more, give the secret of the public key.
func TestReconstructRoot(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		for _, size := range [][2]int{{1, 1}, {2, 1}, {3, 2}, {5, 3}, {24, 16}} {
			n, threshold := size[0], size[1]
			keys := dealKey(t, s, n, threshold)
			last := upTo(n)[n-threshold:]
			for _, nodes := range [][]int{upTo(threshold), last, upTo(n)} {
				root, err := ReconstructRoot(keys[0], sharesOf(keys, nodes...))
				if err != nil {
					t.Fatalf("%d of %d by %d: %v", threshold, n, nodes, err)
				}
				if !bytes.Equal(publicOf(t, s, root.Expose()), keys[0].PublicKey) {
					t.Errorf("%d of %d by %d: the secret of another key", threshold, n, nodes)
				}
			}
		}
	})
}

// TestReconstructRootRefuses: too few shares, a share that is another one, a key that is not
// the commitments'.
func TestReconstructRootRefuses(t *testing.T) {
	eachSuite(t, func(t *testing.T, s Suite) {
		keys, others := dealKey(t, s, 5, 3), dealKey(t, s, 5, 3)
		refused := func(k *Key, shares map[int]*secret.Bytes) error {
			t.Helper()
			root, err := ReconstructRoot(k, shares)
			if err == nil || root != nil {
				t.Fatalf("a root, %v", err)
			}
			return err
		}
		refused(keys[0], sharesOf(keys, 0, 4))
		refused(&Key{}, sharesOf(keys, 0, 1, 2))
		outside := sharesOf(keys, 0, 1, 2)
		outside[5] = keys[3].Share
		refused(keys[0], outside)

		digest := sha512.Sum512_256(nil)
		for name, bad := range map[string]*secret.Bytes{
			"of another key": others[4].Share, "of another node": keys[3].Share, "short": secret.New(make([]byte, 31)),
			"zero": secret.New(make([]byte, 32)), "not canonical": secret.New(bytes.Repeat([]byte{0xff}, 32)),
			"nobody's": secret.New(digest[:]),
		} {
			shares := sharesOf(keys, 0, 1, 2)
			shares[4] = bad // one more than it takes
			var wrong *WrongShareError
			if err := refused(keys[0], shares); !errors.As(err, &wrong) || wrong.Index != 4 {
				t.Errorf("a share that is %s: %v", name, err)
			}
		}
		off := *keys[0]
		off.PublicKey = others[0].PublicKey
		if err := refused(&off, sharesOf(keys, 0, 1, 2)); !errors.Is(err, ErrNoRoot) {
			t.Errorf("another public key: %v", err)
		}
		off = *keys[0]
		off.VSSCommitment = bytes.Repeat([]byte{0xff}, len(off.VSSCommitment))
		refused(&off, sharesOf(keys, 0, 1, 2))
	})
}
