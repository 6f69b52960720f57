package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/test/natscluster"
)

func TestMain(m *testing.M) {
	code := m.Run()
	natscluster.RemoveBuild()
	os.Exit(code)
}

const stubJobs = "FROST_STUB_JOBS"

// await tries until it works.
func await(t testing.TB, what string, try func(context.Context) error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := try(ctx)
		cancel()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// clustered is a stub on three servers that does not listen to jobs.
func clustered(t *testing.T, c *natscluster.Cluster) *gatewayStub {
	t.Helper()
	s := &gatewayStub{t: t, gateway: newKey(t), client: newKey(t), keys: map[string]any{}}
	s.url = c.URL(0) + "," + c.URL(1) + "," + c.URL(2)
	s.manifest, s.nodes = newManifest(t)
	await(t, "the fleet's streams", func(ctx context.Context) (err error) {
		if s.bus == nil {
			s.bus, err = bus.Connect(ctx, bus.Options{Fleet: stubFleet, Nodes: 3, URL: s.url, Replicas: 3, Name: "stub"})
		}
		if err != nil {
			return err
		}
		return s.bus.Apply(t.Context())
	})
	t.Cleanup(func() { _ = s.bus.Close(context.Background()) })
	return s
}

// state is who leads JOBS, or its consumer of key generations, and how many of these are
// open.
func (s *gatewayStub) state(ctx context.Context, ofConsumer bool) (leader string, open uint64, err error) {
	stream, err := s.bus.Conn().JS.Stream(ctx, stubJobs)
	if err != nil {
		return "", 0, err
	}
	consumer, err := stream.Consumer(ctx, bus.GatewaysDurable("keygen"))
	if err != nil {
		return "", 0, err
	}
	info := consumer.CachedInfo()
	cluster := stream.CachedInfo().Cluster
	if ofConsumer {
		cluster = info.Cluster
	}
	if cluster == nil { // a server that has just restarted may leave it out
		return "", 0, errors.New("nobody says who leads")
	}
	return cluster.Leader, info.NumPending + uint64(info.NumAckPending), nil
}

// lead has a server lead JOBS and its consumer of key generations.
func (s *gatewayStub) lead(t *testing.T, server string) {
	t.Helper()
	consumer := stubJobs + "." + bus.GatewaysDurable("keygen")
	for kind, name := range map[string]string{"STREAM": stubJobs, "CONSUMER": consumer} {
		await(t, kind+" led by "+server, func(ctx context.Context) error {
			leader, _, err := s.state(ctx, kind == "CONSUMER")
			if err != nil || leader == server {
				return err
			}
			question := fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, server)
			answer, err := s.bus.Conn().RequestWithContext(ctx, "$JS.API."+kind+".LEADER.STEPDOWN."+name, question)
			if err != nil {
				return err
			}
			return errors.New(string(answer.Data))
		})
	}
}

// flipIn changes a bit of some text in the messages of a stream.
func flipIn(t *testing.T, folder string, text []byte) {
	t.Helper()
	blocks, err := filepath.Glob(filepath.Join(folder, "msgs/*.blk"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range blocks {
		block, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := bytes.Index(block, text); at >= 0 {
			block[at] ^= 1
			if err := os.WriteFile(path, block, 0o600); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no message in %s has %q", folder, text)
}

// TestDamagedLeader: a bit of one server's copy of JOBS flips, in a job that nobody has
// taken yet, and that server leads. It steps over the job, and all servers drop it. The
// client publishes it again, and has its answer.
func TestDamagedLeader(t *testing.T) {
	servers := natscluster.Start(t, 3)
	s := clustered(t, servers)
	c := s.connect(Config{URL: s.url})
	c.again = time.Hour
	h, err := c.SubmitKeygen(t.Context(), KeygenRequest{Chain: "solana", Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	const damaged = 1
	await(t, "three copies of the job", func(ctx context.Context) error {
		stream, err := s.bus.Conn().JS.Stream(ctx, stubJobs)
		if err != nil {
			return err
		}
		cluster := stream.CachedInfo().Cluster
		if cluster == nil {
			return errors.New("nobody says who has copies")
		}
		for _, r := range cluster.Replicas {
			if !r.Current {
				return errors.New(r.Name + " is behind")
			}
		}
		return nil
	})
	servers.Restart(damaged, func(store string) {
		flipIn(t, filepath.Join(store, "jetstream", "$G", "streams", stubJobs), []byte(h.Job()))
	})
	s.lead(t, fmt.Sprintf("s%d", damaged))
	s.listen(s.bus)
	await(t, "the job is stepped over", func(ctx context.Context) error {
		_, open, err := s.state(ctx, true)
		if err == nil && open > 0 && s.published() == 0 {
			err = fmt.Errorf("%d are open", open)
		}
		return err
	})
	if s.published() > 0 {
		t.Fatal("the damaged job was delivered: this version of nats-server mends it")
	}
	c.again = 100 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := h.Wait(ctx); err != nil {
		t.Error(err)
	}
}
