package interop_test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/frost/edwards25519"
	"github.com/frostfleet/frostfleet/internal/secret"
)

// TestZF: signatures by RFC 9591 of which some signers are ours and some are ZF frost's. We
// aggregate and they do, to the same signature, and each side names who cheats on the other.
// The shares are of our key generation.
func TestZF(t *testing.T) {
	for _, s := range []struct {
		t, n         int
		ours, theirs []int // indexes
	}{
		{2, 3, []int{0}, []int{1}},
		{2, 3, []int{2}, []int{0}},
		{3, 5, []int{1, 4}, []int{2}},
		{3, 5, []int{3}, []int{0, 4}},
		{3, 5, nil, []int{0, 2, 3}},
	} {
		t.Run(fmt.Sprintf("%d of %d by our %v, their %v", s.t, s.n, s.ours, s.theirs), func(t *testing.T) {
			t.Parallel()
			batches := generate(t, s.t, s.n)
			for key := range mixedKeys {
				m := &mixed{T: t, t: s.t, n: s.n, batches: batches, key: key, message: random32()}
				m.theirs = map[int]*program{}
				for _, i := range s.theirs {
					m.theirs[i] = startZF(t)
				}
				m.ours, m.judge = s.ours, startZF(t)
				m.testSignature()
				m.testLies()
			}
		})
	}
}

// mixedKeys is how many keys are made and sign at a time.
const mixedKeys = 2

// generate is our key generation by n nodes.
func generate(t *testing.T, threshold, n int) []*frost.Batch {
	t.Helper()
	p := frost.Params{Suite: frost.Ed25519, Context: [32]byte(random32()), N: n, T: threshold, K: mixedKeys}
	var hosts []*[32]byte
	for range n {
		private := must(ecdh.X25519().GenerateKey(rand.Reader))
		host := [32]byte(private.Bytes())
		hosts = append(hosts, &host)
		p.HostKeys = append(p.HostKeys, [32]byte(private.PublicKey().Bytes()))
	}
	var deals []*frost.Deal
	for i := range n {
		seed := [32]byte(random32())
		deals = append(deals, must(frost.NewDeal(p, i, &seed)))
	}
	batches := make([]*frost.Batch, n)
	for i := range batches {
		batches[i] = must(frost.Finalize(p, i, hosts[i], deals))
	}
	return batches
}

// mixed is a key whose signers are ours and theirs, by index.
type mixed struct {
	*testing.T
	t, n    int
	batches []*frost.Batch // by node
	key     int            // of the batches
	message []byte
	ours    []int
	theirs  map[int]*program
	judge   *program // of theirs, which aggregates
}

// of is the key as a node has it.
func (m *mixed) of(index int) *frost.Key {
	b, size := m.batches[index], m.t*edwards25519.PointSize
	return &frost.Key{
		Suite: frost.Ed25519, N: m.n, T: m.t, Index: index, PublicKey: b.PublicKeys[m.key],
		VSSCommitment: b.Commitments[m.key*size:][:size],
		Share:         secret.New(b.Shares.Expose()[m.key*frost.ScalarSize:][:frost.ScalarSize]),
	}
}

// round is what all signers said, by index.
type round struct {
	nonces map[int][]byte // in the RFC's encoding
	shares map[int][]byte
}

// set is what ours are told of the nonces, in ascending order.
func (r round) set() (set []frost.NonceCommitment) {
	for index, points := range r.nonces {
		set = append(set, frost.NonceCommitment{Index: index, Points: points})
	}
	slices.SortFunc(set, func(a, b frost.NonceCommitment) int { return a.Index - b.Index })
	return set
}

// sign runs both rounds of all signers. Who is a liar signs another message.
func (m *mixed) sign(liar int) round {
	m.Helper()
	r := round{map[int][]byte{}, map[int][]byte{}}
	message := func(index int) []byte {
		if index == liar {
			return append([]byte("another "), m.message...)
		}
		return m.message
	}
	own := map[int]*frost.Nonces{}
	for _, i := range m.ours {
		item := frost.Item{Key: m.of(i), Message: message(i)}
		var err error
		if own[i], r.nonces[i], err = frost.Commit(rand.Reader, [32]byte(random32()), 0, []frost.Item{item}); err != nil {
			m.Fatal(err)
		}
	}
	for i, p := range m.theirs {
		key := m.of(i)
		r.nonces[i] = m.ask(p, fmt.Sprintf("commit %d %d %x %x", m.t, i+1, key.Share.Expose(), key.PublicKey))
	}
	var list []string
	for _, c := range r.set() {
		list = append(list, fmt.Sprintf("%d:%x", c.Index+1, c.Points))
	}
	for i, nonces := range own {
		r.shares[i] = must(nonces.Sign(r.set()))
	}
	for i, p := range m.theirs {
		r.shares[i] = m.ask(p, fmt.Sprintf("sign %x %s", message(i), strings.Join(list, " ")))
	}
	return r
}

func (m *mixed) ask(p *program, question string) []byte {
	m.Helper()
	a := p.send(m.T, []byte(question))
	if a.Wrong != nil {
		m.Fatalf("ZF frost: %q", a.Wrong)
	}
	return must(hex.DecodeString(a.Message))
}

// theyAggregate has theirs make the signature.
func (m *mixed) theyAggregate(r round) answer {
	m.Helper()
	key := m.of(0)
	words := []string{fmt.Sprintf("aggregate %d %x %x", m.t, key.PublicKey, m.message)}
	var points []*edwards25519.Point
	for c := range slices.Chunk(key.VSSCommitment, edwards25519.PointSize) {
		points = append(points, must(edwards25519.DecodePoint(c)))
	}
	for _, c := range r.set() {
		public := edwards25519.Encode(edwards25519.EvaluateAt(points, uint32(c.Index+1)))
		words = append(words, fmt.Sprintf("%d:%x:%x:%x", c.Index+1, c.Points, r.shares[c.Index], public))
	}
	return m.judge.send(m.T, []byte(strings.Join(words, " ")))
}

func (m *mixed) weAggregate(r round) ([]frost.Signature, []frost.Blame) {
	m.Helper()
	key := m.of(0)
	key.Share = nil
	var shares [][]byte
	for _, c := range r.set() {
		shares = append(shares, r.shares[c.Index])
	}
	sigs, blame, err := frost.Aggregate(0, []frost.Item{{Key: key, Message: m.message}}, r.set(), shares)
	if err != nil {
		m.Fatal(err)
	}
	return sigs, blame
}

func (m *mixed) testSignature() {
	m.Helper()
	r := m.sign(-1)
	sigs, blame := m.weAggregate(r)
	if blame != nil || !ed25519.Verify(m.of(0).PublicKey, m.message, sigs[0].Bytes) {
		m.Fatalf("we get %x and blame %v", sigs[0].Bytes, blame)
	}
	theirs := m.theyAggregate(r)
	if theirs.Wrong != nil || !bytes.Equal(must(hex.DecodeString(theirs.Message)), sigs[0].Bytes) {
		m.Errorf("we get %x, ZF frost %s and finds %q wrong", sigs[0].Bytes, theirs.Message, theirs.Wrong)
	}
}

// testLies: whoever lies, both find the one who did.
func (m *mixed) testLies() {
	m.Helper()
	for _, c := range m.sign(-1).set() {
		r := m.sign(c.Index)
		if _, blame := m.weAggregate(r); len(blame) != 1 || blame[0].Index != c.Index {
			m.Errorf("node %d lies: we blame %v", c.Index, blame)
		}
		if a := m.theyAggregate(r); a.Message != "" || !slices.Equal(a.Wrong, []string{fmt.Sprint(c.Index + 1)}) {
			m.Errorf("node %d lies: ZF frost finds %q wrong (ids from 1 on), signature %q", c.Index, a.Wrong, a.Message)
		}
	}
}

func random32() []byte {
	b := make([]byte, 32)
	must(rand.Read(b))
	return b
}
