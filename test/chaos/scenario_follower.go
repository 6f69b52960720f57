package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/natsconn"
)

// followerFlaps stops a server that leads nothing, five times for a second and a half. A
// gateway and a worker are connected to it. The client is connected to another server: at
// this one it would wait for its server, whatever the fleet does.
func followerFlaps(m *measuring) {
	follower := serverName(0) // gateways begin with the first two
	if m.metaLeader() == 0 {
		follower = serverName(1)
	}
	others := m.connectBeside(follower)
	m.clientBeside(follower)
	m.leadsNothing(others, follower)
	m.user.singles(undisturbed)
	m.Event("%s flaps, which leads nothing", follower)
	out := m.during(disturbed, func() {
		for range 5 {
			m.leadsNothing(others, follower)
			m.must(m.proc(follower).pause())
			time.Sleep(1500 * time.Millisecond)
			m.must(m.proc(follower).resume())
			time.Sleep(1500 * time.Millisecond)
		}
	})
	m.figure("a follower flaps: longest time without a signature", out.gap.Seconds())
}

// metaLeader is the server that leads the cluster itself: who makes streams.
func (m *measuring) metaLeader() (i int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	system, err := natsconn.Connect(ctx, natsconn.Options{URL: m.url(), Name: "chaos", AckTimeout: 5 * time.Second,
		Files: natsconn.Files{
			Credentials: filepath.Join(m.dir, "nats/system.nk"), TLSCA: filepath.Join(m.dir, fleet.AuthorityFile),
		}})
	m.must(err)
	defer system.Close()
	m.await("a leader of the cluster", func() error {
		answer, err := system.Ask(m.t.Context(), "$SYS.REQ.SERVER.PING.JSZ", nil)
		if err != nil {
			return err
		}
		var info struct {
			Data server.JSInfo `json:"data"`
		}
		if err := json.Unmarshal(answer.Data, &info); err != nil {
			return err
		}
		if info.Data.Meta == nil {
			return fmt.Errorf("no leader in %s", answer.Data)
		}
		i, err = serverNumber(info.Data.Meta.Leader)
		return err
	})
	return i
}

// leadsNothing has others lead what a server leads, until there is nothing.
func (m *measuring) leadsNothing(others *bus.Bus, name string) {
	m.t.Helper()
	m.await(name+" leads nothing", func() error {
		var not error
		for _, q := range leaderQuestions(others) {
			leader := m.leads(others, q)
			if leader == name {
				ctx, cancel := context.WithTimeout(m.t.Context(), 5*time.Second)
				err := others.Ask(ctx, strings.Replace(q, ".INFO.", ".LEADER.STEPDOWN.", 1), nil, new(struct{}))
				cancel()
				m.Event("%s steps down: %s, %v", name, q, err)
			}
			if leader == name || leader == "" {
				not = fmt.Errorf("%s: it is led by %q", q, leader)
			}
		}
		return not
	})
}

// clientBeside has the load's client reach all servers but one.
func (m *measuring) clientBeside(name string) {
	m.t.Helper()
	cfg, err := client.Load(filepath.Join(m.dir, fleet.ClientFile))
	m.must(err)
	var not int
	_, err = fmt.Sscanf(name, "server%d", &not)
	m.must(err)
	cfg.URL = strings.Join(slices.Delete(strings.Split(cfg.URL, ","), not, not+1), ",")
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	c, err := client.New(ctx, cfg)
	m.must(err)
	m.t.Cleanup(c.Close)
	m.user.c = c
}
