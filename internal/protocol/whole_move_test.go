package protocol

import (
	"fmt"
	"testing"

	"github.com/frostfleet/frostfleet/client"
	"github.com/frostfleet/frostfleet/internal/wire"
)

// gateway gives a crossing a gateway that reads the log.
func (c *crossing) gateway() {
	c.old.desk = c.old.newDesk()
	c.old.desk.do(LineageChanged{c.old.lineage})
	for _, r := range c.old.desk.directory.reconcilers {
		for _, p := range r.peers {
			p.settled, p.next = true, c.old.now.AddDate(1, 0, 0)
		}
	}
	c.old.show(c.old.desk)
	for _, m := range c.old.work {
		c.old.desk.do(TaskMessage{m, c.old.now})
	}
}

// run has everybody do what they want to do, until nobody wants anything.
func (c *crossing) run() {
	f := c.old
	for busy := true; busy; {
		busy = false
		c.publish()
		for len(f.desk.tasks) > 0 {
			busy = true
			p := f.desk.tasks[0]
			f.desk.tasks = f.desk.tasks[1:]
			f.post(p.Subject, wire.SealGateway(f.gateway, "gw", f.m, p.Subject, p.Body))
		}
		busy = f.flush() || busy
	}
}

// A gateway and the nodes of two manifests move a batch, by their machines alone, and sign
// before, while and after it moves.
func TestMachinesMoveABatch(t *testing.T) {
	for _, chain := range []string{"bitcoin", "solana"} {
		t.Run(chain, func(t *testing.T) {
			c := newCrossing(t, chain, [2]int{2, 3}, [2]int{3, 4})
			c.gateway()
			d := c.old.desk
			sign := func(n int) {
				d.finished = nil
				job := c.old.signing(n, "alice", item(c.id, 0, "one"), item(c.id, 1, fmt.Sprint(n)))
				d.arrive(job, nil)
				c.run()
				r := d.result()
				asked, _ := job.Parse(c.old.now)
				for i, sig := range r.Sigs {
					if err := client.VerifySignature(r.Suite, sig.PublicKey, asked.Items[i].Message, sig.Signature); err != nil {
						t.Fatalf("job %d: %s %s: %v", n, r.Code, r.Error, err)
					}
				}
			}
			sign(1)
			hash := c.next.m.Hash()
			d.do(PaceChanged{&wire.Pace{Version: wire.PaceVersion, Manifest: hash[:], Run: true}})
			equal(t, "tasks", len(d.tasks), 1)
			sign(2)
			c.run()
			f := d.directory.finished[c.id]
			if f.Generation != 1 || f.view.manifest.Hash() != hash {
				t.Fatalf("the batch is at generation %d: %v, %v", f.Generation, d.reports, c.reports())
			}
			sign(3)
			last := c.old.work[len(c.old.work)-1]
			task := must(wire.DecodeTask(must(d.opener.FromGateway(last.Subject, last.Data)), c.next.m))
			equal(t, "the new nodes sign", task.Of(c.next.m), true)

			c.gateway() // another life, which knows the same from the log alone
			equal(t, "generation", c.old.desk.directory.finished[c.id].Generation, 1)
			d = c.old.desk
			sign(4)
		})
	}
}
