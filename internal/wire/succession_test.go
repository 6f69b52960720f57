package wire

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// next is a fleet that follows f: t of n nodes with keys of their own.
func (f *fleet) next(threshold, n int, change ...func(*Manifest)) *fleet {
	f.t.Helper()
	later := newFleet(f.t, threshold, n)
	id, mh := f.m.FleetID(), f.m.Hash()
	later.m.Version, later.m.Epoch, later.m.Genesis, later.m.Previous = SuccessorVersion, f.m.Epoch+1, id[:], mh[:]
	for _, c := range change {
		c(later.m)
	}
	if err := later.m.Seal(); err != nil {
		f.t.Fatal(err)
	}
	later.access, later.gateway, later.clients = f.access, f.gateway, f.clients
	for i := range later.sessions {
		later.sessions[i] = later.session(i)
	}
	return later
}

// approves is the word of one of f's nodes.
func (f *fleet) approves(node int, next *Manifest, forced bool) SuccessorApproval {
	a := SuccessorApproval{Node: uint32(node), Next: next.Hash(), Forced: forced}
	a.Attestation = f.attestOne(node, a.Leaf(f.m))
	return a
}

// succession is what makes next a successor, by the word of nodes.
func (f *fleet) succession(next *Manifest, forced bool, nodes ...int) []byte {
	s := Succession{Version: SuccessionVersion, Manifest: mustJSON(next)}
	for _, node := range nodes {
		s.Approvals = append(s.Approvals, f.approves(node, next, forced))
	}
	return Encode(&s)
}

// Two sets of that many nodes have more in common than t-1, who may be malicious and
// approve two successors; and one node less would not do.
func TestQuorum(t *testing.T) {
	t.Parallel()
	for n := 1; n <= MaxNodes; n++ {
		for threshold := 1; threshold <= n; threshold++ {
			m := Manifest{N: n, T: threshold}
			q := m.Quorum()
			if 2*q-n < threshold || 2*(q-1)-n >= threshold {
				t.Fatalf("%d of %d: quorum %d", threshold, n, q)
			}
		}
	}
}

func TestEnough(t *testing.T) {
	t.Parallel()
	m := Manifest{N: 3, T: 2}
	plain, forced := SuccessorApproval{}, SuccessorApproval{Forced: true}
	for _, test := range []struct {
		approvals []SuccessorApproval
		want      bool
	}{
		{nil, false},
		{[]SuccessorApproval{plain, plain}, false},
		{[]SuccessorApproval{plain, forced}, false},
		{[]SuccessorApproval{forced, forced}, true},
		{[]SuccessorApproval{plain, plain, plain}, true},
		{[]SuccessorApproval{plain, plain, forced}, true},
	} {
		if got := m.Enough(test.approvals); got != test.want {
			t.Errorf("%v: %t", test.approvals, got)
		}
	}
}

func TestSuccession(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 5)
	for _, good := range [][]byte{f.succession(g.m, false, 0, 1, 2), f.succession(g.m, true, 0, 2)} {
		if next, err := OpenSuccession(good, f.m); err != nil || next.Hash() != g.m.Hash() {
			t.Errorf("a good one: %v", err)
		}
	}
	foreign := newFleet(t, 2, 3)
	change := func(to func(*Succession)) []byte {
		s, _, err := DecodeSuccession(f.succession(g.m, false, 0, 1, 2))
		if err != nil {
			t.Fatal(err)
		}
		to(s)
		return Encode(s)
	}
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"too few":              {f.succession(g.m, false, 0, 1), "too few nodes"},
		"too few that force":   {f.succession(g.m, true, 2), "too few nodes"},
		"nobody":               {f.succession(g.m, false), "too few nodes"},
		"a node twice":         {f.succession(g.m, false, 0, 1, 1), "twice"},
		"out of order":         {f.succession(g.m, false, 1, 0, 2), "out of its order"},
		"nodes of elsewhere":   {foreign.succession(g.m, false, 0, 1, 2), "approval of node 0"},
		"another manifest":     {change(func(s *Succession) { s.Approvals[1] = f.approves(1, f.next(1, 1).m, false) }), "approved manifest"},
		"forced afterwards":    {change(func(s *Succession) { s.Approvals[0].Forced = true }), "approval of node 0"},
		"a node that is none":  {change(func(s *Succession) { s.Approvals[2].Node = 3 }), "nodes 0 to 2"},
		"another's word":       {change(func(s *Succession) { s.Approvals[2].Attestation = s.Approvals[1].Attestation }), "approval of node 2"},
		"no word":              {change(func(s *Succession) { s.Approvals[2].Attestation = nil }), "approval of node 2"},
		"a later format":       {change(func(s *Succession) { s.Version = 2 }), "format 2"},
		"no manifest":          {change(func(s *Succession) { s.Manifest = []byte("{}") }), "manifest"},
		"the same once more":   {append(f.succession(g.m, false, 0, 1, 2), 0), "succession"},
		"a manifest of before": {f.succession(f.m, false, 0, 1, 2), "founding"},
	} {
		if _, err := OpenSuccession(test.data, f.m); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, test.want)
		}
	}
	if _, err := OpenSuccession(make([]byte, MaxSuccession+1), f.m); err == nil {
		t.Error("one without bound is taken")
	}
}

func TestCheckSuccessor(t *testing.T) {
	f := newFleet(t, 2, 3)
	for name, test := range map[string]struct {
		change func(*Manifest)
		want   string
	}{
		"another fleet":      {func(m *Manifest) { m.Fleet = "other" }, "fleet"},
		"another network":    {func(m *Manifest) { m.Network = "signet" }, "signet"},
		"another parent":     {func(m *Manifest) { m.Previous = make(HexBytes, 32) }, "follows"},
		"another origin":     {func(m *Manifest) { m.Genesis = make(HexBytes, 32) }, "founded"},
		"an epoch too far":   {func(m *Manifest) { m.Epoch = 2 }, "epoch 2; want 1"},
		"a key of before":    {func(m *Manifest) { m.Nodes[1].Encryption = f.m.Nodes[2].Encryption }, "encryption key of node 2"},
		"the same identity":  {func(m *Manifest) { m.Nodes[1].Identity = f.m.Nodes[1].Identity }, ""},
		"nothing to object":  {func(*Manifest) {}, ""},
		"attested otherwise": {func(m *Manifest) { m.AttestSigning = false }, ""},
	} {
		err := f.m.CheckSuccessor(f.next(1, 4, test.change).m)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

func TestSuccessorManifests(t *testing.T) {
	f := newFleet(t, 2, 3)
	good := f.next(1, 2).m
	for name, change := range map[string]func(*Manifest){
		"version 1 with a parent":   func(m *Manifest) { m.Version = 1 },
		"version 2 without parents": func(m *Manifest) { m.Previous, m.Genesis = nil, nil },
		"a short parent":            func(m *Manifest) { m.Previous = m.Previous[1:] },
		"no genesis":                func(m *Manifest) { m.Genesis = nil },
		"epoch 0":                   func(m *Manifest) { m.Epoch = 0 },
		"version 3":                 func(m *Manifest) { m.Version = 3 },
	} {
		m, err := ParseManifest(mustJSON(good))
		if err != nil {
			t.Fatal(err)
		}
		change(m)
		if m.Seal() == nil {
			t.Errorf("%s is taken", name)
		}
	}
	// What a manifest says of its place is in its hash.
	hashes := map[[32]byte]bool{good.Hash(): true}
	for _, change := range []func(*Manifest){
		func(m *Manifest) { m.Previous = make(HexBytes, 32) }, func(m *Manifest) { m.Genesis = make(HexBytes, 32) },
		func(m *Manifest) { m.Version, m.Previous, m.Genesis = 1, nil, nil },
	} {
		m, _ := ParseManifest(mustJSON(good))
		change(m)
		if err := m.Seal(); err != nil {
			t.Fatal(err)
		}
		hashes[m.Hash()] = true
	}
	equal(t, "hashes", len(hashes), 4)
}

// What clients and gateways sign counts under every manifest of the fleet, and what nodes
// sign under theirs alone.
func TestFleetIDBinds(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(2, 3)
	h := g.next(2, 3)
	equal(t, "fleet", h.m.FleetID(), f.m.Hash())
	job := f.keygen(1, "alice", "bitcoin", 1)
	equal(t, "digest", job.Digest(h.m), job.Digest(f.m))
	if err := job.Authenticate(h.m, f.access); err != nil {
		t.Error(err)
	}
	sealed := SealGateway(f.gateway, "gw", f.m, "work.x", []byte("task"))
	if _, err := f.access.FromGateway(h.m, "work.x", sealed); err != nil {
		t.Error(err)
	}
	slot := Slot{SlotDeal, "00112233445566778899aabbccddeeff", 1}.String()
	said := f.sessions[1].Seal(f.m, slot, []byte("deal"))
	if _, err := OpenNode(f.m, 1, slot, t0, said); err != nil {
		t.Error(err)
	}
	if _, err := OpenNode(g.m, 1, slot, t0, said); err == nil {
		t.Error("a node of one manifest speaks for one of another")
	}
	task := SignTask(job, 0, []uint32{0}, nil)
	if task.Session(f.m) == task.Session(g.m) {
		t.Error("nodes of two manifests share a session")
	}
	if !task.Of(f.m) || task.Of(g.m) || !task.For(g.m).Of(g.m) || task.Of(f.m) || task.Of(h.m) {
		t.Error("a task is not for the nodes of its manifest alone")
	}
	other := newFleet(t, 2, 3)
	if job.Authenticate(other.next(2, 3).m, f.access) == nil {
		t.Error("a job counts for another fleet")
	}
}

func TestLineage(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(2, 3)
	h := g.next(3, 5)
	first, second := f.succession(g.m, false, 0, 1, 2), g.succession(h.m, false, 0, 1, 2)
	add := func(l *Lineage, data []byte) *Lineage {
		t.Helper()
		next, err := l.WithSuccession(data)
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	begin := NewLineage(f.m)
	if _, err := begin.WithSuccession(second); err == nil {
		t.Error("a manifest is taken whose parent nobody knows")
	}
	l := add(add(begin, first), second)
	equal(t, "newest", l.Newest().Hash(), h.m.Hash())
	equal(t, "known before", len(begin.Chain()), 1)
	equal(t, "again", add(l, first), l)
	if proofs := l.Proofs(); len(proofs) != 2 || !bytes.Equal(proofs[0], first) || !bytes.Equal(proofs[1], second) {
		t.Errorf("%d proofs", len(proofs))
	}
	if before := l.Before(h.m); len(before) != 2 || before[0].Hash() != f.m.Hash() {
		t.Errorf("%d manifests before the last", len(before))
	}

	// From the last one back, by hashes.
	back := NewLineage(h.m)
	if _, err := back.WithParent(f.m); err == nil {
		t.Error("a manifest is taken that nobody names")
	}
	for _, m := range []*Manifest{g.m, f.m} {
		var err error
		if back, err = back.WithParent(m); err != nil {
			t.Fatal(err)
		}
	}
	if _, more := back.Wanted(); more || back.Manifest(f.m.Hash()) == nil || back.Pinned() != h.m {
		t.Error("the way back is not known")
	}
	if again := add(back, first); again.Fork() != nil || len(again.Proofs()) != 1 {
		t.Error("a proof of what is known is not kept")
	}

	// Two successors of one manifest.
	twin := f.next(1, 2)
	forked := add(l, f.succession(twin.m, true, 0, 1))
	if fork := forked.Fork(); fork == nil || fork.Second != twin.m.Hash() || forked.Manifest(twin.m.Hash()) != nil {
		t.Errorf("fork: %v", fork)
	}
	if l.Fork() != nil {
		t.Error("a lineage changed")
	}
	pinned, _ := NewLineage(h.m).WithParent(g.m) // whose configuration settled that
	if pinned, err := pinned.WithSuccession(g.succession(g.next(1, 1).m, true, 0, 1)); err == nil || pinned.Fork() != nil {
		t.Errorf("a fork before the pinned manifest: %v", err)
	}
	middle := add(NewLineage(g.m), second)
	if forked := add(middle, g.succession(g.next(1, 1).m, true, 0, 1)); forked.Fork() == nil {
		t.Error("no fork of what follows the pinned manifest")
	}
	if _, err := l.WithSuccession(f.succession(g.m, false, 0)); err != nil {
		t.Errorf("what is known is looked at again: %v", err)
	}
}

func TestVerifyKeysOfSuccessor(t *testing.T) {
	f := newFleet(t, 2, 3)
	g := f.next(3, 4)
	proof := f.succession(g.m, false, 0, 1, 2)
	signed := f.keygen(1, "alice", "bitcoin", 2)
	result := func(change ...func(*Result)) *Result {
		digest, fleet, made := signed.Digest(g.m), f.m.FleetID(), g.m.Hash()
		job, _ := signed.Parse(t0)
		head := job.PartHeader(g.m, "alice", digest, 0, 0)
		keys := EntryKeys([][]byte{bytes.Repeat([]byte{2}, 33), bytes.Repeat([]byte{3}, 33)}, "alice", [32]byte{1})
		r := &Result{
			Job: job.ID, Client: "alice", Kind: KindKeygen, Digest: digest[:], Status: StatusDone, Fleet: g.m.Fleet,
			Network: g.m.Network, Manifest: fleet[:], Chain: "bitcoin", Suite: job.Suite().String(), Successions: []Base64{proof},
		}
		ctx := head.Context(g.m)
		b := Batch{ID: ShortID(ctx), Count: 2, Manifest: made[:]}
		for i := range g.m.N {
			c := Certificate{Context: ctx, Transcript: [32]byte{1}, Root: KeyRoot(keys), Node: uint32(i)}
			c.Attestation = g.attestOne(i, c.Leaf(g.m))
			b.Certificates = append(b.Certificates, Encode(&c))
		}
		for i, k := range keys {
			r.Keys = append(r.Keys, Key{ID: KeyID{b.ID, i}.String(), PublicKey: k.PublicKey})
		}
		r.Batches = []Batch{b}
		for _, c := range change {
			c(r)
		}
		return r
	}
	if err := VerifyKeys(f.m, signed, result()); err != nil {
		t.Errorf("from the founding manifest: %v", err)
	}
	if err := VerifyKeys(g.m, signed, result()); err != nil {
		t.Errorf("from the successor itself: %v", err)
	}
	if err := VerifyKeys(g.m, signed, result(func(r *Result) { r.Successions = nil })); err != nil {
		t.Errorf("from the successor itself, without a proof: %v", err)
	}
	twin := f.next(1, 1)
	for name, change := range map[string]func(*Result){
		"no proof":           func(r *Result) { r.Successions = nil },
		"too few approvals":  func(r *Result) { r.Successions[0] = f.succession(g.m, false, 0, 1) },
		"another's proof":    func(r *Result) { r.Successions[0] = f.succession(f.next(1, 1).m, false, 0, 1, 2) },
		"a fork":             func(r *Result) { r.Successions = append(r.Successions, f.succession(twin.m, true, 0, 1)) },
		"junk":               func(r *Result) { r.Successions = append(r.Successions, []byte{1}) },
		"no manifest":        func(r *Result) { r.Batches[0].Manifest = nil },
		"a short manifest":   func(r *Result) { r.Batches[0].Manifest = r.Batches[0].Manifest[1:] },
		"another manifest":   func(r *Result) { r.Batches[0].Manifest = slices.Repeat([]byte{7}, 32) },
		"a certificate less": func(r *Result) { r.Batches[0].Certificates = r.Batches[0].Certificates[1:] },
	} {
		if VerifyKeys(f.m, signed, result(change)) == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzSuccession(f *testing.F) {
	fleet := newFleet(f, 1, 2)
	g := fleet.next(1, 1)
	good := fleet.succession(g.m, false, 0, 1)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		next, err := OpenSuccession(data, fleet.m)
		if err == nil && next.Hash() != g.m.Hash() {
			t.Fatal("a manifest that nobody approved")
		}
		if l, err := NewLineage(fleet.m).WithSuccession(data); err == nil && len(l.Chain()) != 2 {
			t.Fatal("a chain without its end")
		}
	})
}
