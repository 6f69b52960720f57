package httpapi

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// carrierStub keeps what it is given.
type carrierStub struct {
	Carrier
	pending []wire.PendingJob
	given   []wire.Given
	control []string // administrator and message
}

func (c *carrierStub) Pending(_ context.Context, client string) (all []wire.PendingJob, _ error) {
	for _, p := range c.pending {
		if client == "" || p.Client == client {
			all = append(all, p)
		}
	}
	return all, nil
}

func (c *carrierStub) Approval(_ context.Context, approver string, given wire.Given) error {
	if approver != given.Approval.Name {
		return fmt.Errorf("an approval of %s under the name of %s", given.Approval.Name, approver)
	}
	c.given = append(c.given, given)
	return nil
}

func (c *carrierStub) Freeze(_ context.Context, administrator string, message []byte) error {
	c.control = append(c.control, administrator+" "+hex.EncodeToString(message))
	return nil
}

// keysStub is a directory of one client's keys.
type keysStub struct {
	Directory
	keys map[string]directory.Key
}

func (d *keysStub) Key(client, id string) (directory.Key, error) {
	k, ok := d.keys[id]
	if !ok || client != "" && k.Client != client {
		return directory.Key{}, directory.ErrNotFound
	}
	return k, nil
}

func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

// people is a server with a client shop, another one, and an administrator.
type people struct {
	*Server
	carrier *carrierStub
	fleet   *fleetStub
	book    *wire.FreezeBook
	access  *wire.Access
	shop    ed25519.PrivateKey
	admin   ed25519.PrivateKey
}

const aKey, strangeKey = "6060447d940b73249b5c77f4c581e119.0", "6060447d940b73249b5c77f4c581e119.1"

func newPeople(t testing.TB) *people {
	t.Helper()
	p := &people{carrier: &carrierStub{}, fleet: &fleetStub{}, shop: keyOf(1), admin: keyOf(3)}
	var err error
	p.access, err = wire.NewAccess([]wire.Client{
		{Name: "shop", Key: publicOf(p.shop), Kinds: []wire.Kind{wire.KindSign}},
		{Name: "other", Key: publicOf(keyOf(2)), Kinds: []wire.Kind{wire.KindSign}},
	}, nil)
	if err == nil {
		p.access, err = p.access.WithAdministrators([]wire.Administrator{{Name: "carol", Key: publicOf(p.admin)}}, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := &keysStub{keys: map[string]directory.Key{aKey: {ID: aKey, Client: "shop", Chain: "solana",
		PublicKey: publicOf(keyOf(9)), ChainCode: make([]byte, 32)}}}
	p.Server = testServer(t, func(c *Config) {
		c.Carrier, c.Fleet, c.Directory = p.carrier, p.fleet, d
		c.Access = func() *wire.Access { return p.access }
	})
	p.book = wire.NewFreezeBook(p.cfg.Manifest)
	return p
}

// waiting adds a job that waits, of a text that a key signs.
func (p *people) waiting(client string, key ed25519.PrivateKey, n int, id, text string) wire.SignedJob {
	return p.waitingUntil(now.Add(time.Hour), client, key, n, id, text)
}

func (p *people) waitingUntil(at time.Time, client string, key ed25519.PrivateKey, n int, id, text string) wire.SignedJob {
	payload := fmt.Sprintf(`{"job":"0198c0de-7a10-7cc3-98c4-dc0c0c07%04d","kind":"sign","approve_until":%q,`+
		`"expires_after":600,"solana_message":%q,"keys":[{"key":%q}]}`, n, at.UTC().Format(time.RFC3339), text, id)
	job := wire.SignJob(key, p.cfg.Manifest, wire.KindSign, client, []byte(payload))
	p.carrier.pending = append(p.carrier.pending, wire.PendingJob{SignedJob: job})
	return job
}

func (p *people) list(t testing.TB, token string) ApprovalList {
	t.Helper()
	w := ask(p, "GET", "/v1/approvals", token, "")
	var list ApprovalList
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
	return list
}

// TestApprovals: what waits is shown byte for byte and as a person reads it, each client's to
// itself; what is wrong with a job, or not known here, stands there.
func TestApprovals(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	job := p.waiting("shop", p.shop, 1, aKey, "pay \u202e nobody")
	p.waiting("shop", p.shop, 2, strangeKey, "x")
	p.waiting("shop", keyOf(7), 3, aKey, "forged")
	p.waiting("other", keyOf(2), 4, aKey, "another client's key")
	approver := keyOf(5)
	p.carrier.pending[0].Given = []wire.Approval{wire.Approve(approver, "erin", p.cfg.Manifest, job.Digest(p.cfg.Manifest), now)}

	if list := p.list(t, everyone); len(list.Approvals) != 4 || list.Approvals[0].Client != "other" {
		t.Errorf("%+v", list)
	}
	list := p.list(t, reader)
	if len(list.Approvals) != 3 || list.Fleet != "test" || list.Network != "regtest" {
		t.Fatalf("%+v", list)
	}
	first, digest := list.Approvals[0], job.Digest(p.cfg.Manifest)
	if first.Payload != string(job.Payload) || first.Digest != hex.EncodeToString(digest[:]) || !first.Verified ||
		first.Kind != "solana_message" || first.ExpiresAfter != 600 || !first.ApproveUntil.Equal(now.Add(time.Hour)) ||
		len(first.Approvals) != 1 || first.Approvals[0].Approver != "erin" || !first.Approvals[0].Time.Equal(now) {
		t.Errorf("%+v", first)
	}
	if r := first.Reading; !strings.Contains(r.Text, "Solana message") || !strings.Contains(r.Text, `"pay \u202e nobody"`) ||
		r.Meaning == nil || len(r.Meaning.Signatures) != 1 || r.Meaning.Signatures[0].Key != aKey || r.Error != "" {
		t.Errorf("%+v", r)
	}
	if second := list.Approvals[1]; !second.Verified || second.Reading.Text != "" ||
		!strings.HasPrefix(second.Reading.Error, "key "+strangeKey+": this gateway's directory does not have it") {
		t.Errorf("%+v", second)
	}
	if third := list.Approvals[2]; third.Verified || !strings.HasPrefix(third.Error, "bad_signature") || third.Reading.Text != "" {
		t.Errorf("%+v", third)
	}
	if r := p.list(t, everyone).Approvals[0].Reading; r.Text != "" || r.Error == "" {
		t.Errorf("another client's key is read: %+v", r)
	}
}

// TestApprove: an approval of a job that waits is carried as it came; of nothing else.
func TestApprove(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	job := p.waiting("shop", p.shop, 1, aKey, "x")
	p.waiting("shop", keyOf(7), 3, aKey, "forged")
	a := wire.Approve(keyOf(5), "erin", p.cfg.Manifest, job.Digest(p.cfg.Manifest), now)
	body := func(change ...string) string {
		text := fmt.Sprintf(`{"client":"shop","job":"0198c0de-7a10-7cc3-98c4-dc0c0c070001","approver":"erin","time":%d,"signature":%q}`,
			a.Time, hex.EncodeToString(a.Signature))
		return strings.NewReplacer(change...).Replace(text)
	}
	late := fmt.Sprint(now.Add(time.Hour + time.Second).Unix())
	for what, tt := range map[string]struct {
		token, body, code string
	}{
		"no scope":          {reader, body(), "forbidden_scope"},
		"no such job":       {full, body("0001", "0002"), "not_found"},
		"another client's":  {full, body("shop", "other"), "not_found"},
		"a forged job":      {full, body("070001", "070003"), "bad_signature"},
		"a late time":       {full, body(fmt.Sprint(a.Time), late), "validation_failed"},
		"a short signature": {full, body(hex.EncodeToString(a.Signature[:4]), ""), "validation_failed"},
		"an approver a.b":   {full, body("erin", "e.in"), "validation_failed"},
		"a member too many": {full, body(`{`, `{"x":1,`), "validation_failed"},
	} {
		if got := problemIn(t, ask(p, "POST", "/v1/approvals", tt.token, tt.body)); got.Code != tt.code {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if len(p.carrier.given) != 0 {
		t.Fatalf("carried: %+v", p.carrier.given)
	}
	for _, token := range []string{full, everyone} {
		w := ask(p, "POST", "/v1/approvals", token, body())
		if w.Code != http.StatusAccepted {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for _, g := range p.carrier.given {
		if g.Client != "shop" || !g.Approval.Verify(publicOf(keyOf(5)), p.cfg.Manifest, job.Digest(p.cfg.Manifest)) {
			t.Errorf("carried %+v", g)
		}
	}
}

// frozen puts freezes in force.
func (p *people) frozen(t testing.TB, scope wire.FreezeScope, name string, nonce byte) {
	t.Helper()
	if _, err := p.book.Add(p.access, wire.ControlSubject("carol"), p.word(scope, name, nonce)); err != nil {
		t.Fatal(err)
	}
	p.fleet.frozen = p.book.Frozen()
}

func (p *people) word(scope wire.FreezeScope, name string, nonce byte) []byte {
	raw := wire.Encode(&wire.FreezeStatement{Action: wire.ActionFreeze, Scope: scope, Name: name, Reason: "a theft",
		Time: now.Unix() + int64(nonce), Nonce: [16]byte{nonce}})
	return wire.FreezeMessage(raw, wire.SignFreeze(p.admin, p.cfg.Manifest, "carol", raw))
}

// TestFreezes: who asks for one client hears of its own, and no reason.
func TestFreezes(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	list := func(token string) (l FreezeList) {
		w := ask(p, "GET", "/v1/freezes", token, "")
		if err := json.Unmarshal(w.Body.Bytes(), &l); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return l
	}
	if l := list(everyone); l.Freezes == nil || len(l.Freezes) != 0 {
		t.Errorf("%+v", l)
	}
	p.frozen(t, wire.FreezeClient, "other", 1)
	p.frozen(t, wire.FreezeKey, aKey, 2)
	p.frozen(t, wire.FreezeKey, strangeKey, 3)
	all := list(everyone).Freezes
	if len(all) != 3 || all[0].Name != "other" || all[0].Reason != "a theft" || all[0].Administrator != "carol" ||
		all[0].Message != hex.EncodeToString(p.word(wire.FreezeClient, "other", 1)) {
		t.Errorf("%+v", all)
	}
	own := list(reader).Freezes
	if len(own) != 1 || own[0].Name != aKey || own[0].Reason != "" || own[0].Message != "" || own[0].Scope != "key" {
		t.Errorf("%+v", own)
	}
}

// TestFreeze: an administrator's word is carried, in both forms, and no other.
func TestFreeze(t *testing.T) {
	t.Parallel()
	p := newPeople(t)
	message := hex.EncodeToString(p.word(wire.FreezeFleet, "", 1))
	raw := wire.Encode(&wire.FreezeStatement{Action: wire.ActionUnfreeze, Reason: "over", Time: 1, Lifts: [][32]byte{{1}}})
	signature := hex.EncodeToString(wire.SignFreeze(p.admin, p.cfg.Manifest, "carol", raw))
	statement := fmt.Sprintf(`{"administrator":"carol","statement":"%x","signature":%q}`, raw, signature)
	for what, tt := range map[string]struct{ token, body, code string }{
		"no scope":       {reader, `{"administrator":"carol","message":"` + message + `"}`, "forbidden_scope"},
		"another's name": {full, `{"administrator":"dave","message":"` + message + `"}`, "bad_signature"},
		"half a message": {full, `{"administrator":"carol","message":"` + message[:40] + `"}`, "bad_signature"},
		"neither form":   {full, `{"administrator":"carol"}`, "bad_request"},
		"both forms":     {full, strings.Replace(statement, "{", `{"message":"00",`, 1), "bad_request"},
		"no hexadecimal": {full, `{"administrator":"carol","message":"zz"}`, "validation_failed"},
	} {
		if got := problemIn(t, ask(p, "POST", "/v1/freezes", tt.token, tt.body)); got.Code != tt.code {
			t.Errorf("%s: %+v", what, got)
		}
	}
	if len(p.carrier.control) != 0 {
		t.Fatalf("carried: %v", p.carrier.control)
	}
	for _, body := range []string{`{"administrator":"carol","message":"` + message + `"}`, statement} {
		if w := ask(p, "POST", "/v1/freezes", full, body); w.Code != http.StatusAccepted {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
	if len(p.carrier.control) != 2 || p.carrier.control[0] != "carol "+message {
		t.Errorf("carried %v", p.carrier.control)
	}
}
