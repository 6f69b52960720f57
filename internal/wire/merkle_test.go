package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"testing"
	"time"
)

// Known answers for RFC 6962, section 2.1, as the Certificate Transparency
// project's tests have them (github.com/transparency-dev/merkle,
// testonly/constants.go: LeafInputs, RootHashes): eight leaves, and the root
// over the first n of them.
var (
	ctLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	ctRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", // no leaves: SHA-256 of nothing
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
)

func TestMerkleKnownAnswers(t *testing.T) {
	var leaves [][32]byte
	for n, want := range ctRoots {
		if got := merkleRoot(leaves); hex.EncodeToString(got[:]) != want {
			t.Errorf("%d leaves: root %x, want %s", n, got, want)
		}
		if n < len(ctLeaves) {
			leaves = append(leaves, leafHash(must(hex.DecodeString(ctLeaves[n]))))
		}
	}
}

// Audit paths of the same source: leaf, size, path with the nearest sibling first.
var ctPaths = []struct {
	leaf, size int
	path       []string
}{
	{0, 1, nil},
	{0, 8, []string{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
	{5, 8, []string{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
	{2, 3, []string{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
}

func TestMerklePathsKnownAnswers(t *testing.T) {
	for _, want := range ctPaths {
		var leaves [][32]byte
		for _, leaf := range ctLeaves[:want.size] {
			leaves = append(leaves, leafHash(must(hex.DecodeString(leaf))))
		}
		var got []string
		for _, sibling := range merklePaths(leaves)[want.leaf] {
			got = append(got, hex.EncodeToString(sibling))
		}
		if !slices.Equal(got, want.path) {
			t.Errorf("leaf %d of %d: path %v, want %v", want.leaf, want.size, got, want.path)
		}
	}
}

func testLeaves(n int) [][32]byte {
	leaves := make([][32]byte, n)
	for i := range leaves {
		leaves[i] = leafHash(fmt.Append(nil, i))
	}
	return leaves
}

// A path proves its leaf at its index only. The root does not say how many
// leaves there are (RFC 6962 signs the size beside it), so another size is
// refused where it gives the path another shape; what is attested never rests
// on index or size.
func TestMerklePaths(t *testing.T) {
	for n := 1; n <= 33; n++ {
		leaves := testLeaves(n)
		root := merkleRoot(leaves)
		for i, leaf := range leaves {
			path := merklePaths(leaves)[i]
			if got, err := rootFromPath(leaf, i, n, path); err != nil || got != root {
				t.Fatalf("leaf %d of %d: its path gives %x, %v", i, n, got, err)
			}
			for j := -1; j <= n; j++ {
				if got, err := rootFromPath(leaf, j, n, path); j != i && err == nil && got == root {
					t.Fatalf("path of leaf %d of %d proves it at %d", i, n, j)
				}
				if j >= 0 && j < n && j != i {
					if got, err := rootFromPath(leaves[j], i, n, path); err == nil && got == root {
						t.Fatalf("path of leaf %d of %d proves leaf %d", i, n, j)
					}
				}
			}
			for size := range 40 {
				if got, err := rootFromPath(leaf, i, size, path); err == nil && got == root && !sameShape(i, n, size) {
					t.Fatalf("path of leaf %d of %d passes in a tree of %d", i, n, size)
				}
			}
			bent := append(slices.Clone(path), make([]byte, 32))
			if _, err := rootFromPath(leaf, i, n, bent); err == nil {
				t.Fatalf("leaf %d of %d: a path that is one too long passes", i, n)
			}
			if len(path) > 0 {
				if _, err := rootFromPath(leaf, i, n, path[1:]); err == nil {
					t.Fatalf("leaf %d of %d: a path that is one too short passes", i, n)
				}
				bent = slices.Clone(path)
				bent[0] = bent[0][:31]
				if _, err := rootFromPath(leaf, i, n, bent); err == nil {
					t.Fatalf("leaf %d of %d: a sibling of 31 bytes passes", i, n)
				}
			}
		}
	}
}

// sameShape reports whether leaf i hangs alike in trees of two sizes.
func sameShape(i, a, b int) bool { return i < b && shape(i, a) == shape(i, b) }

func shape(i, n int) string {
	if n <= 1 {
		return ""
	}
	if k := split(n); i >= k {
		return shape(i-k, n-k) + "R"
	} else {
		return shape(i, k) + "L"
	}
}

func TestKeyTree(t *testing.T) {
	keys := EntryKeys([][]byte{[]byte("key zero"), []byte("key one"), []byte("key two")}, "alice", [32]byte{1})
	root := KeyRoot(keys)
	leaves := make([][32]byte, len(keys))
	for i := range keys {
		leaves[i] = keyLeaf(&keys[i])
	}
	for i, leaf := range leaves {
		got, err := rootFromPath(leaf, i, len(keys), merklePaths(leaves)[i])
		if err != nil || got != root {
			t.Errorf("key %d: path gives %x, %v", i, got, err)
		}
	}
	for name, change := range map[string]func([]EntryKey) []EntryKey{
		"owner":      func(k []EntryKey) []EntryKey { k[1].Owner = "bob"; return k },
		"index":      func(k []EntryKey) []EntryKey { k[1].Index = 7; return k },
		"key":        func(k []EntryKey) []EntryKey { k[1].PublicKey = []byte("key 1"); return k },
		"chain code": func(k []EntryKey) []EntryKey { k[1].ChainCode[31]++; return k },
		"order":      func(k []EntryKey) []EntryKey { k[0], k[1] = k[1], k[0]; return k },
		"number":     func(k []EntryKey) []EntryKey { return k[:2] },
	} {
		if KeyRoot(change(slices.Clone(keys))) == root {
			t.Errorf("the %s does not change the root", name)
		}
	}
	long, short := EntryKey{PublicKey: []byte("ab"), Owner: "c"}, EntryKey{PublicKey: []byte("a"), Owner: "bc"}
	if keyLeaf(&long) == keyLeaf(&short) {
		t.Error("key and owner run into each other")
	}
}

func TestAttestation(t *testing.T) {
	f, foreign := newFleet(t, 2, 3), newFleet(t, 2, 3)
	for _, n := range []int{1, 2, 3, 7, 1024} {
		leaves := testLeaves(n)
		digest := AttestDigest(f.m, leaves)
		sig := must(ecdsa.SignASN1(rand.Reader, f.identity[0], digest[:]))
		for _, i := range []int{0, n / 2, n - 1} {
			a, pub := NewAttestations(leaves, sig)[i], f.m.Identity(0)
			if err := a.verify(f.m, pub, leaves[i]); err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
			if len(Encode(a)) > MaxAttestation-200 {
				t.Errorf("%d leaves: an attestation of %d bytes leaves no room in a certificate", n, len(Encode(a)))
			}
			refusals := map[string]error{
				"wrong leaf":    a.verify(f.m, pub, [32]byte{9}),
				"wrong key":     a.verify(f.m, f.m.Identity(1), leaves[i]),
				"wrong fleet":   a.verify(foreign.m, pub, leaves[i]),
				"wrong index":   (&Attestation{a.Index + 1, a.Size, a.Path, sig}).verify(f.m, pub, leaves[i]),
				"size 0":        (&Attestation{0, 0, nil, sig}).verify(f.m, pub, leaves[i]),
				"next size":     (&Attestation{a.Index, a.Size + 1, a.Path, sig}).verify(f.m, pub, leaves[i]),
				"twice as many": (&Attestation{2 * a.Index, 2 * a.Size, a.Path, sig}).verify(f.m, pub, leaves[i]),
				"huge size":     (&Attestation{a.Index, 1 << 31, a.Path, sig}).verify(f.m, pub, leaves[i]),
				"over-long":     (&Attestation{a.Index, a.Size, make([][]byte, maxAttestPath+1), sig}).verify(f.m, pub, leaves[i]),
				"no signature":  (&Attestation{a.Index, a.Size, a.Path, nil}).verify(f.m, pub, leaves[i]),
				"signature +":   (&Attestation{a.Index, a.Size, a.Path, append(slices.Clone(sig), make([]byte, 80)...)}).verify(f.m, pub, leaves[i]),
				"none at all":   (*Attestation)(nil).verify(f.m, pub, leaves[i]),
				"node as leaf":  a.verify(f.m, pub, merkleRoot(hashLeaves(leaves))),
				"one path less": (&Attestation{a.Index, a.Size, append(slices.Clone(a.Path), make([]byte, 32)), sig}).verify(f.m, pub, leaves[i]),
			}
			for what, err := range refusals {
				if err == nil {
					t.Errorf("leaf %d of %d: %s passes", i, n, what)
				}
			}
		}
	}
	stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	leaf := [32]byte{1}
	if f.attestOne(0, leaf).verify(f.m, &stranger.PublicKey, leaf) == nil {
		t.Error("a stranger's key verifies")
	}
}

// What was verified once is not verified again; nothing else gains by that.
func TestAttestedIsRemembered(t *testing.T) {
	f := newFleet(t, 2, 3)
	leaves := testLeaves(9)
	digest := AttestDigest(f.m, leaves)
	sig := must(ecdsa.SignASN1(rand.Reader, f.identity[0], digest[:]))
	all, v := NewAttestations(leaves, sig), NewOpener(f.m, nil)
	for range 2 {
		for i, a := range all {
			if err := v.attested(a, 0, leaves[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(v.signatures) != 1 {
		t.Errorf("one signature is remembered %d times", len(v.signatures))
	}
	a := all[3]
	bad := slices.Clone(sig)
	bad[len(bad)-1] ^= 1
	for what, err := range map[string]error{
		"another leaf":      v.attested(a, 0, leaves[4]),
		"another node":      v.attested(a, 1, leaves[3]),
		"another signature": v.attested(&Attestation{a.Index, a.Size, a.Path, bad}, 0, leaves[3]),
		"another tree":      v.attested(&Attestation{0, 1, nil, sig}, 0, leaves[3]),
		"none":              v.attested(nil, 0, leaves[3]),
	} {
		if err == nil {
			t.Errorf("%s passes once a signature is known", what)
		}
	}
	if len(v.signatures) != 1 {
		t.Error("a bad signature is remembered")
	}
	for i := range maxKnownAttested {
		v.signatures[[32]byte{byte(i), byte(i >> 8)}] = struct{}{}
	}
	leaf := [32]byte{1}
	if err := v.attested(f.attestOne(2, leaf), 2, leaf); err != nil || len(v.signatures) > maxKnownAttested {
		t.Errorf("a full memory: %v, %d entries", err, len(v.signatures))
	}
}

// A path that would prove its leaf and is longer than any that a worker makes.
func TestAttestationTreeIsBounded(t *testing.T) {
	f := newFleet(t, 1, 1)
	leaf := [32]byte{1}
	for depth, ok := range map[int]bool{maxAttestPath: true, maxAttestPath + 1: false} {
		a := &Attestation{Size: 1 << depth}
		root := leafHash(leaf[:])
		for range depth {
			a.Path = append(a.Path, make([]byte, 32))
			root = nodeHash(root, [32]byte{})
		}
		digest := attestDigest(f.m, 1<<depth, root)
		a.Signature = must(ecdsa.SignASN1(rand.Reader, f.identity[0], digest[:]))
		if err := a.verify(f.m, f.m.Identity(0), leaf); (err == nil) != ok {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
}

// One signature of a device speaks for its node for a week at most, whatever dates an
// intruder puts into the delegations.
func TestDelegationsDatedAhead(t *testing.T) {
	f := newFleet(t, 2, 3)
	open := func(count, which int) error {
		leaves, all := make([][32]byte, count), make([]delegation, count)
		for i := range all {
			from := t0.Add(time.Duration(i) * DelegationLife)
			all[i] = delegation{Node: 1, Key: f.sessions[0].pending.Key, NotBefore: from.Unix(),
				NotAfter: from.Add(DelegationLife).Unix()}
			leaves[i] = all[i].leaf(f.m)
		}
		d := all[which]
		d.Attestation = f.attest(1, leaves, which)
		_, err := NewOpener(f.m, f.access).delegation(Encode(&d))
		return err
	}
	for _, test := range []struct {
		count, which int
		opens        bool
	}{
		{MaxAttested, MaxAttested - 1, true}, {MaxAttested + 1, MaxAttested, false}, {MaxAttested + 1, 0, false},
		{1 << 13, 1<<13 - 1, false}, {3000, 2999, false}, // the last leaf of 3,000 has a path of 7
	} {
		if err := open(test.count, test.which); (err == nil) != test.opens {
			t.Errorf("delegation %d of %d under one signature: %v", test.which, test.count, err)
		}
	}
}

// An attestation has one form: the place of a leaf is that of the tree that was signed.
func TestAttestationHasOnePlace(t *testing.T) {
	f := newFleet(t, 1, 1)
	leaves := testLeaves(2)
	a := f.attest(0, leaves, 1) // 1 of 2 has the path of 2 of 3 and of 4 of 5
	for size := uint32(1); size <= 16; size++ {
		for index := range size {
			b := &Attestation{index, size, a.Path, a.Signature}
			err := b.verify(f.m, f.m.Identity(0), leaves[1])
			if same := index == a.Index && size == a.Size; (err == nil) != same {
				t.Errorf("leaf %d of %d: %v", index, size, err)
			}
		}
	}
}
