package cluster_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
)

// apply is the administrator's command for a fleet that newOperator made.
const apply = "frostctl bus apply --fleet dev --nodes 3 --url tls://127.0.0.1:4222,tls://127.0.0.1:4223,tls://127.0.0.1:4224 " +
	"--credentials nats/administrator.nk --tls-ca ca.crt --replicas 3 --timeout 4m"

// TestStartOrder starts everything the wrong way round. Each program waits, says
// for what, can be stopped meanwhile, and goes on when it is there: NATS, a
// majority of the cluster's servers, the streams.
func TestStartOrder(t *testing.T) {
	o := newOperator(t)
	o.initialise()
	all := o.startPrograms()
	for _, p := range all {
		p.awaits("no connection to NATS yet")
	}
	o.startServer(1)
	for i, p := range all {
		p.awaits("waiting for JetStream")
		if ready, text, err := o.readyz(i); err != nil || ready {
			t.Errorf("%s is ready without NATS: %s %v", p.line, text, err)
		}
	}
	for _, i := range []int{0, 2} { // the gateway and a node
		all[i].stop(syscall.SIGTERM)
		all[i] = o.open(all[i].line)
	}
	o.startServer(2)
	for i, p := range all {
		p.awaits("waiting for the fleet's streams: the administrator runs frostctl bus apply")
		if _, text, err := o.readyz(i); err != nil || !strings.Contains(text, "frostctl bus apply") {
			t.Errorf("%s does not say what to do: %s %v", p.line, text, err)
		}
	}
	applying := o.open(apply) // three replicas, of two servers
	applying.awaits("waiting up to 4m0s for NATS")
	o.startServer(3)
	await(t, "applying", func() error {
		select {
		case err := <-applying.ended:
			applying.ended <- err
			return err
		default:
			return errors.New("still runs")
		}
	})
	for i := range all {
		o.awaitReady(i)
	}
	o.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
}

// TestDevCluster: one command runs it all from the same files, and ends it all.
func TestDevCluster(t *testing.T) {
	o := newOperator(t)
	o.initialise()
	dev := o.open("frostctl dev . --cluster")
	dev.awaits("the fleet is ready")
	o.run("frostctl keygen --config client.toml --chain bitcoin --count 1")
	dev.stop(syscall.SIGTERM)
	o.startServer(1).awaits("Server is ready") // nobody has its port or its store
}
