package gateway

import (
	"encoding/hex"
	"sync"

	"github.com/frostfleet/frostfleet/internal/audit"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What a gateway writes into its audit log: every job that it answered, what administrators
// froze, and the heads of the nodes' logs, so that a node can't take back what it wrote. As
// a gateway reads CONTROL from its beginning, each start writes all freezes down again.

func (g *Gateway) auditStart() {
	g.cfg.Audit.Append(audit.Record{Event: audit.EventStart, Build: g.cfg.Build})
}

func (g *Gateway) auditStop() error {
	g.cfg.Audit.Append(audit.Record{Event: audit.EventStop})
	return g.cfg.Audit.Close()
}

func (g *Gateway) auditAccess(a, before *wire.Access) {
	var texts []string
	for _, c := range a.Changes(before) {
		texts = append(texts, c.Text)
	}
	g.cfg.Audit.AppendAccess(texts)
}

// report tells the metrics and the audit log.
func (g *Gateway) report(r protocol.Report) {
	g.cfg.Observe.Report(r)
	if r.What == protocol.ReportFrozen || r.What == protocol.ReportUnfrozen {
		g.cfg.Audit.AppendFreeze(string(r.What), r.ID, r.Reason)
	}
}

// outcomes are the decisions that results tell of, by their status.
var outcomes = map[string]audit.Decision{
	"done": audit.Done, "partial": audit.Partial, "denied": audit.Denied, "failed": audit.Failed,
}

// auditJob writes down a job whose answer this gateway stored; nil: another one did.
func (g *Gateway) auditJob(r *wire.Result, nodes []int) {
	if r == nil {
		return
	}
	decision := outcomes[string(r.Status)]
	if r.Code == wire.CodeApprovalRequired {
		decision = audit.NeedsApproval
	}
	g.auditResult(r, decision, nodes)
}

// auditRejection writes down a job that was turned away.
func (g *Gateway) auditRejection(r *wire.Result) { g.auditResult(r, audit.Refused, nil) }

func (g *Gateway) auditResult(r *wire.Result, decision audit.Decision, nodes []int) {
	g.cfg.Audit.Append(audit.Record{
		Event: audit.EventJob, Client: r.Client, Job: r.Job, Kind: string(r.Kind), Digest: hex.EncodeToString(r.Digest),
		Decision: decision, Code: string(r.Code), Reason: r.Error, Suite: r.Suite, Count: r.Amount(), Nodes: nodes,
	})
}

// headsEvery is how many seconds lie between two notes of the nodes' heads.
const headsEvery = 60

// heads are those of the nodes' audit logs, as their heartbeats tell them.
type heads struct {
	mu      sync.Mutex
	known   map[headOf]wire.AuditHead
	noted   map[headOf]wire.AuditHead // in this gateway's own log
	rewound map[int]int               // how often a node's went back, by its index
	ticks   int
}

// headOf names a log by its node, and by the manifest that it speaks for: the next manifest's
// node may be another machine.
type headOf struct{ epoch, node int }

// lookAtHeads looks at those of the nodes that the fleet needs, once a second.
func (g *Gateway) lookAtHeads() {
	back, note := g.heads.look(g.Manifests())
	for _, r := range back {
		g.log.Error("the audit log of a node went back: its end was cut, it was replaced, or the node was restored "+
			"without it", "node", r.By, "was", r.was.String(), "is", r.Head)
		g.cfg.Audit.Append(audit.Record{
			Event: audit.EventRewound, Reason: "it was " + r.was.String(), Heads: []audit.Seen{r.Seen},
		})
	}
	for len(note) > 0 {
		n := min(len(note), audit.MaxHeads)
		g.cfg.Audit.Append(audit.Record{Event: audit.EventHeads, Heads: note[:n]})
		note = note[n:]
	}
}

// rewinding is a head that went back.
type rewinding struct {
	audit.Seen
	was audit.Head
}

// look takes what nodes say now. It returns those whose heads went back, and now and then
// all that are new.
func (h *heads) look(manifests []protocol.ManifestNodes) (back []rewinding, note []audit.Seen) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.known == nil {
		h.known, h.noted, h.rewound = map[headOf]wire.AuditHead{}, map[headOf]wire.AuditHead{}, map[int]int{}
	}
	h.ticks++
	for _, of := range manifests {
		for i, n := range of.Nodes {
			if n.Last == nil {
				continue
			}
			node := headOf{of.Manifest.Epoch, i}
			is, was := n.Last.Audit, h.known[node]
			seen := audit.Seen{By: of.Manifest.NodeName(i), Head: audit.Head(is).String()}
			if is.Seq < was.Seq || is.Seq == was.Seq && is.Hash != was.Hash {
				h.rewound[i]++
				back = append(back, rewinding{seen, audit.Head(was)})
			}
			h.known[node] = is
			if h.ticks%headsEvery == 0 && is != h.noted[node] {
				h.noted[node] = is
				note = append(note, seen)
			}
		}
	}
	return back, note
}

// AuditRewound counts, by node, how often the head of its audit log went back.
func (g *Gateway) AuditRewound() map[int]int {
	g.heads.mu.Lock()
	defer g.heads.mu.Unlock()
	all := make(map[int]int, len(g.heads.rewound))
	for i, n := range g.heads.rewound {
		all[i] = n
	}
	return all
}
