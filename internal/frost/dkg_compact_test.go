package frost

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost/secp256k1/vartime"
)

// apart has every node of a fleet deal anew, with its proofs apart.
func (f *fleet) apart(t testing.TB) *fleet {
	t.Helper()
	f.Apart, f.deals = true, nil
	for i := range f.N {
		f.deals = append(f.deals, f.deal(t, i))
	}
	return f
}

// kept is what stays of a deal: through the compact form of its points, and without its proofs.
func kept(t testing.TB, suite Suite, d *Deal) *Deal {
	t.Helper()
	compact, err := CompactPoints(suite, d.Commitments)
	if err != nil {
		t.Fatal(err)
	}
	points, err := ExpandPoints(suite, compact)
	if err != nil {
		t.Fatal(err)
	}
	return &Deal{Ephemeral: d.Ephemeral, Commitments: points, Shares: d.Shares, ProofsHash: d.ProofsHash}
}

// TestProofsApart: whoever has what is kept of the deals recovers and sums up what those
// have who checked all of them, also where some deals have their proofs and others are of
// the form before.
func TestProofsApart(t *testing.T) {
	for _, suite := range suites {
		for _, tn := range [][2]int{{1, 1}, {2, 3}, {5, 5}} {
			f := newFleet(t, suite, tn[0], tn[1], 3)
			old := f.deals
			f.apart(t)
			all := slices.Clone(f.deals)
			for name, mix := range map[string]func(i int) (full, left *Deal){
				"all apart": func(i int) (*Deal, *Deal) { return all[i], kept(t, suite, all[i]) },
				"mixed": func(i int) (*Deal, *Deal) {
					switch i % 3 {
					case 0:
						return old[i], old[i]
					case 1:
						return all[i], all[i]
					}
					return all[i], kept(t, suite, all[i])
				},
			} {
				t.Run(fmt.Sprintf("%v/%dof%d/%s", suite, tn[0], tn[1], name), func(t *testing.T) {
					left := make([]*Deal, f.N)
					for i := range f.N {
						f.deals[i], left[i] = mix(i)
					}
					for i := range f.N {
						want := f.finalize(t, i)
						got, err := Recover(f.Params, i, f.hosts[i], left)
						if err != nil {
							t.Fatal(err)
						}
						if !reflect.DeepEqual(got.Public, want.Public) || !bytes.Equal(got.Shares.Expose(), want.Shares.Expose()) {
							t.Fatalf("node %d recovers something else than it had", i)
						}
						public, err := Summarize(f.Params, left)
						if err != nil || !reflect.DeepEqual(*public, want.Public) {
							t.Fatalf("summed up it is something else: %v", err)
						}
					}
				})
			}
		}
	}
}

// TestApartLies: proofs that are apart are checked all the same, and nothing else than
// what was dealt is recovered.
func TestApartLies(t *testing.T) {
	for _, suite := range suites {
		for name, test := range map[string]struct {
			tell    func(f *fleet, d *Deal)
			code    string // by Finalize
			recover string // by Recover of what is kept; "": it does not look
		}{
			"no proofs": {func(_ *fleet, d *Deal) { d.Proofs = nil }, CodeMalformed, ""},
			"a proof changed": {func(f *fleet, d *Deal) {
				d.Proofs[f.Suite.PointSize()+8] ^= 1
				d.ProofsHash = new(HashProofs(d.Proofs))
				reseal(t, f, d)
			}, CodeProof, ""},
			"a proof too few":          {func(_ *fleet, d *Deal) { d.Proofs = d.Proofs[:len(d.Proofs)-1] }, CodeMalformed, ""},
			"boxes of other proofs":    {func(_ *fleet, d *Deal) { d.ProofsHash = &[32]byte{1} }, CodeShare, CodeShare},
			"boxes of the form before": {func(_ *fleet, d *Deal) { d.ProofsHash = nil }, CodeShare, CodeMalformed},
		} {
			t.Run(fmt.Sprintf("%v/%s", suite, name), func(t *testing.T) {
				f := newFleet(t, suite, 2, 3, 2).apart(t)
				d := *f.deals[liar]
				d.Proofs, d.Shares = bytes.Clone(d.Proofs), slices.Clone(d.Shares)
				test.tell(f, &d)
				f.deals[liar] = &d
				var blame *BlameError
				if _, err := Finalize(f.Params, victim, f.hosts[victim], f.deals); !errors.As(err, &blame) ||
					blame.Dealer != liar || blame.Code != test.code {
					t.Errorf("checked: %v, want node %d blamed by %s", err, liar, test.code)
				}
				left := slices.Clone(f.deals)
				left[liar] = kept(t, suite, &d)
				_, err := Recover(f.Params, victim, f.hosts[victim], left)
				switch {
				case test.recover == "" && err != nil:
					t.Errorf("recovered: %v", err)
				case test.recover != "" && (!errors.As(err, &blame) || blame.Code != test.recover):
					t.Errorf("recovered: %v, want %s", err, test.recover)
				}
			})
		}
	}
}

// reseal seals a deal's boxes again over what it has become.
func reseal(t *testing.T, f *fleet, d *Deal) {
	t.Helper()
	seed := f.seeds[liar]
	coefficients := secpOrEdwards(f, liar)
	ephemeral, err := ephemeralKey(f.Params, liar, seed)
	if err != nil {
		t.Fatal(err)
	}
	d.Shares = nil
	if err := d.seal(f.Params, liar, ephemeral, coefficients); err != nil {
		t.Fatal(err)
	}
}

// secpOrEdwards evaluates the polynomials that a node dealt.
func secpOrEdwards(f *fleet, i int) func(dst []byte, recipient int) []byte {
	if f.Suite == Secp256k1TR {
		return dealtBy(secpGroup{}, f, i)
	}
	return dealtBy(edwardsGroup{}, f, i)
}

func dealtBy[S, P any](g group[S, P], f *fleet, i int) func(dst []byte, recipient int) []byte {
	coefficients := make([]S, f.K*f.T)
	randomScalars(g, coefficients, dealStream(f.Params, i, f.seeds[i], "coefficients"))
	return func(dst []byte, recipient int) []byte { return evaluate(g, f.Params, dst, coefficients, recipient) }
}

func TestCompactPointsRefused(t *testing.T) {
	f := newFleet(t, Secp256k1TR, 2, 3, 2)
	good, err := CompactPoints(Secp256k1TR, f.deals[0].Commitments)
	if err != nil {
		t.Fatal(err)
	}
	prime := make([]byte, 33)
	prime[0] = 2
	fill(prime[1:], "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")
	none := make([]byte, 33) // x = 5 is of no point
	none[0], none[32] = 2, 5
	prefix := func(b byte) []byte { p := bytes.Clone(good); p[33] = b; return p }
	for name, bad := range map[string][]byte{
		"a byte less": good[1:], "a byte more": append(bytes.Clone(good), 2), "prefix 0": prefix(0), "prefix 1": prefix(1),
		"prefix 4": prefix(4), "prefix 6": prefix(6), "x not below the prime": prime, "x of no point": none,
		"the identity": make([]byte, 33), "uncompressed": f.deals[0].Commitments,
	} {
		if got, err := ExpandPoints(Secp256k1TR, bad); err == nil {
			t.Errorf("%s: taken as %x", name, got)
		}
	}
	if got, err := ExpandPoints(Secp256k1TR, prefix(good[33]^1)); err != nil || bytes.Equal(got, f.deals[0].Commitments) {
		t.Errorf("the other root: %v", err)
	}
	for name, bad := range map[Suite]int{Secp256k1TR: 65, Ed25519: 33, 9: 64} {
		if _, err := CompactPoints(name, make([]byte, bad)); err == nil {
			t.Errorf("%d bytes are taken for points of %v", bad, name)
		}
	}
}

// FuzzExpandPoints: what is read is written to the same bytes, and Decode takes it.
func FuzzExpandPoints(f *testing.F) {
	fl := newFleet(f, Secp256k1TR, 2, 3, 2)
	for _, d := range fl.deals {
		compact, err := CompactPoints(Secp256k1TR, d.Commitments)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(compact)
		f.Add(compact[:33])
	}
	f.Fuzz(func(t *testing.T, compact []byte) {
		points, err := ExpandPoints(Secp256k1TR, compact)
		if err != nil {
			return
		}
		var g secpGroup
		for p := range slices.Chunk(points, 64) {
			if _, err := g.decodeDealt(make([]vartime.Point, 1), p); err != nil {
				t.Fatalf("%x becomes %x: %v", compact, p, err)
			}
		}
		if again, err := CompactPoints(Secp256k1TR, points); err != nil || !bytes.Equal(again, compact) {
			t.Fatalf("%x is read and written to %x: %v", compact, again, err)
		}
	})
}

func BenchmarkRecoverKept(b *testing.B) {
	benchmarkBatches(b, func(f *fleet) error {
		if !f.Apart {
			f.apart(b)
		}
		left := make([]*Deal, f.N)
		for i, d := range f.deals {
			left[i] = kept(b, f.Suite, d)
		}
		_, err := Recover(f.Params, 0, f.hosts[0], left)
		return err
	})
}

// TestFormsShareNoSecrets: a random source that repeats itself, as after a machine was cloned, gives
// deals of two forms nothing in common. Their boxes are bound to different digests, and two of them
// under one key would be what forges others (Poly1305).
func TestFormsShareNoSecrets(t *testing.T) {
	for _, suite := range suites {
		f := newFleet(t, suite, 2, 3, 1)
		before := f.deals[1]
		after := f.apart(t).deals[1]
		if before.Ephemeral == after.Ephemeral || bytes.Equal(before.Shares[0][:ScalarSize], after.Shares[0][:ScalarSize]) ||
			bytes.Equal(before.Commitments, after.Commitments) {
			t.Errorf("%v: one seed makes the boxes of both forms with one key", suite)
		}
	}
}
