package gateway

import (
	"encoding/hex"
	"encoding/json"

	"github.com/frostfleet/frostfleet/internal/bus"
	"github.com/frostfleet/frostfleet/internal/protocol"
	"github.com/frostfleet/frostfleet/internal/tracing"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// What stands where a result is to be stored.

// standing is the stored result, nil if it is none, and whether this gateway stored
// it.
func (g *Gateway) standing(msg bus.Message, found bool) (result *wire.Result, mine bool) {
	var stored wire.Result
	if !found || json.Unmarshal(msg.Data, &stored) != nil {
		return nil, false
	}
	return &stored, msg.Header[wire.HeaderGateway][0] == g.cfg.Name
}

// believed reports whether a gateway of the access list signed a stored result. A
// client ignores all others, so none of them is an answer.
func (g *Gateway) believed(client, job string, m bus.Message) bool {
	by, signed := m.Header[wire.HeaderGateway], m.Header[wire.HeaderSignature]
	if len(by) != 1 || len(signed) != 1 {
		return false
	}
	signature, err := hex.DecodeString(signed[0])
	return err == nil &&
		g.access.Load().VerifyResult(g.cfg.Manifest, by[0], client, job, m.Data, signature) == nil
}

// finishBeside answers where the place of the result is taken for as long as RESULTS
// keeps it. Clients that missed the announcement look among the notices too.
func (g *Gateway) finishBeside(e protocol.Finish) {
	r := e.Result
	g.log.Warn("the stored result is signed by no gateway of the access list; the job is answered by a notice",
		tracing.Args([]any{"client", r.Client, "job", r.Job}, e.Job.Trace)...)
	payload := r.Encode()
	if err := g.notify(r.Client, r.Job, payload, g.headers(r.Client, r.Job, payload, e.Job.Trace)); err != nil {
		g.giveBack(e.Token)
		return
	}
	if r.Status.Refused() {
		g.deadLetter(e.Job, r)
	}
	g.auditJob(r, e.Nodes)
	g.done(e.Token, r)
}
