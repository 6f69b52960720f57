// Package monitor runs a whole fleet of real processes under light load, with a
// real Prometheus that scrapes it and runs the fleet's rules, and breaks it on
// request. The tests ask whether each trouble fires its alert and no other;
// `make monitoring` is the same for people to look at.
//
// Nobody wants to wait five minutes for an alert, so Prometheus's times can be
// divided (Faster). The fleet's own are not: what waits a minute in a worker
// waits a minute.
package monitor

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/test/fleettest"
	"github.com/frostfleet/frostfleet/test/kmstest"
)

// The stand's fleet: 2 of 4, so that one node can be missed and there is still
// one to spare.
const (
	Nodes     = 4
	Threshold = 2
)

// Options of a stand.
type Options struct {
	Configs string // the folder configs/prometheus
	Faster  int    // Prometheus's times are divided by this; 1 if 0
	Port    int    // of Prometheus; 0: any that is free
	Load    Load
}

// Stand is a fleet with its Prometheus.
type Stand struct {
	*fleettest.Processes
	Prometheus *Prometheus

	t    fleettest.T
	kms  *kmstest.FaultKMS
	load Load
	users
	js jetstream.JetStream // the administrator's

	mu   sync.Mutex
	keys [Nodes][]string       // the nodes' keys in KMS
	ill  [Nodes]*kmstest.Fault // what is wrong with them; nil: nothing
	dead map[string]bool       // programs that Kill ended
	full string                // the stream that Full filled; or none
}

// Start runs a stand until the test ends. All is well when it returns, and the
// load is on.
func Start(t fleettest.T, o Options) *Stand {
	t.Helper()
	kmstest.Setenv(t)
	s := &Stand{t: t, kms: kmstest.StartFaultKMS(t), load: o.Load.withDefaults(), dead: map[string]bool{}}
	s.Processes = fleettest.StartProcesses(t, fleettest.Options{N: Nodes, T: Threshold, Providers: s.providers()})
	s.AwaitReady()
	s.connect()
	s.startLoad()
	s.Prometheus = StartPrometheus(t, PrometheusOptions{
		Configs: o.Configs, Targets: s.targets(), Faster: max(o.Faster, 1), Port: o.Port,
	})
	return s
}

// providers makes every node's keys in KMS, and gives the section of its file.
func (s *Stand) providers() map[int]string {
	sections := map[int]string{}
	for i := range Nodes {
		identity, derivation := s.kms.CreateKey(kmstest.Identity), s.kms.CreateKey(kmstest.Derivation)
		s.keys[i] = []string{identity, derivation}
		sections[i] = fmt.Sprintf(
			"type = \"aws-kms\"\nkey_id = %q\nderivation_key_id = %q\nendpoint = %q\n",
			identity,
			derivation,
			s.kms.Endpoint(),
		)
	}
	s.Well()
	return sections
}

// connect gives the stand the rights of the bus's administrator.
func (s *Stand) connect() {
	s.t.Helper()
	conn, err := nats.Connect(s.URL, nats.Name("administrator"), nats.MaxReconnects(-1))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(conn.Close)
	if s.js, err = jetstream.New(conn); err != nil {
		s.t.Fatal(err)
	}
}

// targets is the file that tells Prometheus whom to ask.
func (s *Stand) targets() string {
	return filepath.Join(s.Dir, fleet.TargetsFile)
}
