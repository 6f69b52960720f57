package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/frostfleet/frostfleet/internal/bus"
)

// measured is how long single signatures are asked for, before and during trouble.
const (
	undisturbed = 15 * time.Second
	disturbed   = 30 * time.Second
)

// during measures while something goes wrong, which begins after two seconds.
func (m *measuring) during(d time.Duration, wrong func()) taken {
	m.t.Helper()
	done := make(chan struct{})
	timer := time.AfterFunc(2*time.Second, func() { defer close(done); wrong() })
	defer timer.Stop()
	out := m.user.singles(d)
	<-done
	return out
}

// ledBy gives the questions about the leaders of what a server leads.
func (m *measuring) ledBy(b *bus.Bus, server string) (questions []string) {
	m.t.Helper()
	for _, q := range leaderQuestions(b) {
		if m.leads(b, q) == server {
			questions = append(questions, q)
		}
	}
	return questions
}

// leaderQuestions are those about the leader of every stream and consumer.
func leaderQuestions(b *bus.Bus) (all []string) {
	for _, d := range b.Declared() {
		all = append(all, "$JS.API.STREAM.INFO."+d.Name)
		for _, c := range d.Durables {
			all = append(all, "$JS.API.CONSUMER.INFO."+d.Name+"."+c)
		}
	}
	return all
}

// connectBeside is the administrator's way to the other servers.
func (m *measuring) connectBeside(server string) *bus.Bus {
	m.t.Helper()
	var urls []string
	for i := range servers {
		if serverName(i) != server {
			urls = append(urls, fmt.Sprintf("tls://127.0.0.1:%d", m.ports.nats+i))
		}
	}
	return m.connect(strings.Join(urls, ","))
}

// leads is the server that leads a stream or consumer; empty: nobody says.
func (m *measuring) leads(b *bus.Bus, question string) string {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Second)
	defer cancel()
	var info struct {
		Cluster struct {
			Leader string `json:"leader"`
		} `json:"cluster"`
	}
	var raw json.RawMessage
	if b.Ask(ctx, question, nil, &raw) != nil || json.Unmarshal(raw, &info) != nil || info.Cluster.Leader == "" {
		return ""
	}
	i, err := serverNumber(info.Cluster.Leader)
	if err != nil {
		return ""
	}
	return serverName(i)
}

// serverNumber is the number here of a server that NATS calls by its name.
func serverNumber(name string) (i int, err error) {
	_, err = fmt.Sscanf(name, "nats-%d", &i)
	return i - 1, err
}

// election is how long the others need, from now, to lead all that a server led. Each
// question is asked apart: one that nobody answers yet holds up no other.
func (m *measuring) election(survivors *bus.Bus, server string, questions []string) time.Duration {
	m.t.Helper()
	begin := time.Now()
	longest := make(chan time.Duration, len(questions))
	for _, q := range questions {
		go func() {
			for m.t.Context().Err() == nil && time.Since(begin) < patience {
				if leader := m.leads(survivors, q); leader != "" && leader != server {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			longest <- time.Since(begin)
		}()
	}
	var all time.Duration
	for range questions {
		all = max(all, <-longest)
	}
	m.Event("the others led the %d streams and consumers of %s after %.1f s", len(questions), server, all.Seconds())
	return all
}

// withoutLeader kills, or stops, the leader of SIGN, and gives the longest time without
// a signature beyond the election.
func (m *measuring) withoutLeader(d time.Duration, wrong, heal func(p *process)) float64 {
	m.t.Helper()
	m.user.singles(undisturbed)
	leader := m.leader(bus.Sign)
	led := m.ledBy(m.admin, leader)
	survivors := m.connectBeside(leader)
	var election time.Duration
	out := m.during(d, func() {
		m.Event("%s leads SIGN and goes away", leader)
		wrong(m.proc(leader))
		begin := time.Now()
		election = m.election(survivors, leader, led)
		time.Sleep(time.Until(begin.Add(20 * time.Second)))
		heal(m.proc(leader))
	})
	return max(0, (out.gap - election).Seconds())
}

func leaderKilled(m *measuring) {
	m.figure("kill -9 of the leader: longest time without a signature, beyond NATS's election",
		m.withoutLeader(disturbed, (*process).kill, func(p *process) { _ = p.start() }))
}

func leaderHangs(m *measuring) {
	m.figure("the leader hangs for 20 s: longest time without a signature, beyond NATS's election",
		m.withoutLeader(disturbed, func(p *process) { _ = p.pause() }, func(p *process) { _ = p.resume() }))
}

// allServers kills all servers and starts them. They are back when every stream and
// consumer has a leader.
func allServers(m *measuring) {
	m.user.singles(undisturbed)
	var back time.Time
	m.during(disturbed, func() {
		for _, p := range m.procs[:servers] {
			p.kill()
		}
		time.Sleep(time.Second)
		for _, p := range m.procs[:servers] {
			m.must(p.start())
		}
		for _, d := range m.admin.Declared() {
			for m.leads(m.admin, "$JS.API.STREAM.INFO."+d.Name) == "" && m.t.Context().Err() == nil {
				time.Sleep(20 * time.Millisecond)
			}
		}
		back = time.Now()
		m.Event("all streams have a leader")
	})
	m.figure("all servers at once: first signature after the streams are back", m.after(back))
}

// after is how long after a time the first signature came.
func (m *measuring) after(t time.Time) float64 {
	m.t.Helper()
	first := m.user.firstAfter(t)
	if first.IsZero() {
		m.t.Fatal("no signature came")
	}
	return first.Sub(t).Seconds()
}

// gatewaysAway kills both gateways and starts them nine seconds later.
func gatewaysAway(m *measuring) {
	m.user.singles(undisturbed)
	var back time.Time
	m.during(disturbed, func() {
		for _, p := range m.procs[servers+nodes:] {
			p.kill()
		}
		time.Sleep(9 * time.Second)
		for _, p := range m.procs[servers+nodes:] {
			m.must(p.start())
		}
		for m.t.Context().Err() == nil {
			one, _ := m.ready(gatewayName(0))
			if two, _ := m.ready(gatewayName(1)); one || two {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		back = time.Now()
		m.Event("a gateway is ready")
	})
	m.figure("both gateways away for 9 s: first signature after one is back", m.after(back))
}

func gatewayKilled(m *measuring) {
	m.user.singles(undisturbed)
	out := m.during(disturbed, m.proc(gatewayName(0)).kill)
	m.figure("one of two gateways killed: p99 of single signatures", out.p99/1000)
}
