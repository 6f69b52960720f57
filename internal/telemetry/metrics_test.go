package telemetry

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/buswatch"
	"github.com/frostfleet/frostfleet/internal/directory"
	"github.com/frostfleet/frostfleet/internal/frost"
	"github.com/frostfleet/frostfleet/internal/keyprovider"
	"github.com/frostfleet/frostfleet/internal/natsconn"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// full registers everything that a program of a role has.
func full(t *testing.T, of Identity) (*Metrics, *prometheus.Registry) {
	t.Helper()
	r := prometheus.NewRegistry()
	m := NewMetrics(r, of)
	m.Bus(func() (buswatch.Sample, bool) { return everything, true }, func() error { return nil })
	m.Disk("storage", t.TempDir())
	m.Audit(func() (written, waiting, lost uint64) { return 7, 2, 1 })
	m.Freezes(func() *wire.Frozen { return nil })
	if of.Role == RoleGateway {
		m.Directory(func() directory.Stats { return directory.Stats{Keys: 1, Jobs: 2, Bytes: 3, Waiting: 4, Unindexed: 5} })
	}
	m.Fork(func() error { return nil })
	m.Reloads(func(f func(string, bool)) { f("access", true); f("config", false) })
	r.MustRegister(readiness([]Check{{"bus", func() error { return nil }}}))
	if of.Role == RoleGateway {
		m.Presence(func() []protocol.ManifestNodes {
			last := &wire.Heartbeat{Build: "v0", InFlight: 2, Backlog: 3}
			return []protocol.ManifestNodes{
				{Manifest: &wire.Manifest{Epoch: 1}, Nodes: []protocol.NodePresence{
					{Present: true, Heard: time.Now(), Last: last}, {Twins: 4, Foreign: true},
				}},
				{Manifest: &wire.Manifest{Epoch: 2}, Nodes: []protocol.NodePresence{{Present: true}}},
			}
		}, func() []string { return []string{"gateway0"} })
		m.Resharing(func() protocol.Resharing {
			return protocol.Resharing{Run: true, Moved: 7, Left: 5, InFlight: 2, Blocked: "node 0 is not heard"}
		})
		m.Webhooks().Know("shop", []string{"delivered"})
		m.WebhooksOldest(func(f func(string, time.Duration)) { f("shop", 3*time.Second) })
		m.AuditRewound(func() map[int]int { return map[int]int{1: 2} })
		h := m.HTTP()
		h.HTTPRequest("GET /v1/keys", 200, time.Millisecond)
		h.HTTPRequest("none", 404, time.Millisecond)
		h.HTTPRefused("unauthorized")
		m.Demand(func() protocol.Demand { return protocol.Demand{Queued: 5, Longest: time.Minute, Retries: 0.5} })
	}
	if of.Role == RoleWorker {
		m.ForProvider(backend("aws-kms"), someone)
		m.Rules([]string{"daily"})
		m.Nonces(func() (drawn, used, dropped uint64) { return 5, 3, 1 })
	}
	return m, r
}

// everything is a sample that has all there can be.
var everything = buswatch.Sample{
	At:          time.Unix(1, 0),
	RTT:         2 * time.Millisecond,
	ClockOffset: -3 * time.Second,
	ClockKnown:  true,
	Streams: []buswatch.StreamState{
		{Stream: bus.Keys, Messages: 4, Bytes: 5, Last: 6, MaxBytes: 7, Replicas: 3, Current: 2, Damaged: 18},
		{Stream: bus.Jobs, Messages: 8, Bytes: 9, Last: 10, Replicas: 1, Current: 1, AtQuota: 2},
	},
	Leaderless: []bus.Stream{bus.Sign},
	Storage: []buswatch.StorageState{
		{Kind: buswatch.StorageFile, Used: 11, Limit: 12},
		{Kind: buswatch.StorageMemory, Used: 13, Limit: -1},
	},
	Consumers:   []buswatch.ConsumerState{{Durable: "gateways-sign", Pending: 14, Unacknowledged: 15}},
	Followers:   []buswatch.FollowerState{{Stream: bus.Keys, Behind: 16, For: 1500 * time.Millisecond}},
	Credentials: []natsconn.Credential{{Name: natsconn.CredentialCert, Expires: time.Unix(17, 0)}},
}

// TestEachEventMovesItsMetrics: exactly those.
func TestEachEventMovesItsMetrics(t *testing.T) {
	took := 20 * time.Millisecond
	begun := time.Unix(1000, 0)
	for name, test := range map[string]struct {
		of   Identity
		do   func(*Metrics)
		want map[string]float64
	}{
		"dealt": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportDealt, Suite: frost.Ed25519, Count: 7, Culprit: -1})
		}, map[string]float64{"events_total{event=dealt}": 1, "items_total{event=dealt,suite=ed25519}": 7, "batch_items{kind=keygen} count": 1, "batch_items{kind=keygen} sum": 7}},
		"committed": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportCommitted, Suite: frost.Secp256k1TR, Count: 3, Culprit: -1})
		}, map[string]float64{"events_total{event=committed}": 1, "items_total{event=committed,suite=secp256k1-tr}": 3, "batch_items{kind=sign} count": 1, "batch_items{kind=sign} sum": 3,
			"decisions_total{decision=approved,rule=none}": 1}},
		"certified": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportCertified, Suite: frost.Ed25519, Count: 7, Culprit: -1})
		}, map[string]float64{"events_total{event=certified}": 1, "items_total{event=certified,suite=ed25519}": 7}},
		"denied": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportRefused, Culprit: -1,
				Asked: &protocol.Asked{Decision: protocol.Denied, Rule: "daily"}})
		}, map[string]float64{"events_total{event=refused}": 1, "decisions_total{decision=denied,rule=daily}": 1}},
		"refused by no rule": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportRefused, Culprit: -1, Asked: &protocol.Asked{}})
		}, map[string]float64{"events_total{event=refused}": 1, "decisions_total{decision=failed,rule=none}": 1}},
		"refused though its policy approves": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportRefused, Culprit: -1,
				Asked: &protocol.Asked{Decision: protocol.Approved, Rule: "daily"}})
		}, map[string]float64{"events_total{event=refused}": 1, "decisions_total{decision=failed,rule=daily}": 1}},
		"sat out": {
			worker0, func(m *Metrics) { m.Report(protocol.Report{What: protocol.ReportSatOut, Culprit: -1}) },
			map[string]float64{"events_total{event=sat_out}": 1},
		},
		"aborted": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportAborted, Code: frost.CodeProof, Culprit: 2})
		}, map[string]float64{"events_total{event=aborted}": 1, "aborts_total{code=deal_proof,culprit=2}": 1,
			"node_blamed_total{code=deal_proof,index=2}": 1}},
		"certified another batch": {worker0, func(m *Metrics) { // another process of the node: no proof against it
			m.Report(protocol.Report{What: protocol.ReportAborted, Code: wire.CodeOtherTranscript, Culprit: 2})
		}, map[string]float64{"events_total{event=aborted}": 1, "aborts_total{code=other_transcript,culprit=2}": 1}},
		"proven faulty": {gateway0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportBlamed, Kind: wire.KindSign, Code: protocol.BlameShare, Culprit: 1})
		}, map[string]float64{"events_total{event=blamed}": 1, "node_blamed_total{code=share_wrong,index=1}": 1}},
		"aborted by nobody": {gateway0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportAborted, Code: wire.CodeRestarted, Culprit: -1})
		}, map[string]float64{"events_total{event=aborted}": 1, "aborts_total{code=restarted,culprit=none}": 1}},
		"retry": {gateway0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportRetry, Kind: wire.KindSign, Code: wire.CodeSigningFailed, Culprit: 0})
		}, map[string]float64{"events_total{event=retry}": 1, "retries_total{culprit=0,kind=sign}": 1}},
		"a small job": {gateway0, func(m *Metrics) {
			m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Interactive: true, Items: 2, Took: took})
		}, map[string]float64{"jobs_total{code=done,kind=sign}": 1, "job_seconds{kind=sign,load=interactive} count": 1, "job_seconds{kind=sign,load=interactive} sum": .02,
			"job_items{kind=sign} count": 1, "job_items{kind=sign} sum": 2}},
		"a large job": {gateway0, func(m *Metrics) {
			m.JobDone(protocol.JobEnd{Kind: wire.KindKeygen, Items: 10000, Took: -took}) // another machine's clock
		}, map[string]float64{"jobs_total{code=done,kind=keygen}": 1, "job_seconds{kind=keygen,load=bulk} count": 1, "job_items{kind=keygen} count": 1, "job_items{kind=keygen} sum": 10000}},
		"a job that failed": {gateway0, func(m *Metrics) {
			m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Code: wire.CodeExpired, Took: took})
		}, map[string]float64{"jobs_total{code=expired,kind=sign}": 1}},
		"job in part": {gateway0, func(m *Metrics) {
			m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Code: wire.CodeNotOwner, Items: 2, Took: took})
		}, map[string]float64{
			"jobs_total{code=not_owner,kind=sign}": 1, "job_items{kind=sign} count": 1, "job_items{kind=sign} sum": 2,
		}},
		"a batch moved": {gateway0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportReshared, Suite: frost.Ed25519, Count: 7, Culprit: -1})
		}, map[string]float64{"events_total{event=reshared}": 1, "items_total{event=reshared,suite=ed25519}": 7}},
		"an attempt at moving given up": {gateway0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportReshareAbandoned, Code: frost.CodeShare, Culprit: -1})
		}, map[string]float64{"events_total{event=reshare_abandoned}": 1, "reshare_abandoned_total{code=deal_share}": 1}},
		"shares got from the nodes before": {worker0, func(m *Metrics) {
			m.Report(protocol.Report{What: protocol.ReportReshareComplete, Suite: frost.Ed25519, Count: 7, Culprit: -1})
		}, map[string]float64{"events_total{event=reshare_complete}": 1, "items_total{event=reshare_complete,suite=ed25519}": 7}},
		"no job": {gateway0, func(m *Metrics) { m.JobDone(protocol.JobEnd{Kind: "dance"}) }, map[string]float64{}},
		"a round": {gateway0, func(m *Metrics) {
			m.Round(protocol.Round{Round: protocol.RoundShares, Suite: frost.Ed25519, Interactive: true, From: begun, To: begun.Add(took)})
		}, map[string]float64{"rounds_seconds{load=interactive,round=shares,suite=ed25519} count": 1, "rounds_seconds{load=interactive,round=shares,suite=ed25519} sum": .02}},
		"published": {worker0, func(m *Metrics) { m.Published(bus.Sign, bus.OutcomeOK, took) },
			map[string]float64{"bus_publishes_total{outcome=ok,stream=SIGN}": 1, "bus_publish_seconds{stream=SIGN} count": 1, "bus_publish_seconds{stream=SIGN} sum": .02}},
		"not published": {
			gateway0, func(m *Metrics) { m.Published(bus.Results, "busy", took) },
			map[string]float64{"bus_publishes_total{outcome=busy,stream=RESULTS}": 1},
		},
		"delivered": {
			gateway0, func(m *Metrics) { m.Delivered("gateways-sign", false) },
			map[string]float64{"bus_deliveries_total{durable=gateways-sign}": 1},
		},
		"redelivered": {gateway0, func(m *Metrics) { m.Delivered("gateways-keygen", true) },
			map[string]float64{"bus_deliveries_total{durable=gateways-keygen}": 1, "bus_redeliveries_total{durable=gateways-keygen}": 1}},
		"reconnected": {worker0, func(m *Metrics) { m.Reconnected() }, map[string]float64{"bus_reconnects_total{}": 1}},
	} {
		t.Run(name, func(t *testing.T) {
			r := prometheus.NewRegistry()
			m := NewMetrics(r, test.of)
			m.Rules([]string{"daily"})
			before := read(t, r)
			test.do(m)
			after := read(t, r)
			if got := moved(before, after); !maps.EqualFunc(got, test.want, func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }) {
				t.Errorf("moved %v, want %v", got, test.want)
			}
			if len(after) != len(before) {
				t.Errorf("%d series after, %d before: increase() misses the first event", len(after), len(before))
			}
		})
	}
}

// TestLabelsStayBounded: whatever comes in, it makes a few labels at most.
func TestLabelsStayBounded(t *testing.T) {
	for _, of := range []Identity{worker0, gateway0} {
		m, r := full(t, of)
		feed := func(i int) {
			strange := fmt.Sprintf("x%d", i)
			m.Report(protocol.Report{What: protocol.ReportKind(strange), Suite: frost.Suite(i), Count: 1, Culprit: i})
			m.Report(protocol.Report{What: protocol.ReportAborted, Code: wire.Code(strange), Culprit: i})
			m.Report(protocol.Report{What: protocol.ReportRetry, Kind: wire.Kind(strange), Culprit: -i})
			m.Report(protocol.Report{What: protocol.ReportBlamed, Code: wire.Code(strange), Culprit: i})
			m.Report(protocol.Report{What: protocol.ReportBlamed, Code: protocol.BlameShare, Culprit: i})
			m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Code: wire.Code(strange)})
			m.JobDone(protocol.JobEnd{Kind: wire.Kind(strange)})
			m.Round(protocol.Round{Round: protocol.RoundKind(strange), Suite: frost.Suite(i)})
			m.Published(bus.Stream(strange), strange, 0)
			m.Published(bus.Stream(strange), bus.OutcomeOK, 0)
			m.Delivered(strange, true)
			m.ProviderCall(keyprovider.Call{Operation: strange, Err: &keyprovider.Error{Reason: keyprovider.Reason(strange)}})
		}
		for i := range 10 {
			feed(i)
		}
		before := len(read(t, r))
		for i := range 300 {
			feed(i)
		}
		if after := len(read(t, r)); after != before {
			t.Errorf("%s: %d series, and strange events made it %d", of.Role, before, after)
		}
	}
}

func TestInfo(t *testing.T) {
	m, r := full(t, worker0)
	m.Keystore(filepath.Join(t.TempDir(), "none"))
	wantSamples(t, r, map[string]float64{
		"info{fleet_name=test,goversion=" + runtime.Version() + ",manifest=0a0b,name=worker-0,program_role=worker,version=v1}": 1,
		"fleet_nodes{}":               3,
		"fleet_threshold{}":           2,
		"ready{}":                     1,
		"check{check=bus}":            1,
		"nonces_total{state=drawn}":   5,
		"nonces_total{state=used}":    3,
		"nonces_total{state=dropped}": 1,
	})
	if _, there := read(t, r)["keystore_bytes{}"]; there {
		t.Error("a keystore that is not there has a size")
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "keystore")
	if err := os.WriteFile(file, make([]byte, 123), 0o600); err != nil {
		t.Fatal(err)
	}
	r := prometheus.NewRegistry()
	m := NewMetrics(r, gateway0)
	m.Disk("bus", dir)
	m.Disk("storage", filepath.Join(dir, "none"))
	m.Keystore(file)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	got := read(t, r)
	size, free := got["disk_size_bytes{path=bus}"], got["disk_free_bytes{path=bus}"]
	block := float64(fs.Bsize)
	if want := float64(fs.Blocks) * block; size != want {
		t.Errorf("%g bytes, and there are %g", size, want)
	}
	if want := float64(fs.Bavail) * block; free < .8*want || free > 1.2*want { // others write meanwhile
		t.Errorf("%g bytes free, and there are %g", free, want)
	}
	if _, there := got["disk_size_bytes{path=storage}"]; there {
		t.Error("a directory that is not there has a size")
	}
	wantSamples(t, r, map[string]float64{"keystore_bytes{}": 123})
}

// TestConventions: names and help as Prometheus wants them, every histogram with
// classic buckets and native ones.
func TestConventions(t *testing.T) {
	for _, of := range []Identity{worker0, gateway0} {
		m, r := full(t, of)
		m.Published(bus.Keys, bus.OutcomeOK, time.Second)
		m.Round(protocol.Round{Round: protocol.RoundDeals, Suite: frost.Ed25519, From: time.Unix(1, 0), To: time.Unix(2, 0)})
		m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Items: 1, Took: time.Second})
		m.ProviderCall(keyprovider.Call{Operation: keyprovider.OpSign, Took: time.Second})
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				h := metric.GetHistogram()
				if h == nil {
					continue
				}
				if len(h.GetBucket()) < 11 {
					t.Errorf("%s has %d classic buckets", f.GetName(), len(h.GetBucket()))
				}
				if h.Schema == nil || h.GetSchema() < 3 || h.GetSampleCount() > 0 && len(h.GetPositiveSpan()) == 0 {
					t.Errorf("%s%v has no native buckets that grow by a tenth", f.GetName(), metric.GetLabel())
				}
			}
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil || len(problems) != 0 {
			t.Errorf("%s: promlint: %v, %v", of.Role, problems, err)
		}
	}
}

// TestJobBuckets: a quantile of what small sign jobs take is not far from what
// they took.
func TestJobBuckets(t *testing.T) {
	for i, bound := range jobBuckets[1:] {
		if before := jobBuckets[i]; before >= .0015 && bound <= .1 && bound/before > 1.334 {
			t.Errorf("nothing between %g and %g s", before, bound)
		}
	}
}

// TestObjectives: the buckets that alerts count by are there.
func TestObjectives(t *testing.T) {
	r := prometheus.NewRegistry()
	m := NewMetrics(r, gateway0)
	for _, took := range []time.Duration{250 * time.Millisecond, 251 * time.Millisecond} {
		m.JobDone(protocol.JobEnd{Kind: wire.KindSign, Interactive: true, Items: 1, Took: took})
	}
	m.JobDone(protocol.JobEnd{Kind: wire.KindKeygen, Items: largestJob, Took: time.Hour})
	wantSamples(t, r, map[string]float64{
		"job_seconds{kind=sign,load=interactive} le 0.25": 1,
		"job_seconds{kind=sign,load=interactive} le 0.3":  2,
		"job_seconds{kind=keygen,load=bulk} le 3600":      1,
		"job_items{kind=keygen} le 131072":                1,
		"job_items{kind=keygen} le 65536":                 0,
	})
}
