package protocol

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/frostfleet/frostfleet/internal/derive"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// offsetsAlone is offsetsOf for one child, without a cache and without others.
func offsetsAlone(c child) ([][frost.ScalarSize]byte, *wire.JobError) {
	path, err := derive.ParsePath(*c.it.Path)
	if err != nil {
		return nil, badPath(c.it, err)
	}
	root := derive.Key{Suite: c.key.Suite, PublicKey: c.key.PublicKey, ChainCode: wire.ChainCode(c.transcript, c.index)}
	offsets, err := root.Offsets(path)
	if err != nil {
		return nil, badPath(c.it, err)
	}
	return offsets, nil
}

// Children of any roots, in any order, with bad paths anywhere among them, have the
// offsets and the errors that each alone has, though a small cache lets parents go.
func TestOffsetsOfMany(t *testing.T) {
	f := agedFleet(t)
	key := func(batch string, index int) *frost.Key {
		root := f.root(batch, index)
		return &frost.Key{Suite: root.Suite, PublicKey: root.PublicKey}
	}
	broken := &frost.Key{Suite: frost.Ed25519, PublicKey: make([]byte, 32)} // of small order
	short := &frost.Key{Suite: frost.Secp256k1TR, PublicKey: make([]byte, 3)}
	roots := []child{
		{key: key(f.btc, 0)}, {key: key(f.btc, 1), index: 1}, {key: key(f.sol, 0)}, {key: key(f.sol, 1), index: 1},
		{key: key(f.btc, 0), transcript: [32]byte{1}}, {key: key(f.sol, 0), index: 7},
		{key: broken, transcript: [32]byte{2}}, {key: short, transcript: [32]byte{3}},
	}
	deep := strings.TrimSuffix(strings.Repeat("2147483647/", derive.MaxDepth), "/")
	paths := []string{
		"0", "0/0", "0/1", "1/0", "0/0/0", deep, deep + "/0", "", "/", "0/", "/0", "00", "0'/1", "1/0h", "-1", "2147483648",
		"0/2147483648", "2147483648/0", "99999999999999999999", strings.Repeat("0/", 5000), "0/\x00",
	}
	r := rand.New(rand.NewPCG(1, 2))
	cache := derive.NewCache(3)
	for _, n := range []int{0, 1, 2, 40, 300} {
		children := make([]child, n)
		for i := range children {
			c := roots[r.IntN(len(roots))]
			path := paths[r.IntN(len(paths))]
			if r.IntN(3) > 0 {
				path = fmt.Sprintf("%d/%d", r.IntN(3), r.IntN(100))
			}
			c.item, c.it = i, &wire.JobItem{Key: "k", Path: &path}
			children[i] = c
		}
		offsets, refused := offsetsOf(cache, children)
		for i, c := range children {
			want, wantErr := offsetsAlone(c)
			if !reflect.DeepEqual(offsets[i], want) || !reflect.DeepEqual(refused[i], wantErr) {
				t.Fatalf("%d of %d, %s %.40q: %x, %v; alone %x, %v",
					i, n, c.key.Suite, *c.it.Path, offsets[i], refused[i], want, wantErr)
			}
			if (refused[i] == nil) == (len(offsets[i]) == 0) {
				t.Fatalf("%d of %d, %.40q: neither or both of offsets and an error", i, n, *c.it.Path)
			}
			if len(offsets[i]) > 0 { // what is appended to it is nobody else's
				_ = append(offsets[i], [frost.ScalarSize]byte{0xff})
			}
		}
		for i, c := range children {
			if want, _ := offsetsAlone(c); !reflect.DeepEqual(offsets[i], want) {
				t.Fatalf("%d of %d: changed by what was appended to another", i, n)
			}
		}
	}
}
