package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/frostfleet/frostfleet/test/faultlink"
)

// fault is a way to break the fleet.
type fault struct {
	name    string
	targets []string
	// begin breaks something and gives what makes it good again; nil if it is good already.
	// What does not run then is started, and every cut ends, without it.
	begin func(b *breaking) (heal func())
}

// breaking is a fault under way.
type breaking struct {
	*Stand
	Step
	load *load
	rand *rand.Rand
	ctx  context.Context // ends with the fault
}

// faults are all there are. The order is part of what a seed means.
var faults []fault

func init() {
	serversOnly := names(serverName, servers)
	nodesOnly := names(nodeName, nodes)
	ours := append(names(gatewayName, gateways), nodesOnly...)
	all := append(append([]string{}, serversOnly...), ours...)
	faults = []fault{
		{"kill", all, kill},
		{"stop", all, stop},
		{"all-servers", []string{"at once"}, killAll},
		{"all-gateways", []string{"at once"}, killGateways},
		{"flap", serversOnly, flap},
		{"cut", serversOnly, cutServer},
		{"cut-one-way", serversOnly, cutServerOneWay},
		{"island", ours, island},
		{"mute", ours, mute},
		{"slow", serversOnly, slow},
		{"lossy", serversOnly, lossy},
		{"regions", []string{"10 and 80 ms apart"}, regions},
		{"leader", []string{"of every stream"}, stepDown},
		{"disk-full", []string{serverName(servers - 1)}, fillDisk},
		{"truncate", serversOnly, truncate},
		{"flip", serversOnly, flip},
		{"delete-stream", []string{"JOBS", "RESULTS", "WORK", "SIGN"}, deleteStream},
		{"delete-consumer", []string{"gateways-sign", "gateways-keygen"}, deleteConsumer},
		{"clock", ours, jump},
		{"twin", nodesOnly, twin},
		{"quota", []string{flooder}, quota},
		{"flood-client", []string{flooder}, floodClient},
		{"flood-worker", nodesOnly, floodWorker},
		{"flood-gateway", names(gatewayName, gateways), floodGateway},
		{"device", []string{"slow", "throttled", "hangs", "drops"}, failDevice},
	}
}

func names(name func(int) string, n int) (all []string) {
	for i := range n {
		all = append(all, name(i))
	}
	return all
}

func kill(b *breaking) func() {
	b.proc(b.Target).kill()
	return nil
}

func stop(b *breaking) func() {
	p := b.proc(b.Target)
	b.must(p.pause())
	return func() { b.must(p.resume()) }
}

func killAll(b *breaking) func() {
	for _, p := range b.procs[:servers] {
		p.kill()
	}
	return nil
}

func killGateways(b *breaking) func() {
	for _, p := range b.procs[servers+nodes:] {
		p.kill()
	}
	return nil
}

// flap has a server stand still for less than others take to notice, again and again.
func flap(b *breaking) func() {
	p := b.proc(b.Target)
	for i := 0; b.ctx.Err() == nil; i++ {
		if i%2 == 0 {
			b.must(p.pause())
		} else {
			b.must(p.resume())
		}
		select {
		case <-b.ctx.Done():
		case <-time.After(500*time.Millisecond + time.Duration(b.rand.Int64N(int64(time.Second)))):
		}
	}
	return func() { b.must(p.resume()) }
}

// cutServer separates a server from the others. Programs still reach it.
func cutServer(b *breaking) func() {
	for i := range servers {
		b.net.silence(b.Target, serverName(i), true)
		b.net.silence(serverName(i), b.Target, true)
	}
	return nil
}

// cutServerOneWay has a server hear the others, and not be heard.
func cutServerOneWay(b *breaking) func() {
	for i := range servers {
		b.net.silence(b.Target, serverName(i), true)
	}
	return nil
}

// island separates a program from every server.
func island(b *breaking) func() {
	for i := range servers {
		b.net.silence(b.Target, serverName(i), true)
		b.net.silence(serverName(i), b.Target, true)
	}
	return nil
}

// mute has a program hear everything and say nothing, or the reverse.
func mute(b *breaking) func() {
	deaf := b.rand.IntN(2) == 0
	b.Event("%s is deaf: %v, mute: %v", b.Target, deaf, !deaf)
	for i := range servers {
		if deaf {
			b.net.silence(serverName(i), b.Target, true)
		} else {
			b.net.silence(b.Target, serverName(i), true)
		}
	}
	return nil
}

func slow(b *breaking) func() {
	return b.weather(b.Target, faultlink.Weather{Delay: 100 * time.Millisecond})
}

func lossy(b *breaking) func() {
	return b.weather(b.Target, faultlink.Weather{Delay: time.Millisecond, Loss: .05, Seed: b.Seed})
}

func (b *breaking) weather(name string, w faultlink.Weather) func() {
	set := func(w faultlink.Weather) {
		b.net.each(name, func(_ string, l *faultlink.Link) { l.Set(w) })
	}
	set(w)
	return func() { set(faultlink.Weather{}) }
}

// regions puts server and node i in region i, with a gateway in the first two. Regions
// 0 and 1 are 10 ms apart, there and back, and region 2 is 80 ms from both.
func regions(b *breaking) func() {
	set := func(far, near time.Duration) {
		for at, l := range b.net.links {
			from, to := region(at.from), region(at.to)
			w := faultlink.Weather{}
			switch {
			case from == to:
			case from == 2 || to == 2:
				w.Delay = far / 2
			default:
				w.Delay = near / 2
			}
			l.Set(w)
		}
	}
	set(80*time.Millisecond, 10*time.Millisecond)
	return func() { set(0, 0) }
}

// region of a name is its number; clients are in the first.
func region(name string) (n int) {
	if _, err := fmt.Sscanf(name[len(name)-1:], "%d", &n); err != nil {
		return 0
	}
	return n
}
