package bus

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/frostfleet/frostfleet/internal/natsconn"
	declared "github.com/frostfleet/frostfleet/nats"
)

// production runs nats/server.conf itself; only address and store differ, and what
// change does. It returns the URL and each user's seed file.
func production(t *testing.T, change func(*server.Options)) (url string, seeds map[string]string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, declared.Config); err != nil {
		t.Fatal(err)
	}
	seeds = make(map[string]string)
	for _, user := range []string{"administrator", "worker-0", "worker-1", "worker-2", "gateway-a", "gateway-b", "client-alice", "client-bob",
		"administrator-carol", "administrator-dave", "approver-erin", "approver-frank"} {
		key := must[nkeys.KeyPair](t)(nkeys.CreateUser())
		seeds[user] = seedFile(t, key)
		variable := "FROST_NKEY_" + strings.ToUpper(strings.ReplaceAll(user, "-", "_"))
		t.Setenv(variable, must[string](t)(key.PublicKey()))
	}
	opts, err := server.ProcessConfigFile(filepath.Join(dir, "server.conf"))
	if err != nil {
		t.Fatal(err)
	}
	if !opts.SyncAlways || opts.MaxPayload < natsconn.MaxPayload {
		t.Errorf("sync_interval always: %v, max_payload: %d", opts.SyncAlways, opts.MaxPayload)
	}
	opts.StoreDir = t.TempDir()
	change(opts)
	return foreignServer(t, opts), seeds
}

func connectAs(t *testing.T, url, seed, name string) *Bus {
	t.Helper()
	return connectTest(t, url, func(o *Options) {
		o.Credentials, o.Name, o.AckTimeout, o.Nodes = seed, name, 2*time.Second, 3
	})
}

func TestProductionConfig(t *testing.T) {
	url, seeds := production(t, func(*server.Options) {})
	ctx := testContext(t)
	admin := connectAs(t, url, seeds["administrator"], "administrator")
	if err := admin.Apply(ctx); err != nil {
		t.Fatal(err)
	}
	worker := connectAs(t, url, seeds["worker-0"], "worker-0")
	gateway := connectAs(t, url, seeds["gateway-a"], "gateway-a")
	alice := connectAs(t, url, seeds["client-alice"], "alice")

	t.Run("each role can do its work", func(t *testing.T) {
		for name, check := range map[string]func(context.Context) error{
			"administrator": admin.Check, "worker": worker.CheckStreams, "gateway": gateway.Check,
		} {
			if err := check(ctx); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		testRolesWork(t, worker, gateway, alice)
	})
	t.Run("a gateway carries", func(t *testing.T) {
		testCarries(t, gateway, connectAs(t, url, seeds["gateway-b"], "gateway-b"))
	})
	t.Run("each role can watch", func(t *testing.T) { testRolesWatch(t, url, seeds) })
	t.Run("nodes can be asked what they hold", func(t *testing.T) { testRolesAsk(t, url, seeds) })
	t.Run("and nothing else", func(t *testing.T) { testRolesRefused(t, admin, url, seeds) })
}

// TestWrongName: a worker whose name its permissions are not for is told so, at once.
func TestWrongName(t *testing.T) {
	url, seeds := production(t, func(*server.Options) {})
	for _, name := range []string{"worker-1", ""} {
		_, err := Connect(testContext(t), Options{Fleet: "main", URL: url, Name: name, AckTimeout: patience,
			Files: natsconn.Files{Credentials: seeds["worker-0"]}})
		if !errors.Is(err, ErrDenied) || !strings.Contains(err.Error(), "[bus] name") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestBothAcknowledgements: gateways can acknowledge what a server hands out under
// either form of reply subject. What is not acknowledged comes again.
func TestBothAcknowledgements(t *testing.T) {
	for form, parts := range map[string]struct {
		v2     bool
		prefix string
	}{"old": {false, "$JS.ACK.FROST_MAIN_"}, "with domain and account": {true, "$JS.ACK._."}} {
		t.Run(form, func(t *testing.T) {
			url, seeds := production(t, func(o *server.Options) {
				o.FeatureFlags = map[string]bool{server.FeatureFlagJsAckFormatV2: parts.v2}
			})
			if err := connectAs(t, url, seeds["administrator"], "administrator").Apply(testContext(t)); err != nil {
				t.Fatal(err)
			}
			gateway := connectAs(t, url, seeds["gateway-a"], "gateway-a")
			alice := connectAs(t, url, seeds["client-alice"], "alice")
			acknowledged := make(chan error, 2)
			take := func(d Delivery) {
				if reply := d.(*delivery).reply; !strings.HasPrefix(reply, parts.prefix) {
					t.Errorf("acknowledged on %s, want %s", reply, parts.prefix)
				}
				err := d.Ack(context.Background())
				select {
				case acknowledged <- err:
				default: // it came again, as the first answer says
				}
			}
			consume(t, gateway, Jobs, GatewaysDurable("sign"), 16, take)
			consume(t, gateway, Bulk, BulkDurable, 16, take)
			for _, subject := range []string{"job.sign.alice", "bulk.sign.alice"} {
				if _, err := alice.Publish(testContext(t), subject, []byte("{}"), nil); err != nil {
					t.Fatal(err)
				}
				if err := <-acknowledged; err != nil {
					t.Fatal(err)
				}
			}
			noneLeft(t, gateway)
		})
	}
}

// testRolesWork is a job's way through the fleet.
func testRolesWork(t *testing.T, worker, gateway, alice *Bus) {
	ctx := testContext(t)
	result := make(chan *nats.Msg, 1)
	if _, err := alice.nc.ChanSubscribe(alice.names.prefix+"result.alice.*", result); err != nil {
		t.Fatal(err)
	}
	if err := alice.nc.Flush(); err != nil {
		t.Fatal(err)
	}
	commits := make(chan Message, 1)
	if _, err := gateway.Follow(ctx, Sign, 0, FollowOptions{Handler: func(m Message) { commits <- m }}); err != nil {
		t.Fatal(err)
	}
	if _, err := worker.Follow(ctx, Work, 0, FollowOptions{Handler: func(Message) {
		slot := commitSubject(testBatch, 0)
		for again := range 2 { // the second time it finds its own
			if found, err := worker.PublishSlot(ctx, slot, []byte("nonces"), nil, isOneOf("nonces")); found != (again == 1) || err != nil {
				t.Errorf("commitment: %t %v", found, err)
			}
		}
	}}); err != nil {
		t.Fatal(err)
	}
	consume(t, gateway, Jobs, GatewaysDurable("sign"), 16, func(d Delivery) {
		if _, err := gateway.Publish(ctx, "work.interactive.alice.j1.0.0", d.Message().Data, nil); err != nil {
			t.Error(err)
		}
		<-commits
		if _, err := gateway.PublishSlot(ctx, "res.alice.j1", []byte("done"), nil, isOneOf("done")); err != nil {
			t.Errorf("result: %v", err)
		}
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := alice.Publish(ctx, "job.sign.alice", []byte("{}"), nil); err != nil {
		t.Fatal(err)
	}
	if m := <-result; string(m.Data) != "done" || m.Subject != "frost.main.result.alice.j1" {
		t.Errorf("announced: %+v", m)
	}
	// A rejection takes no result's place.
	if _, err := gateway.Publish(ctx, "notice.alice.j2", []byte("no"), nil); err != nil {
		t.Fatal(err)
	}
	if m := <-result; string(m.Data) != "no" || m.Subject != "frost.main.result.alice.j2" {
		t.Errorf("rejection: %+v", m)
	}
	if m, ok, err := alice.Last(ctx, Results, "res.alice.j1"); err != nil || !ok || string(m.Data) != "done" {
		t.Errorf("read later: %+v %v %v", m, ok, err)
	}
	if _, err := worker.PublishSlot(ctx, roundSubject("dkg", "deal", testBatch, 0), []byte("deal"), nil, isOneOf("deal")); err != nil {
		t.Error(err)
	}
	if got, err := gateway.Slots(ctx, RoundsOf(0), "dkg."+testBatch+".>"); err != nil || len(got) != 1 {
		t.Errorf("gateway reads deals: %v %v", got, err)
	}
	if _, err := gateway.PublishSlot(ctx, deal(t, 0), []byte("entry"), nil, isOneOf("entry")); err != nil {
		t.Error(err)
	}
	if got, err := worker.Slots(ctx, Keys, "entry."+testBatch+".>"); err != nil || len(got) != 1 {
		t.Errorf("worker reads entries: %v %v", got, err)
	}
	testHeartbeats(t, worker, gateway)
	if _, err := worker.Publish(ctx, roundSubject("dkg", "deal", testBatch, 1), []byte("x"), nil); !errors.Is(err, ErrDenied) {
		t.Errorf("worker 0 in slot 1: %v, want ErrDenied without waiting", err)
	}
	noneLeft(t, gateway)
}

// testCarries: a gateway passes on what others signed, notes requests, of which the first one
// stands, and follows labels and results.
func testCarries(t *testing.T, gateway, other *Bus) {
	ctx := testContext(t)
	for _, subject := range []string{"job.keygen.bob", "job.sign.bob", "bulk.sign.bob", "approve.erin", "carried.a"} {
		if _, err := gateway.Publish(ctx, subject, []byte("{}"), nil); err != nil {
			t.Errorf("%s: %v", subject, err)
		}
	}
	acknowledged := make(chan error)
	consume(t, other, Jobs, GatewaysDurable("sign"), 1, func(d Delivery) { acknowledged <- d.Ack(context.Background()) })
	if err := <-acknowledged; err != nil {
		t.Fatal(err)
	}
	const request = "request.bob.00000000-0000-7000-8000-000000000001"
	if _, err := gateway.Publish(ctx, request, []byte("first"), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Publish(ctx, request, []byte("second"), nil); !errors.Is(err, ErrExists) {
		t.Errorf("the second request of a job: %v", err)
	}
	if m, found, err := other.LastAtLeader(ctx, Requests, request); err != nil || !found || string(m.Data) != "first" {
		t.Errorf("the request that stands: %s, %t, %v", m.Data, found, err)
	}
	for _, stream := range []Stream{Requests, Labels, Results, Notices} {
		heard := make(chan Message, 64)
		if _, err := other.FollowToEnd(ctx, ctx, stream, 1, FollowOptions{Handler: func(m Message) { heard <- m }}); err != nil {
			t.Fatalf("%s: %v", stream, err)
		}
		subject := map[Stream]string{
			Requests: "request.bob.00000000-0000-7000-8000-000000000002", Labels: "label.bob.job.x", Results: "res.bob.x",
			Notices: "notice.bob.x",
		}[stream]
		if _, err := gateway.Publish(ctx, subject, []byte("x"), nil); err != nil {
			t.Fatal(err)
		}
		for m := range heard {
			if m.Subject == subject {
				break
			}
		}
	}
	if got, _, err := gateway.Part(ctx, Pending, 1, "pending.*.*"); err != nil || len(got) != 0 {
		t.Errorf("jobs that wait: %v, %v", got, err)
	}
}

// testHeartbeats swaps those of a worker and a gateway, which the gateway follows.
func testHeartbeats(t *testing.T, worker, gateway *Bus) {
	ctx := testContext(t)
	seen := make(chan Message, 3)
	if _, err := gateway.Follow(ctx, Presence, 1, FollowOptions{Handler: func(m Message) { seen <- m }}); err != nil {
		t.Fatal(err)
	}
	first := must[uint64](t)(worker.Swap(ctx, "presence.node.0", []byte("1"), 0))
	if _, err := worker.Swap(ctx, "presence.node.0", []byte("2"), 0); !errors.Is(err, ErrConflict) {
		t.Errorf("a swap over nothing, where something is: %v", err)
	}
	must[uint64](t)(worker.Swap(ctx, "presence.node.0", []byte("2"), first))
	must[uint64](t)(gateway.Swap(ctx, "presence.gateway.a", []byte("3"), 0))
	for heard := ""; heard != "23"; { // the first one may be gone before it was read
		select {
		case m := <-seen:
			if string(m.Data) != "1" {
				heard += string(m.Data)
			}
		case <-ctx.Done():
			t.Fatalf("the gateway has heard %q after the first", heard)
		}
	}
	if m, ok, err := worker.Last(ctx, Presence, "presence.node.0"); err != nil || !ok || string(m.Data) != "2" {
		t.Errorf("worker reads %+v %t %v", m, ok, err)
	}
}

// testRolesWatch takes a sample as each role does. What a role may not ask for
// fails at once, and alone.
func testRolesWatch(t *testing.T, url string, seeds map[string]string) {
	ctx := testContext(t)
	for user, consumers := range map[string]bool{"gateway-b": true, "worker-1": false, "worker-2": false} {
		b := connectTest(t, url, func(o *Options) { o.Credentials, o.Name, o.Nodes = seeds[user], user, 3 })
		start := time.Now()
		for _, d := range b.Declared() {
			err := b.Ask(ctx, "$JS.API.STREAM.INFO."+d.Name, nil, new(struct{}))
			if (err == nil) != (consumers || !d.New) { // what is new is gateways' alone
				t.Errorf("%s: %s: %v", user, d.Stream, err)
			}
			for _, durable := range d.Durables {
				err := b.Ask(ctx, "$JS.API.CONSUMER.INFO."+d.Name+"."+durable, nil, new(struct{}))
				if (err == nil) != consumers || err != nil && !errors.Is(err, ErrDenied) {
					t.Errorf("%s: consumer %s: %v", user, durable, err)
				}
			}
		}
		var account jetstream.AccountInfo
		err := b.Ask(ctx, "$JS.API.INFO", nil, &account)
		if _, lost := b.Ping(ctx); err != nil || lost != nil || account.Store == 0 { // the streams' account, not the role's own
			t.Errorf("%s: storage %+v, %v, %v", user, account, err, lost)
		}
		if took := time.Since(start); took > b.opt.AckTimeout {
			t.Errorf("%s: asking took %v: denied by time-out?", user, took)
		}
	}
}

// testRolesRefused tries, without this package, what must not work.
func testRolesRefused(t *testing.T, admin *Bus, url string, seeds map[string]string) {
	ctx := testContext(t)
	for _, s := range []string{"dkg." + testBatch + ".cert.1", "res.bob.secret"} {
		if _, err := admin.Publish(ctx, s, []byte("kept"), nil); err != nil {
			t.Fatal(err)
		}
	}
	before := snapshot(t, admin)
	requests := map[string][]string{
		"worker-0": {"frost.main.job.sign.alice", "frost.main.res.alice.j9", "frost.main.dead.sign.alice.j", "frost.main.work.a.b.c.0.0",
			"frost.main.dkg." + testBatch + ".deal.1", "frost.main.sign." + testBatch + ".commit.1", "frost.main.manifest." + testHash,
			"frost.main." + dealSubject(testBatch, 0), "frost.main.entry." + testBatch + ".0.head", "frost.main.live.rounds.0.x",
			"frost.main.live.keys.x", "frost.main.result.alice.j9", "frost.main.notice.alice.j9",
			"$JS.API.DIRECT.GET.FROST_MAIN_RESULTS.frost.main.res.bob.secret", "frost.main.presence.node.1",
			"frost.main.presence.twin.1", "frost.main.presence.gateway.a"},
		"gateway-a": {"frost.main.dkg." + testBatch + ".deal.1", "frost.main.sign." + testBatch + ".commit.1", "frost.main.job.other.alice",
			"frost.main.control.carol", "frost.main.carried.b", "frost.main.result.alice.j9", "frost.main.live.labels.x",
			"frost.main.presence.node.0", "frost.main.presence.gateway.b", "frost.main.presence.gateway.x"},
		"client-alice": {"frost.main.request.alice.j", "frost.main.label.alice.job.j", "frost.main.carried.a",
			"$JS.API.DIRECT.GET.FROST_MAIN_LABELS", "frost.main.presence.node.0", "$JS.API.DIRECT.GET.FROST_MAIN_PRESENCE", "frost.main.notice.alice.j9", "frost.main.job.sign.bob", "frost.main.job.other.alice", "frost.main.res.alice.j9", "frost.main.work.a.b.c.0.0",
			"frost.main.dkg." + testBatch + ".deal.1", "$JS.API.DIRECT.GET.FROST_MAIN_RESULTS.frost.main.res.bob.secret",
			"$JS.API.STREAM.MSG.GET.FROST_MAIN_RESULTS", "$JS.API.DIRECT.GET.FROST_MAIN_RESULTS", "$JS.API.STREAM.INFO.FROST_MAIN_RESULTS"},
	}
	for user := range requests {
		for _, stream := range []string{"JOBS", "KEYS", "ROUNDS_0", "RESULTS", "SIGN"} {
			for _, verb := range []string{"DELETE", "PURGE", "UPDATE", "MSG.DELETE", "SNAPSHOT", "RESTORE"} {
				requests[user] = append(requests[user], "$JS.API.STREAM."+verb+".FROST_MAIN_"+stream)
			}
			requests[user] = append(requests[user], "$JS.API.CONSUMER.CREATE.FROST_MAIN_"+stream+".x",
				"$JS.API.CONSUMER.CREATE.FROST_MAIN_"+stream, "$JS.API.CONSUMER.DURABLE.CREATE.FROST_MAIN_"+stream+".x",
				"$JS.API.CONSUMER.DELETE.FROST_MAIN_"+stream+".gateways-sign")
		}
		requests[user] = append(requests[user], "$JS.API.STREAM.CREATE.FROST_MAIN_EVIL", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST")
	}
	for user, subjects := range requests {
		nc := rawAs(t, url, seeds[user], user)
		for _, subject := range subjects {
			if m, err := nc.Request(subject, []byte(`{"last_by_subj":"frost.main.res.bob.secret"}`), 30*time.Millisecond); err == nil {
				t.Errorf("%s asked %s and was told %s", user, subject, m.Data)
			}
		}
	}
	testReplyTrick(t, url, seeds)
	testEavesdropping(t, admin, url, seeds)
	if after := snapshot(t, admin); after != before {
		t.Errorf("the streams changed:\n%s\nto\n%s", before, after)
	}
}

// testReplyTrick names somebody else's subject as where the acknowledgement
// goes. The jobs themselves are the clients' own and removed again.
func testReplyTrick(t *testing.T, url string, seeds map[string]string) {
	alice, gateway := rawAs(t, url, seeds["client-alice"], "client-alice"), connectAs(t, url, seeds["gateway-a"], "gateway-a2")
	worker := rawAs(t, url, seeds["worker-0"], "worker-0")
	for _, reply := range []string{"frost.main.res.bob.trick", "frost.main.dkg." + testBatch + ".deal.2", "frost.main.job.sign.bob", "frost.main.live.keys.x"} {
		if err := alice.PublishRequest("frost.main.job.sign.alice", reply, []byte("{}")); err != nil {
			t.Fatal(err)
		}
		if err := worker.PublishRequest("$JS.API.DIRECT.GET.FROST_MAIN_ROUNDS_1.frost.main.dkg."+testBatch+".cert.1", reply, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(alice.Flush(), worker.Flush()); err != nil {
		t.Fatal(err)
	}
	jobs := 0
	done := make(chan struct{})
	c := consume(t, gateway, Jobs, GatewaysDurable("sign"), 1, func(d Delivery) {
		if jobs++; jobs == 4 {
			close(done)
		}
		if s := d.Message().Subject; s != "job.sign.alice" {
			t.Errorf("a job on %s", s)
		}
		if err := d.Ack(context.Background()); err != nil {
			t.Error(err)
		}
	})
	<-done
	time.Sleep(50 * time.Millisecond)
	c.Stop()
}

// testEavesdropping subscribes to what is others' and hears nothing.
func testEavesdropping(t *testing.T, admin *Bus, url string, seeds map[string]string) {
	worker := connectAs(t, url, seeds["worker-0"], "worker-0")
	for _, user := range []string{"client-alice", "worker-1"} {
		nc := rawAs(t, url, seeds[user], user)
		heard := make(chan *nats.Msg, 64)
		for _, subject := range []string{">", "_INBOX_worker-0.>", "_INBOX.>", "frost.main.>", "frost.main.result.>", "$JS.API.>"} {
			if _, err := nc.ChanSubscribe(subject, heard); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := worker.Last(testContext(t), Keys, deal(t, 0)); err != nil { // an answer to overhear
			t.Error(err)
		}
		if err := admin.nc.Publish("frost.main.result.bob.x", []byte("bob's")); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-heard:
			t.Errorf("%s hears %s: %s", user, m.Subject, m.Data)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func rawAs(t *testing.T, url, seed, user string) *nats.Conn {
	t.Helper()
	opt := must[nats.Option](t)(nats.NkeyOptionFromSeed(seed))
	quiet := nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})
	return rawConn(t, url, opt, quiet, nats.CustomInboxPrefix("_INBOX_"+user))
}

// snapshot says what every stream holds.
func snapshot(t *testing.T, admin *Bus) string {
	t.Helper()
	var s strings.Builder
	for _, stream := range []Stream{Jobs, Work, RoundsOf(0), RoundsOf(1), RoundsOf(2), Keys, Sign, Results, Pending, Approvals,
		Notices, Presence, Control, Requests, Labels, DeadLetter} {
		got, err := admin.Slots(testContext(t), stream, ">")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range got {
			s.WriteString(string(stream) + " " + m.Subject + " " + string(m.Data) + "\n")
		}
	}
	if err := admin.Check(testContext(t)); err != nil {
		t.Error(err)
	}
	return s.String()
}

// TestAnswersAreForgotten: a server remembers where the answers to a question go for as
// long as they may take, and not for minutes: a program asks hundreds of them a second,
// with one inbox.
func TestAnswersAreForgotten(t *testing.T) {
	production(t, func(o *server.Options) {
		for _, account := range o.Accounts {
			if account.Name != "FLEET" {
				continue
			}
			for _, export := range []string{"$JS.API.DIRECT.GET.>", "$JS.API.CONSUMER.MSG.NEXT.*.*"} {
				kept, err := account.ServiceExportResponseThreshold(export)
				var defaults Options
				defaults.Fleet = "main"
				if err := defaults.setDefaults(); err != nil {
					t.Fatal(err)
				}
				if err != nil || kept < 2*defaults.AckTimeout || kept > 4*defaults.AckTimeout {
					t.Errorf("%s: %v, %v", export, kept, err)
				}
			}
			return
		}
		t.Error("no account has the streams")
	})
}

// The example names fleet "main" throughout, so replacing that is enough.
func TestConfigNamesOneFleet(t *testing.T) {
	err := fs.WalkDir(declared.Config, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(declared.Config, path)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"frost.`) && !strings.Contains(line, `"frost.main.`) {
				t.Errorf("%s: %s", path, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
