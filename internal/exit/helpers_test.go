package exit

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/secret"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// batches makes 2-of-3 keys of each suite, as a fleet does, and returns the file of each node.
func batches(t testing.TB, network string, keys int) (files []*File) {
	t.Helper()
	const n, threshold = 3, 2
	for i := range n {
		files = append(files, &File{
			Head:   Head{"test", network, [32]byte{1, 2, 3}, i, n, threshold},
			Shares: secret.New(nil),
		})
	}
	var hosts [n][32]byte
	var public [][32]byte
	for i := range hosts {
		rand.Read(hosts[i][:])
		key, err := ecdh.X25519().NewPrivateKey(hosts[i][:])
		if err != nil {
			t.Fatal(err)
		}
		public = append(public, [32]byte(key.PublicKey().Bytes()))
	}
	for _, suite := range suites {
		p := frost.Params{Suite: suite, Context: [32]byte{byte(suite)}, N: n, T: threshold, K: keys, HostKeys: public}
		var deals []*frost.Deal
		for i := range n {
			var seed [32]byte
			rand.Read(seed[:])
			deal, err := frost.NewDeal(p, i, &seed)
			if err != nil {
				t.Fatal(err)
			}
			deals = append(deals, deal)
		}
		for i, f := range files {
			b, err := frost.Finalize(p, i, &hosts[i], deals)
			if err != nil {
				t.Fatal(err)
			}
			points := threshold * suite.PointSize()
			for j := range keys {
				f.Keys = append(f.Keys, Key{
					ID: fmt.Sprintf("%032x.%d", uint8(suite), j), Owner: "treasury", Suite: suite, PublicKey: b.PublicKeys[j],
					ChainCode: wire.ChainCode([32]byte{byte(suite)}, j), Commitments: b.Commitments[j*points:][:points],
				})
			}
			f.Shares = secret.New(append(f.Shares.Expose(), b.Shares.Expose()...))
		}
	}
	return files
}

func ceremony(t testing.TB) *Identity {
	t.Helper()
	i, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// named are files with names.
func named(files ...*File) (all []Named) {
	for _, f := range files {
		all = append(all, Named{fmt.Sprintf("share-%d.exit", f.Node), f})
	}
	return all
}

// clone is a file that may be changed.
func clone(f *File) *File {
	c := *f
	c.Keys = append([]Key(nil), f.Keys...)
	c.Shares = secret.New(append([]byte(nil), f.Shares.Expose()...))
	return &c
}
