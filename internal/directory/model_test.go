package directory

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/chain"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// model is what a directory should answer: computed in the plainest way from all that the
// streams hold.
type model struct {
	keys []Key // in the order of KEYS
	jobs map[jobRef]*Job
}

func (w *world) all(stream bus.Stream, filter string) []bus.Message {
	w.Helper()
	all, err := w.bus.Slots(w.ctx, stream, filter)
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *world) model() *model {
	m := &model{jobs: map[jobRef]*Job{}}
	job := func(client, id string, at time.Time) *Job {
		j := m.jobs[jobRef{client, id}]
		if j == nil {
			j = &Job{ID: id, Client: client, State: Accepted, Created: at}
			m.jobs[jobRef{client, id}] = j
		}
		if at.Before(j.Created) {
			j.Created = at
		}
		return j
	}
	for _, msg := range w.all(bus.Requests, "request.*.*") {
		if r, err := decodeRequest(msg.Subject, msg.Data); err == nil {
			j := job(r.Client, r.Job, msg.Time)
			j.Kind, j.Count = r.Kind, r.Count
		}
	}
	digests := map[string]string{}
	results := map[jobRef]bool{}
	for _, stream := range []bus.Stream{bus.Results, bus.Pending, bus.Notices} {
		filter := map[bus.Stream]string{bus.Results: "res.*.*", bus.Pending: "pending.*.*", bus.Notices: "notice.*.*"}[stream]
		for _, msg := range w.all(stream, filter) {
			t := strings.Split(msg.Subject, ".")
			ref := jobRef{t[1], t[2]}
			if stream == bus.Pending {
				if j := job(ref.client, ref.id, msg.Time); !results[ref] {
					j.State, j.Kind = Pending, wire.KindSign
				}
				continue
			}
			var r wire.Result
			if json.Unmarshal(msg.Data, &r) != nil || msg.Header[wire.HeaderGateway] == nil {
				continue
			}
			j := job(ref.client, ref.id, msg.Time)
			switch {
			case stream == bus.Results:
				results[ref] = true
				j.State, j.Kind, j.Code, j.Error, j.Gateway, j.Ended = State(r.Status), r.Kind, r.Code, r.Error, "gw", msg.Time
				j.Chain = r.Chain
				if r.Kind == wire.KindKeygen {
					digests[ref.client+hex.EncodeToString(r.Digest)] = ref.id
				}
				for _, s := range r.Sigs {
					if s.Code == "" {
						j.Done++
					}
				}
				j.Count = max(j.Count, len(r.Sigs))
			case !results[ref] && j.State != Pending && r.Status == wire.StatusFailed:
				j.State, j.Code, j.Error, j.Gateway, j.Ended = Failed, r.Code, r.Error, "gw", msg.Time
			}
		}
	}
	seen := map[string]bool{}
	made := map[jobRef]int{}
	for _, msg := range w.all(bus.Keys, wire.EntryHeads) {
		e, err := wire.VerifyEntry(msg.Data, w.fleet.Manifest)
		if err != nil || seen[e.ID] {
			continue
		}
		seen[e.ID] = true
		id := jobOf(msg)
		if id == "" {
			id = digests[e.Header.Client+hex.EncodeToString(e.Header.Digest[:])]
		}
		name := chainOfEntry(e)
		for i, k := range e.Keys {
			address, err := chain.Address(name, w.fleet.Manifest.Network, k.PublicKey)
			if err != nil {
				w.Fatal(err)
			}
			m.keys = append(m.keys, Key{
				ID: fmt.Sprintf("%s.%d", e.ID, i), Client: e.Header.Client, Chain: name, PublicKey: k.PublicKey,
				ChainCode: k.ChainCode[:], Address: address, Job: id, Created: msg.Time,
			})
		}
		if id != "" {
			j := job(e.Header.Client, id, msg.Time)
			if j.Kind == "" {
				j.Kind = wire.KindKeygen
			}
			j.Chain = name
			made[jobRef{e.Header.Client, id}] += len(e.Keys)
		}
	}
	for ref, j := range m.jobs {
		if n := made[ref]; j.Kind == wire.KindKeygen {
			if j.State == Done {
				j.Count = max(j.Count, n)
			}
			if j.Done = n; j.Count > 0 {
				j.Done = min(n, j.Count)
			}
		}
	}
	for _, msg := range w.all(bus.Labels, "label.>") {
		r, err := decodeRemark(msg.Subject, msg.Data)
		if err != nil {
			continue
		}
		if j := m.jobs[jobRef{r.Client, r.Job}]; j != nil {
			j.Label, j.Metadata = r.Label, r.Metadata
		}
		for i := range m.keys {
			k := &m.keys[i]
			if k.Client != r.Client {
				continue
			}
			if own := k.ID == r.Key; own {
				k.Label, k.Metadata = cmp.Or(r.Label, k.Label), r.Metadata
			}
		}
	}
	for _, msg := range w.all(bus.Labels, "label.*.job.*") { // where a key has nothing of its own
		r, err := decodeRemark(msg.Subject, msg.Data)
		for i := range m.keys {
			if k := &m.keys[i]; err == nil && k.Client == r.Client && k.Job == r.Job {
				if k.Label == "" {
					k.Label = r.Label
				}
				if len(k.Metadata) == 0 {
					k.Metadata = r.Metadata
				}
			}
		}
	}
	return m
}

// chainOfEntry names the chain of an entry's keys by their size.
func chainOfEntry(e *wire.Entry) string {
	if len(e.Keys[0].PublicKey) == 32 {
		return wire.Solana
	}
	return wire.Bitcoin
}

// allKeys and allJobs read lists to their ends, in pages of some size.
func allKeys(t testing.TB, d *Directory, q KeyQuery) (all []Key) {
	t.Helper()
	for pages := 0; ; pages++ {
		page, err := d.Keys(q)
		if err != nil || pages > 1000 {
			t.Fatal(pages, err)
		}
		all = append(all, page.Keys...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

func allJobs(t testing.TB, d *Directory, q JobQuery) (all []Job) {
	t.Helper()
	for pages := 0; ; pages++ {
		page, err := d.Jobs(q)
		if err != nil || pages > 1000 {
			t.Fatal(pages, err)
		}
		all = append(all, page.Jobs...)
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

// compare holds a directory against the model.
func (w *world) compare(d *Directory, m *model, draw *rand.Rand) {
	w.Helper()
	limit := 1 + draw.IntN(7)
	for _, q := range []KeyQuery{
		{}, {Client: "alice"}, {Client: "bob", Chain: wire.Solana}, {Client: "alice", Job: jobID(1)}, {Job: jobID(2)},
		{Label: "red"}, {Label: "Blue", Client: "alice"}, {Text: "e"}, {Text: "RED", Client: "bob"},
	} {
		q.Limit = limit
		var want []Key
		for _, k := range m.keys {
			if (q.Client == "" || k.Client == q.Client) && (q.Chain == "" || k.Chain == q.Chain) &&
				(q.Job == "" || k.Job == q.Job) && (q.Label == "" || k.Label == q.Label) &&
				(q.Text == "" || strings.Contains(strings.ToLower(k.Label), strings.ToLower(q.Text))) {
				want = append(want, k)
			}
		}
		got := allKeys(w, d, q)
		if q.Label+q.Text != "" {
			for _, list := range [][]Key{want, got} {
				slices.SortFunc(list, func(a, b Key) int { return cmp.Compare(a.ID, b.ID) })
			}
		}
		sameAll(w, fmt.Sprintf("keys %+v", q), got, want)
	}
	for _, q := range []JobQuery{{}, {Client: "alice"}, {State: Done}, {Kind: wire.KindSign, Client: "bob"}} {
		q.Limit = limit
		var want []Job
		for _, j := range m.jobs {
			if (q.Client == "" || j.Client == q.Client) && (q.State == "" || j.State == q.State) &&
				(q.Kind == "" || j.Kind == q.Kind) {
				want = append(want, *j)
			}
		}
		slices.SortFunc(want, func(a, b Job) int {
			return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(b.Client, a.Client), cmp.Compare(b.ID, a.ID))
		})
		sameAll(w, fmt.Sprintf("jobs %+v", q), allJobs(w, d, q), want)
	}
	for _, k := range m.keys {
		if got, err := d.ByAddress(k.Client, k.Address); err != nil || got.ID != k.ID {
			w.Errorf("%s: %s, %v", k.Address, got.ID, err)
		}
	}
}

// sameAll compares lists, in which an empty map is as good as none.
func sameAll[T any](t testing.TB, what string, got, want []T) {
	t.Helper()
	text := func(list []T) (all []string) {
		for _, v := range list {
			all = append(all, strings.ReplaceAll(fmt.Sprintf("%+v", v), "map[]", ""))
		}
		return all
	}
	if g, w := text(got), text(want); !reflect.DeepEqual(g, w) {
		t.Errorf("%s:\n%s\nwant:\n%s", what, strings.Join(g, "\n"), strings.Join(w, "\n"))
	}
}

// something happens to one of a few jobs of two clients.
func (w *world) something(d *Directory, draw *rand.Rand, batches *[]string) {
	client, n := []string{"alice", "bob"}[draw.IntN(2)], draw.IntN(6)
	id, labels := jobID(n), []string{"", "red", "Blue", "dark red"}
	chainName := []string{wire.Bitcoin, wire.Solana}[n%2]
	kind := wire.KindKeygen
	if n >= 3 {
		kind = wire.KindSign
	}
	request := Request{
		Client: client, Job: id, Kind: kind, Digest: [32]byte{byte(n)}, Count: 3, By: "token", Time: time.Unix(1, 0),
		Expires: time.Unix(2, 0),
	}
	switch what := draw.IntN(8); {
	case what == 0 || what == 1 && kind == wire.KindSign:
		if _, _, err := d.Claim(w.ctx, request); err != nil {
			w.Fatal(err)
		}
	case what == 1:
		*batches = append(*batches, client+" "+w.entry(client, id, chainName, draw.IntN(3), 1+draw.IntN(3), draw.IntN(2) == 0))
	case what == 2:
		r := &wire.Result{Job: id, Client: client, Kind: kind, Status: wire.StatusDone}
		if kind == wire.KindKeygen {
			r.Chain = chainName
		} else {
			r.Status, r.Code, r.Error = wire.StatusPartial, wire.CodePolicyDenied, "no"
			r.Sigs = []wire.Signed{{Key: "k"}, {Key: "k", Code: wire.CodePolicyDenied}}
		}
		w.resultOnce(r)
	case what == 3 && kind == wire.KindSign:
		if _, _, err := d.Claim(w.ctx, request); err != nil {
			w.Fatal(err)
		}
		w.publish(wire.PendingSubject(client, id), []byte("{}"), nil)
		w.notice(&wire.Result{Job: id, Client: client, Kind: kind, Status: wire.StatusPending})
	case what == 3:
		if _, _, err := d.Claim(w.ctx, request); err != nil {
			w.Fatal(err)
		}
		w.notice(&wire.Result{
			Job: id, Client: client, Kind: kind, Status: wire.StatusFailed, Code: wire.CodeExpired, Error: "late", Rejected: []byte{0},
		})
	case what == 4:
		w.note(d, Remark{Client: client, Job: id, Label: labels[draw.IntN(4)], By: "x"})
	case what <= 6 && len(*batches) > 0:
		_, batch, _ := strings.Cut((*batches)[draw.IntN(len(*batches))], " ")
		r := Remark{Client: client, Key: fmt.Sprintf("%s.%d", batch, draw.IntN(3)), Label: labels[draw.IntN(4)], By: "x"}
		if draw.IntN(2) == 0 {
			r.Metadata = map[string]string{"n": fmt.Sprint(draw.IntN(9))}
		}
		w.note(d, r)
	case what == 7:
		w.junk(client, id)
	}
}

// TestAgainstModel: after whatever happened, and however often the directory was restarted or its
// file deleted meanwhile, it answers as the streams say.
func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			w, draw := newWorld(t), rand.New(rand.NewPCG(seed, 1))
			d := w.run("directory.db")
			var batches []string
			for range 6 {
				for range 25 {
					w.something(d.Directory, draw, &batches)
				}
				switch draw.IntN(3) {
				case 0:
					d.stop()
					d = w.run("directory.db")
				case 1:
					d.stop()
					if err := os.Remove(d.cfg.Path); err != nil {
						t.Fatal(err)
					}
					d = w.run("directory.db")
				}
				w.settled(d.Directory)
				w.compare(d.Directory, w.model(), draw)
			}
		})
	}
}

// TestTwoDirectories of the same streams say the same, cursors included.
func TestTwoDirectories(t *testing.T) {
	t.Parallel()
	w, draw := newWorld(t), rand.New(rand.NewPCG(7, 7))
	both := []*running{w.run("first.db"), w.run("second.db")}
	var batches []string
	for i := range 80 {
		w.something(both[i%2].Directory, draw, &batches)
	}
	both = append(both, w.run("third.db")) // reads all of it at once
	for _, d := range both {
		w.settled(d.Directory)
		w.compare(d.Directory, w.model(), draw)
	}
	page, err := both[0].Keys(KeyQuery{Limit: 2})
	if err != nil {
		t.Fatal(err)
	}
	rest := func(d *running) []Key { return allKeys(t, d.Directory, KeyQuery{Limit: 3, After: page.Next}) }
	sameAll(t, "behind a cursor of another's", rest(both[2]), rest(both[0]))
}
