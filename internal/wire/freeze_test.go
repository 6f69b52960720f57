package wire

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// council is a fleet with administrators a, b and c, of whom two unfreeze.
type council struct {
	*fleet
	keys   map[string]ed25519.PrivateKey
	list   []Administrator
	nonces byte
}

func newCouncil(t testing.TB) *council {
	c := &council{fleet: newFleet(t, 2, 3), keys: map[string]ed25519.PrivateKey{}}
	for _, name := range []string{"a", "b", "c"} {
		public, key, _ := ed25519.GenerateKey(rand.Reader)
		c.keys[name] = key
		c.list = append(c.list, Administrator{name, public})
	}
	c.access = must(c.access.WithAdministrators(c.list, 2))
	return c
}

func (c *council) statement(action FreezeAction, scope FreezeScope, name string, lifts ...[32]byte) []byte {
	c.nonces++
	return Encode(&FreezeStatement{Action: action, Scope: scope, Name: name, Reason: "why", Time: 1e9,
		Nonce: [16]byte{c.nonces}, Lifts: lifts})
}

func (c *council) freeze(scope FreezeScope, name string) []byte {
	return c.statement(ActionFreeze, scope, name)
}

func (c *council) unfreeze(lifts ...[]byte) []byte {
	ids := make([][32]byte, len(lifts))
	for i, s := range lifts {
		ids[i] = FreezeID(c.m, s)
	}
	return c.statement(ActionUnfreeze, "", "", ids...)
}

// said is a statement in an administrator's name.
func (c *council) said(by string, statement []byte) []byte {
	return FreezeMessage(statement, SignFreeze(c.keys[by], c.m, by, statement))
}

func (c *council) add(b *FreezeBook, by string, statement []byte) FreezeNews {
	c.t.Helper()
	news, err := b.Add(c.access, ControlSubject(by), c.said(by, statement))
	if err != nil {
		c.t.Fatal(err)
	}
	return news
}

const aKey = "0123456789abcdef0123456789abcdef.7"

// TestFreezeBook: one freezes, and only the quorum's votes over one statement unfreeze, in
// whatever order they come.
func TestFreezeBook(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	id := must(ParseKeyID(aKey))
	freezes := [][]byte{c.freeze(FreezeFleet, ""), c.freeze(FreezeClient, "alice"), c.freeze(FreezeKey, aKey)}
	b := NewFreezeBook(c.m)
	for i, s := range freezes[1:] {
		if news := c.add(b, "a", s); len(news.Frozen) != 1 {
			t.Fatalf("freeze %d: %+v", i, news)
		}
		if news := c.add(b, "a", s); !news.None() {
			t.Fatalf("freeze %d once more: %+v", i, news)
		}
	}
	f := b.Frozen()
	for what, err := range map[string]*JobError{
		"its client": f.Client("alice"), "its key": f.Key(id), "a job with the key": f.Work("bob", []KeyID{{Batch: "x"}, id}),
	} {
		if err == nil || err.Code != CodeFrozen || strings.Contains(err.Reason, "why") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if f.Client("bob") != nil || f.Key(KeyID{id.Batch, 8}) != nil || f.Work("bob", []KeyID{{id.Batch, 8}}) != nil {
		t.Error("others are frozen too")
	}
	equal(t, "clients frozen", f.Count(FreezeClient), 1)
	equal(t, "fleets frozen", f.Count(FreezeFleet), 0)

	c.add(b, "b", freezes[0])
	if b.Frozen().Client("bob") == nil {
		t.Error("the fleet is not frozen")
	}
	lift := c.unfreeze(freezes...)
	if news := c.add(b, "a", lift); !news.None() {
		t.Fatalf("one vote: %+v", news)
	}
	if news := c.add(b, "a", lift); !news.None() || !slices.Equal(b.Pending()[0].Votes, []string{"a"}) {
		t.Fatalf("the same vote twice: %+v", news)
	}
	if news := c.add(b, "b", c.unfreeze(freezes...)); !news.None() {
		t.Fatalf("a vote for another statement: %+v", news)
	}
	if news := c.add(b, "c", lift); len(news.Lifted) != 3 || len(b.InForce()) != 0 || b.Frozen().Client("alice") != nil {
		t.Fatalf("two votes: %+v", news)
	}
	for i, s := range freezes {
		if news := c.add(b, "a", s); !news.None() {
			t.Errorf("freeze %d, lifted and said again: %+v", i, news)
		}
	}
	again := c.freeze(FreezeClient, "alice")
	if news := c.add(b, "a", again); len(news.Frozen) != 1 {
		t.Fatalf("a new freeze: %+v", news)
	}
	for _, by := range []string{"a", "b", "c"} { // of the old one
		if news := c.add(b, by, lift); len(news.Lifted) != 0 {
			t.Errorf("the old unfreeze lifts the new freeze: %+v", news)
		}
	}

	backwards := NewFreezeBook(c.m)
	for _, said := range []struct {
		by        string
		statement []byte
	}{{"c", lift}, {"a", lift}, {"b", freezes[0]}, {"a", freezes[1]}, {"a", again}} {
		c.add(backwards, said.by, said.statement)
	}
	if in := backwards.InForce(); len(in) != 1 || in[0].ID != FreezeID(c.m, again) {
		t.Errorf("in another order %d freezes are in force", len(in))
	}
}

// TestForgedFreezes: what no administrator of the list signed, for this fleet and under its
// own name, counts for nothing.
func TestForgedFreezes(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	s := c.freeze(FreezeFleet, "")
	good := c.said("a", s)
	other := newCouncil(t)
	other.keys = c.keys
	stranger := c.clients["alice"]
	for what, m := range map[string]struct {
		subject string
		data    []byte
	}{
		"another's name":         {ControlSubject("b"), good},
		"an unknown name":        {ControlSubject("alice"), FreezeMessage(s, SignFreeze(stranger, c.m, "alice", s))},
		"a client's key":         {ControlSubject("a"), FreezeMessage(s, SignFreeze(stranger, c.m, "a", s))},
		"another fleet's":        {ControlSubject("a"), other.said("a", s)},
		"no signature":           {ControlSubject("a"), FreezeMessage(s, nil)},
		"another statement":      {ControlSubject("a"), FreezeMessage(c.freeze(FreezeFleet, ""), SignFreeze(c.keys["a"], c.m, "a", s))},
		"a longer subject":       {"control.a.b", good},
		"a job's signature":      {ControlSubject("a"), FreezeMessage(s, SignJob(c.keys["a"], c.m, KindSign, "a", s).Signature)},
		"a byte more":            {ControlSubject("a"), append(bytes.Clone(good), 0)},
		"more than the limit":    {ControlSubject("a"), make([]byte, MaxFreeze+1)},
		"a statement of nothing": {ControlSubject("a"), c.said("a", nil)},
	} {
		b := NewFreezeBook(c.m)
		if news, err := b.Add(c.access, m.subject, m.data); err == nil || !news.None() {
			t.Errorf("%s counts", what)
		}
	}
	if _, err := OpenFreeze(c.m, nil, ControlSubject("a"), good); !errors.Is(err, errNotAdministrator) {
		t.Errorf("without a list: %v", err)
	}
	later := Encode(&struct {
		Version uint32 `cbor:"1,keyasint"`
		More    string `cbor:"9,keyasint"`
	}{2, "x"})
	if _, err := OpenFreeze(c.m, c.access, ControlSubject("a"), later); !errors.Is(err, ErrFreezeVersion) {
		t.Errorf("a later version: %v", err)
	}
}

// TestFreezeStatements: what means nothing, or would not be shown as it is, is refused.
func TestFreezeStatements(t *testing.T) {
	t.Parallel()
	good := FreezeStatement{Action: ActionFreeze, Scope: FreezeClient, Name: "alice", Reason: "über 2 €", Time: 1e9}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*FreezeStatement){
		"no action":            func(s *FreezeStatement) { s.Action = "" },
		"no reason":            func(s *FreezeStatement) { s.Reason = " " },
		"a long reason":        func(s *FreezeStatement) { s.Reason = strings.Repeat("x", MaxFreezeReason+1) },
		"a line end":           func(s *FreezeStatement) { s.Reason = "a\nb" },
		"an escape":            func(s *FreezeStatement) { s.Reason = "a\x1b[2Jb" },
		"text backwards":       func(s *FreezeStatement) { s.Reason = "a\u202eb" },
		"no UTF-8":             func(s *FreezeStatement) { s.Reason = "a\xff" },
		"no time":              func(s *FreezeStatement) { s.Time = 0 },
		"a time without date":  func(s *FreezeStatement) { s.Time = 1 << 62 },
		"no client":            func(s *FreezeStatement) { s.Name = "" },
		"a client with a dot":  func(s *FreezeStatement) { s.Name = "a.b" },
		"no scope":             func(s *FreezeStatement) { s.Scope = "" },
		"a fleet with a name":  func(s *FreezeStatement) { s.Scope = FreezeFleet },
		"a key that is none":   func(s *FreezeStatement) { s.Scope = FreezeKey },
		"a freeze that lifts":  func(s *FreezeStatement) { s.Lifts = make([][32]byte, 1) },
		"an unfreeze of names": func(s *FreezeStatement) { s.Action, s.Lifts = ActionUnfreeze, make([][32]byte, 1) },
		"an unfreeze of none":  func(s *FreezeStatement) { s.Action, s.Scope, s.Name = ActionUnfreeze, "", "" },
		"an unfreeze of many": func(s *FreezeStatement) {
			s.Action, s.Scope, s.Name, s.Lifts = ActionUnfreeze, "", "", make([][32]byte, MaxLifts+1)
		},
	} {
		s := good
		if change(&s); s.Check() == nil {
			t.Errorf("%s passes", what)
		}
		if _, err := DecodeFreeze(Encode(&s)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
	largest := FreezeStatement{Action: ActionUnfreeze, Reason: strings.Repeat("x", MaxFreezeReason), Time: maxFreezeTime,
		Lifts: make([][32]byte, MaxLifts)}
	if n := len(FreezeMessage(Encode(&largest), make([]byte, 64))); n > MaxFreeze {
		t.Errorf("the largest statement has %d bytes, and CONTROL takes %d", n, MaxFreeze)
	}
}

// TestFreezeBounds: an administrator's flood takes no other's room.
func TestFreezeBounds(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	b := NewFreezeBook(c.m)
	var err error
	nth := func(i int) []byte {
		return Encode(&FreezeStatement{Action: ActionFreeze, Scope: FreezeClient, Name: fmt.Sprintf("c%d", i), Reason: "why",
			Time: 1e9, Nonce: [16]byte{0: 1, 1: byte(i >> 8), 2: byte(i)}})
	}
	for i := range MaxFreezesOfOne + 3 {
		if _, err = b.Add(c.access, ControlSubject("a"), c.said("a", nth(i))); (err == nil) != (i < MaxFreezesOfOne) {
			t.Fatalf("freeze %d: %v", i, err)
		}
	}
	c.add(b, "b", c.freeze(FreezeClient, "alice"))
	equal(t, "freezes in force", len(b.InForce()), MaxFreezesOfOne+1)
	lift := c.unfreeze(nth(0))
	c.add(b, "b", lift)
	for i := range maxVotesOfOne + 3 {
		c.add(b, "a", c.statement(ActionUnfreeze, "", "", [32]byte{1, byte(i >> 8), byte(i)}))
	}
	if n := len(b.votes); n != maxVotesOfOne+1 || len(b.cast["a"]) != maxVotesOfOne {
		t.Errorf("%d statements with votes, of a %d", n, len(b.cast["a"]))
	}
	if news := c.add(b, "c", lift); len(news.Lifted) != 1 {
		t.Error("the flood displaced another's vote")
	}
	for i := range maxLifted + 3 {
		b.lift([32]byte{2, byte(i >> 8), byte(i)})
	}
	if len(b.lifted) != maxLifted || len(b.order) != maxLifted {
		t.Errorf("%d lifted freezes are remembered", len(b.lifted))
	}
}

// TestKeptFreezes: what is kept survives the administrators, and damage is noticed.
func TestKeptFreezes(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	b := NewFreezeBook(c.m)
	first, second := c.freeze(FreezeClient, "alice"), c.freeze(FreezeFleet, "")
	c.add(b, "a", first)
	c.add(b, "b", second)
	lift := c.unfreeze(second)
	c.add(b, "a", lift)
	c.add(b, "b", lift)
	kept := b.Keep()
	again, err := OpenKeptFreezes(c.m, kept)
	if err != nil {
		t.Fatal(err)
	}
	if in := again.InForce(); len(in) != 1 || in[0].By != "a" || again.Frozen().Client("alice") == nil {
		t.Errorf("in force again: %d", len(in))
	}
	if news := c.add(again, "b", second); !news.None() {
		t.Error("a lifted freeze comes back")
	}
	if !bytes.Equal(again.Keep(), kept) {
		t.Error("what is kept of it is something else")
	}
	for i := range kept {
		bad := bytes.Clone(kept)
		bad[i] ^= 1
		if _, err := OpenKeptFreezes(c.m, bad); !errors.Is(err, ErrKeptFreezes) {
			t.Fatalf("byte %d is wrong, and it is read: %v", i, err)
		}
	}
	for _, n := range []int{0, 1, 31, 32, len(kept) - 1} {
		if _, err := OpenKeptFreezes(c.m, kept[:n]); !errors.Is(err, ErrKeptFreezes) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := OpenKeptFreezes(newFleet(t, 2, 3).m, kept); !errors.Is(err, ErrKeptFreezes) {
		t.Errorf("of another manifest: %v", err)
	}
	later := Encode(&keptFreezes{Version: 2})
	sum := sha256.Sum256(later)
	if _, err := OpenKeptFreezes(c.m, append(sum[:], later...)); !errors.Is(err, ErrFreezeVersion) {
		t.Errorf("of a later version: %v", err)
	}
}

// TestAdministratorsChange: who leaves the list lifts nothing, by leaving or by its votes.
func TestAdministratorsChange(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	b := NewFreezeBook(c.m)
	s := c.freeze(FreezeClient, "alice")
	lift := c.unfreeze(s)
	c.add(b, "a", s)
	c.add(b, "a", lift)
	without := must(c.access.WithAdministrators(c.list[1:], 2))
	before := c.access
	c.access = without
	if news := b.Recount(without); !news.None() || b.Frozen().Client("alice") == nil {
		t.Error("without who froze, it is not frozen")
	}
	if news := c.add(b, "b", lift); !news.None() {
		t.Error("the vote of who left the list counts")
	}
	c.access = must(c.access.WithAdministrators(c.list[1:], 1))
	if news := b.Recount(c.access); len(news.Lifted) != 1 {
		t.Error("a smaller quorum is not met by the votes that there are")
	}
	_, other, _ := ed25519.GenerateKey(rand.Reader)
	changed := slices.Clone(c.list)
	changed[2].Key = other.Public().(ed25519.PublicKey)
	next := must(before.WithAdministrators(changed[1:], 1))
	var texts []string
	for _, change := range next.Changes(before) {
		texts = append(texts, change.Text)
		if change.TakesAway {
			t.Errorf("%s ends work", change.Text)
		}
	}
	if len(texts) != 3 || !strings.Contains(texts[0], "administrator a was removed") ||
		!strings.Contains(texts[1], "administrator c has another key") || texts[2] != "unfreeze_quorum is 1, it was 2" {
		t.Errorf("changes %q", texts)
	}
	if next.SameAdministrators(before) || !next.SameAdministrators(next) {
		t.Error("SameAdministrators")
	}
}

// TestAdministratorsOfAList: bad lists are refused.
func TestAdministratorsOfAList(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	client := c.clients["alice"].Public().(ed25519.PublicKey)
	gateway := c.gateway.Public().(ed25519.PublicKey)
	many := []Administrator{}
	for i := range MaxAdministrators + 1 {
		public, _, _ := ed25519.GenerateKey(rand.Reader)
		many = append(many, Administrator{fmt.Sprintf("n%d", i), public})
	}
	for what, bad := range map[string]struct {
		list   []Administrator
		quorum int
	}{
		"a client's key":     {[]Administrator{{"x", client}}, 0},
		"the gateway's key":  {[]Administrator{{"x", gateway}}, 0},
		"one key twice":      {[]Administrator{c.list[0], {"x", c.list[0].Key}}, 0},
		"one name twice":     {[]Administrator{c.list[0], {"a", c.list[1].Key}}, 0},
		"a key of order 4":   {[]Administrator{{"x", make(ed25519.PublicKey, 32)}}, 0},
		"no key":             {[]Administrator{{"x", nil}}, 0},
		"a name with a dot":  {[]Administrator{{"x.y", c.list[0].Key}}, 0},
		"a quorum of 4 of 3": {c.list, 4},
		"a negative quorum":  {c.list, -1},
		"too many":           {many, 0},
	} {
		if _, err := c.access.WithAdministrators(bad.list, bad.quorum); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	for n, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 16: 9, 0: 0} {
		a := must(c.access.WithAdministrators(many[:n], 0))
		equal(t, fmt.Sprintf("quorum of %d", n), a.Quorum(), want)
	}
	equal(t, "name", c.access.AdministratorOf(c.list[1].Key), "b")
	equal(t, "nobody's name", c.access.AdministratorOf(client), "")
}

// TestUnfreezeFile: administrators sign one file, and what it shows is what it lifts.
func TestUnfreezeFile(t *testing.T) {
	t.Parallel()
	c := newCouncil(t)
	b := NewFreezeBook(c.m)
	c.add(b, "a", c.freeze(FreezeClient, "alice"))
	frozen := b.InForce()
	f := must(NewUnfreezeFile(c.m, &FreezeStatement{Action: ActionUnfreeze, Reason: "right", Time: 1e9,
		Lifts: [][32]byte{frozen[0].ID}}, frozen))
	f.Sign(c.m, "b", c.keys["b"])
	f = must(ParseUnfreezeFile(c.m, mustJSON(f)))
	f.Sign(c.m, "c", c.keys["c"])
	f.Sign(c.m, "c", c.keys["c"])
	f.Sign(c.m, "a", c.keys["b"]) // with the wrong key
	if signed := f.Signed(c.m, c.access); !slices.Equal(signed, []string{"b", "c"}) || len(f.Signatures) != 3 {
		t.Errorf("signed by %v", signed)
	}
	for _, s := range f.Signatures[:2] {
		if _, err := b.Add(c.access, ControlSubject(s.Administrator), f.Message(s)); err != nil {
			t.Error(err)
		}
	}
	if len(b.InForce()) != 0 {
		t.Error("two signatures of a file lift nothing")
	}
	f.Freezes[0] = c.freeze(FreezeFleet, "")
	if _, err := ParseUnfreezeFile(c.m, mustJSON(f)); err == nil {
		t.Error("a file that shows another freeze than it lifts is read")
	}
	f.Version = 2
	if _, err := ParseUnfreezeFile(c.m, mustJSON(f)); !errors.Is(err, ErrFreezeVersion) {
		t.Errorf("a later version: %v", err)
	}
}

// FuzzFreeze: whatever anybody writes to CONTROL, nothing unsigned counts, and what is read
// encodes to the same bytes.
func FuzzFreeze(f *testing.F) {
	c := newCouncil(f)
	s := c.freeze(FreezeKey, aKey)
	f.Add("control.a", c.said("b", s))
	f.Add("control.b", s)
	f.Add("control.a", c.unfreeze(s))
	f.Fuzz(func(t *testing.T, subject string, data []byte) {
		b := NewFreezeBook(c.m)
		if news, err := b.Add(c.access, subject, data); err == nil || !news.None() {
			t.Fatal("what no administrator signed counts")
		}
		if s, err := DecodeFreeze(data); err == nil {
			if !bytes.Equal(Encode(s), data) {
				t.Fatal("a statement is not the same when encoded again")
			}
			_, _ = s.Target(), s.At().String()
		}
	})
}

// FuzzKeptFreezes gives bytes a right checksum, as a person can.
func FuzzKeptFreezes(f *testing.F) {
	c := newCouncil(f)
	b := NewFreezeBook(c.m)
	f.Add(b.Keep()[sha256.Size:])
	c.add(b, "a", c.freeze(FreezeFleet, ""))
	f.Add(b.Keep()[sha256.Size:])
	f.Fuzz(func(t *testing.T, body []byte) {
		sum := sha256.Sum256(body)
		if b, err := OpenKeptFreezes(c.m, append(sum[:], body...)); err == nil {
			if _, err := OpenKeptFreezes(c.m, b.Keep()); err != nil {
				t.Fatalf("what was read can't be kept: %v", err)
			}
		}
	})
}

// FuzzUnfreezeFile: a file that is read shows what it lifts.
func FuzzUnfreezeFile(f *testing.F) {
	c := newCouncil(f)
	b := NewFreezeBook(c.m)
	c.add(b, "a", c.freeze(FreezeFleet, ""))
	file := must(NewUnfreezeFile(c.m, &FreezeStatement{Action: ActionUnfreeze, Reason: "right", Time: 1e9,
		Lifts: [][32]byte{b.InForce()[0].ID}}, b.InForce()))
	f.Add(mustJSON(file))
	file.Sign(c.m, "b", c.keys["b"])
	f.Add(mustJSON(file))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseUnfreezeFile(c.m, data)
		if err != nil {
			return
		}
		if len(got.Lifts()) != len(got.Unfreeze().Lifts) {
			t.Fatal("it lifts what it does not show")
		}
		_ = got.Signed(c.m, c.access)
	})
}
