package protocol

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/frostfleet/frostfleet/internal/wire"
)

// TestTranscripts plays testdata/*.txt: commands, and below each what the
// machines of a fleet made of it. They are meant to be read; what they show is
// what the code does. After a change, "go test -run TestTranscripts -rewrite"
// writes them anew, and the difference is what changed in the protocol.
//
// Randomness is seeded, so a transcript is the same every time. Ids are replaced
// by names in the order of their appearance.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		cryptotest.SetGlobalRandom(t, 1)
		var s *stage
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "fleet" {
				s = newStage(t, d)
			}
			s.t, s.test = t, t
			s.out.Reset()
			do, ok := stageCommands[d.Cmd]
			if !ok {
				d.Fatalf(t, "no command %q", d.Cmd)
			}
			do(s, d)
			switch {
			case d.HasArg("quiet"):
				return ""
			case s.out.Len() == 0:
				return "nothing happens\n"
			}
			return s.out.String()
		})
	})
}

// stage is a fleet whose machines' steps are written down.
type stage struct {
	*fleet
	test  *testing.T
	out   strings.Builder
	down  map[int]bool
	names map[string]string // of ids
	jobs  map[string]wire.SignedJob
}

var stageCommands = map[string]func(*stage, *datadriven.TestData){
	"fleet": func(s *stage, _ *datadriven.TestData) {
		fmt.Fprintf(&s.out, "%d nodes, %d of which sign\n", s.m.N, s.m.T)
	},
	"keygen":  (*stage).keygenJob,
	"sign":    (*stage).signJob,
	"deliver": (*stage).deliver,
	"crash":   (*stage).crash,
	"restart": (*stage).restart,
	"step":    (*stage).advance,
	"lie":     (*stage).lie,
	"mute":    (*stage).silence,
	"fail":    (*stage).fail,
	"log":     (*stage).log,
}

// scan reads an argument that may be left out.
func scan(t *testing.T, d *datadriven.TestData, key string, dest any) {
	if d.HasArg(key) {
		d.ScanArgs(t, key, dest)
	}
}

func newStage(t *testing.T, d *datadriven.TestData) *stage {
	n, threshold := 3, 2
	scan(t, d, "n", &n)
	scan(t, d, "t", &threshold)
	f := newFleet(t, threshold, n).start()
	s := &stage{fleet: f, test: t, down: map[int]bool{}, names: map[string]string{}, jobs: map[string]wire.SignedJob{}}
	f.step = s.write
	return s
}

// write writes a step down. One that asks for nothing is left out.
func (s *stage) write(who string, ev Event, step func(Event) []Effect) []Effect {
	effects := step(ev)
	if len(effects) > 0 {
		s.line("%s <- %s", who, ev)
	}
	for _, e := range effects {
		s.line("  %s", e)
	}
	return effects
}

var stageIDs = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

func (s *stage) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	text = stageIDs.ReplaceAllStringFunc(text, func(id string) string {
		if s.names[id] != "" {
			return s.names[id]
		}
		kind := "session"
		switch {
		case strings.Contains(id, "-"):
			kind = "job"
		case strings.Contains(text, "dkg.") || strings.Contains(text, "entry") || strings.Contains(text, "batch"):
			kind = "batch"
		}
		count := 1
		for _, name := range s.names {
			if strings.HasPrefix(name, kind) {
				count++
			}
		}
		s.names[id] = fmt.Sprintf("%s%d", kind, count)
		return s.names[id]
	})
	fmt.Fprintln(&s.out, text)
}

// id is the reverse of names.
func (s *stage) id(name string) string {
	for id, n := range s.names {
		if n == name {
			return id
		}
	}
	s.t.Fatalf("nothing has the name %q yet", name)
	return ""
}

// keygenJob brings a job to the gateway: keygen chain=solana count=2. With
// again=job1 it is an earlier one, delivered once more.
func (s *stage) keygenJob(d *datadriven.TestData) {
	chain, count := "solana", 2
	scan(s.test, d, "chain", &chain)
	scan(s.test, d, "count", &count)
	s.arrive(s.keygen(len(s.jobs)+1, "alice", chain, count))
}

// signJob is sign key=batch1.0 text=hello.
func (s *stage) signJob(d *datadriven.TestData) {
	t := s.test
	var key, text string
	client := "alice"
	d.ScanArgs(t, "key", &key)
	d.ScanArgs(t, "text", &text)
	scan(t, d, "client", &client)
	batch, index, _ := strings.Cut(key, ".")
	it := item(s.id(batch), 0, text)
	it.Key = s.id(batch) + "." + index
	s.arrive(s.signing(len(s.jobs)+1, client, it))
}

func (s *stage) arrive(job wire.SignedJob) {
	s.jobs[fmt.Sprintf("job%d", len(s.jobs)+1)] = job
	s.desk.arrive(job, nil)
}

// deliver has the bus store what machines want published, and shows it to every
// program that runs. It takes what is wanted now, or goes on until nobody wants
// anything (all); only=deal picks a kind of messages, from=0 a node. As with every
// command, what comes of it is not shown with quiet.
func (s *stage) deliver(d *datadriven.TestData) {
	var only, name string
	scan(s.test, d, "only", &only)
	from := -1
	if scan(s.test, d, "from", &name); name != "" {
		from = s.index(name)
	}
	for again := true; again; again = d.HasArg("all") && s.wanted() {
		s.deliverOnce(only, from)
	}
}

func (s *stage) deliverOnce(only string, from int) {
	tasks, writes, out := s.desk.tasks, s.desk.writes, []wish{}
	s.desk.tasks, s.desk.writes = nil, nil
	for _, a := range s.nodes {
		out = append(out, a.out...)
		a.out = nil
	}
	for _, p := range tasks {
		s.store(p.Subject, wire.SealGateway(s.gateway, "gw", s.m, p.Subject, p.Body))
	}
	for _, e := range writes {
		s.register(e)
	}
	for _, w := range out {
		if a := s.nodes[w.slot.Node]; only != "" && only != string(w.slot.Kind) || from >= 0 && from != w.slot.Node {
			a.out = append(a.out, w)
		} else {
			s.fill(a, w)
		}
	}
}

func (s *stage) wanted() bool {
	return len(s.desk.tasks)+len(s.desk.writes) > 0 || slices.ContainsFunc(s.nodes, func(a *actor) bool { return len(a.out) > 0 })
}

// fill writes a slot as the bus does: what stands there already is judged.
func (s *stage) fill(a *actor, w wish) {
	log := s.sign
	if !w.slot.Kind.Signing() {
		log = s.dkg
	}
	switch s.standing(log, w.slot.String(), func(m wire.LogMessage) wire.Verdict { return a.Judge(w.slot, m, w.body) }) {
	case wire.Junk:
		data := s.sessions[a.cfg.Index].Seal(s.m, w.slot.String(), w.body)
		a.do(Sealed{w.slot, data})
		s.store(w.slot.String(), data)
	case wire.Other:
		a.do(SlotLost{w.slot})
	}
}

// register has KEYS store an entry, and tells the gateway.
func (s *stage) register(e WriteEntry) {
	s.store(wire.EntryHeadSubject(e.ID, 0), e.Head)
	for i, deal := range e.Deals {
		s.store(wire.EntryDealSubject(e.ID, 0, i), deal)
	}
	s.desk.do(e.done())
}

// store is fleet.post for the programs that run.
func (s *stage) store(subject string, data []byte) {
	s.line("-- %s is stored", subject)
	running := *s.fleet
	running.nodes = slices.DeleteFunc(slices.Clone(s.nodes), func(a *actor) bool { return s.down[a.cfg.Index] })
	running.post(subject, data)
	s.dkg, s.keys, s.sign, s.work = running.dkg, running.keys, running.sign, running.work
}

// crash ends a node's process, or the gateway's: crash node=1, with wipe its disk
// is lost as well.
func (s *stage) crash(d *datadriven.TestData) {
	if d.HasArg("gateway") {
		s.desk.tasks, s.desk.writes = nil, nil
		s.line("the gateway's memory is gone")
		return
	}
	a := s.node(d)
	s.down[a.cfg.Index] = true
	a.out, a.held, a.timers = nil, nil, nil
	s.line("node %d's memory is gone", a.cfg.Index)
	if d.HasArg("wipe") {
		a.store, a.done = map[string]*BatchRecord{}, map[string]bool{}
		s.line("and so is its disk")
	}
}

// restart begins another life of a node, or of the gateway: it reads the logs.
func (s *stage) restart(d *datadriven.TestData) {
	if d.HasArg("gateway") {
		s.newLife()
		for _, name := range []string{"job1", "job2"} { // JetStream delivers what was not acknowledged
			if d.HasArg(name) {
				s.desk.arrive(s.jobs[name], nil)
			}
		}
		return
	}
	a := s.node(d)
	delete(s.down, a.cfg.Index)
	a.restart()
	a.fetch = nil
}

// lie replaces what a node wants to publish by junk under its own seal:
// lie node=1 deal.
func (s *stage) lie(d *datadriven.TestData) {
	a := s.node(d)
	for i, w := range a.out {
		if d.HasArg(string(w.slot.Kind)) {
			a.out[i].body = []byte("junk")
			s.line("node %d will publish junk as %s", a.cfg.Index, w.slot)
		}
	}
}

// silence drops what a node wants to publish.
func (s *stage) silence(d *datadriven.TestData) {
	a := s.node(d)
	for _, w := range a.out {
		s.line("%s is never stored", w.slot)
	}
	a.out = nil
}

// fail makes a node's storage refuse batches from now on.
func (s *stage) fail(d *datadriven.TestData) {
	a := s.node(d)
	a.failing = errors.New("the node's keystore failed")
	s.line("node %d can store nothing", a.cfg.Index)
}

// advance lets time pass for every program (after=11m), or fires a timer:
// step gateway timer=shares, step node=1 timer=standby.
func (s *stage) advance(d *datadriven.TestData) {
	t := s.test
	if d.HasArg("after") {
		var after string
		d.ScanArgs(t, "after", &after)
		s.now = s.now.Add(must(time.ParseDuration(after)))
		for _, a := range s.nodes {
			if !s.down[a.cfg.Index] {
				a.do(Tick{s.now})
			}
		}
		s.desk.do(Tick{s.now})
		return
	}
	var name string
	d.ScanArgs(t, "timer", &name)
	timers, do := s.desk.timers, s.desk.do
	if !d.HasArg("gateway") {
		timers, do = s.node(d).timers, s.node(d).do
	}
	for _, timer := range slices.Backward(timers) {
		if timer.Kind.String() == name {
			do(timer)
			return
		}
	}
	d.Fatalf(t, "no timer %q waits", name)
}

// log prints the subjects that a stream holds: log keys.
func (s *stage) log(d *datadriven.TestData) {
	streams := map[string][]wire.LogMessage{"rounds": s.dkg, "keys": s.keys, "sign": s.sign, "work": s.work}
	for _, m := range streams[d.CmdArgs[0].Key] {
		s.line("%s", m.Subject)
	}
}

// node is node=1, or node=rank2: by its rank in the session of the latest task.
func (s *stage) node(d *datadriven.TestData) *actor {
	var name string
	d.ScanArgs(s.test, "node", &name)
	return s.nodes[s.index(name)]
}

func (s *stage) index(name string) int {
	if rank, ok := strings.CutPrefix(name, "rank"); ok {
		task := s.latestTask()
		for i := range s.nodes {
			if rank == fmt.Sprint(slices.Index(ranking(task.Session(s.m), task.Exclude, s.m.N), i)) {
				return i
			}
		}
	}
	return must(strconv.Atoi(name))
}

func (s *stage) latestTask() *wire.Task {
	if tasks := s.desk.tasks; len(tasks) > 0 {
		return must(wire.DecodeTask(tasks[len(tasks)-1].Body, s.m))
	}
	m := s.work[len(s.work)-1]
	return must(wire.DecodeTask(must(wire.NewOpener(s.m, s.access).FromGateway(m.Subject, m.Data)), s.m))
}
