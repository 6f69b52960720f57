package directory

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/wire"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	batch := w.entry("alice", jobID(1), wire.Bitcoin, 0, 3, true)
	other := w.entry("bob", jobID(2), wire.Solana, 0, 2, true)
	w.settled(d.Directory)
	k, err := d.Key("alice", batch+".1")
	if err != nil {
		t.Fatal(err)
	}
	if k.Chain != wire.Bitcoin || k.Job != jobID(1) || k.Client != "alice" || len(k.PublicKey) != 33 ||
		len(k.ChainCode) != 32 || k.Created.IsZero() {
		t.Errorf("%+v", k)
	}
	if _, err := d.Key("bob", batch+".1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("another client's: %v", err)
	}
	for _, client := range []string{"", "alice"} {
		if got, err := d.ByAddress(client, k.Address); err != nil || got.ID != k.ID {
			t.Errorf("by address: %+v, %v", got, err)
		}
	}
	if _, err := d.ByAddress("bob", k.Address); !errors.Is(err, ErrNotFound) {
		t.Errorf("another client's address: %v", err)
	}
	sol, err := d.Key("", other+".0")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.ByAddress("bob", sol.Address); err != nil || got.ID != sol.ID {
		t.Errorf("by address: %+v, %v", got, err)
	}
	var ids []string
	for after := ""; ; {
		page, err := d.Keys(KeyQuery{Limit: 2, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page.Keys {
			ids = append(ids, k.ID)
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if want := []string{batch + ".0", batch + ".1", batch + ".2", other + ".0", other + ".1"}; !slices.Equal(ids, want) {
		t.Errorf("listed %v", ids)
	}
	d.stop()
	again := w.run("directory.db")
	if got, err := again.Key("alice", k.ID); err != nil || got.Address != k.Address {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	if info, err := os.Stat(again.cfg.Path); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.run("directory.db")
	request := Request{
		Client: "alice", Job: jobID(1), Kind: wire.KindKeygen, Digest: [32]byte{1}, Count: 3,
		Expires: time.Now().Add(time.Minute), By: "shop", Time: time.Now(),
	}
	if _, mine, err := d.Claim(w.ctx, request); !mine || err != nil {
		t.Fatal(mine, err)
	}
	other := request
	other.Digest = [32]byte{2}
	if stands, mine, err := d.Claim(w.ctx, other); mine || err != nil || stands.Digest != request.Digest {
		t.Fatal(stands, mine, err)
	}
	w.settled(d.Directory)
	lines, err := d.Watch(t.Context(), "alice", jobID(1))
	if err != nil {
		t.Fatal(err)
	}
	if j := <-lines; j.State != Accepted || j.Count != 3 || j.Done != 0 {
		t.Errorf("%+v", j)
	}
	w.entry("alice", jobID(1), wire.Bitcoin, 0, 3, false)
	w.result(&wire.Result{
		Job: jobID(1), Client: "alice", Kind: wire.KindKeygen, Status: wire.StatusDone, Chain: wire.Bitcoin,
	})
	var last Job
	for j := range lines {
		last = j
	}
	w.settled(d.Directory)
	j, err := d.Job("", jobID(1))
	if err != nil || last.State != Done || j.Done != 3 || j.Gateway != "gw" || j.Ended.IsZero() {
		t.Errorf("%+v, %+v, %v", last, j, err)
	}
	page, err := d.Keys(KeyQuery{Client: "alice", Job: jobID(1), Limit: 10})
	if err != nil || len(page.Keys) != 3 {
		t.Errorf("%+v, %v", page, err)
	}
	w.note(d.Directory, Remark{Client: "alice", Job: jobID(1), Label: "Cold Storage", By: "shop"})
	w.note(d.Directory, Remark{Client: "alice", Key: page.Keys[1].ID, Label: "hot", By: "shop"})
	for q, want := range map[KeyQuery][]int{
		{Label: "Cold Storage"}: {0, 2}, {Label: "hot", Client: "alice"}: {1}, {Text: "STOR"}: {0, 2}, {Label: "cold"}: nil,
		{Text: "o", Client: "alice", Limit: 3}: {0, 2, 1}, {Text: "o", Client: "bob"}: nil,
	} {
		q.Limit = max(q.Limit, 100)
		got, err := d.Keys(q)
		var indices []int
		for _, k := range got.Keys {
			id, _ := wire.ParseKeyID(k.ID)
			indices = append(indices, id.Index)
		}
		if err != nil || !slices.Equal(indices, want) {
			t.Errorf("%+v: %v, %v", q, indices, err)
		}
	}
	jobs, err := d.Jobs(JobQuery{Client: "alice", Limit: 10})
	if err != nil || len(jobs.Jobs) != 1 || jobs.Jobs[0].Label != "Cold Storage" {
		t.Errorf("%+v, %v", jobs, err)
	}
	payload, headers, err := d.Result(w.ctx, "alice", jobID(1))
	if err != nil || len(payload) == 0 || headers[wire.HeaderGateway][0] != "gw" {
		t.Errorf("%s, %v, %v", payload, headers, err)
	}
}
