package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/frostfleet/frostfleet/internal/fleet"
	"github.com/frostfleet/frostfleet/internal/wire"
	"github.com/frostfleet/frostfleet/internal/worker"
)

// acceptance is what an operator approves, as it is printed.
type acceptance struct {
	fleet.Difference
	Node   int  `json:"node"`              // of the manifest before: this one
	As     *int `json:"as_node,omitempty"` // this device's in the next manifest; none, or not asked: left out
	Leaves bool `json:"leaves,omitempty"`  // this device has no node in it
	New    int  `json:"new_nodes"`         // nodes with identities that the manifest before does not have
	Forced bool `json:"forced"`            //
	Dealt  bool `json:"dealt,omitempty"`   // shares were dealt to it
}

// Places of a device in a manifest that are no index.
const (
	noPlace      = -1
	unknownPlace = -2 // nobody asked the device
)

func newAcceptance(at worker.Acceptance, next *wire.Manifest, place int, forced bool) acceptance {
	a := acceptance{
		Difference: fleet.Compare(at.Manifest, next), Node: at.Index, Leaves: place == noPlace, Forced: forced, Dealt: at.Dealt,
	}
	if place >= 0 {
		a.As = &place
	}
	for _, node := range next.Nodes {
		if !slices.ContainsFunc(at.Manifest.Nodes, func(b wire.NodeCard) bool { return bytes.Equal(b.Identity, node.Identity) }) {
			a.New++
		}
	}
	return a
}

// lines are an acceptance as people read it.
func (a *acceptance) lines() []string {
	lines := a.Difference.Lines()
	before, after := a.Before, a.After
	lines = append(lines, fmt.Sprintf("from then on any %d of the %d nodes together sign, and hold every key between them", after.T,
		after.N))
	if after.T < before.T {
		lines = append(lines, fmt.Sprintf("WARNING: t falls from %d to %d: fewer nodes are enough then", before.T, after.T))
	}
	if a.New >= after.T {
		lines = append(lines, fmt.Sprintf("WARNING: %d nodes are new, and they alone can sign then: be sure of whom they are",
			a.New))
	}
	if before.AttestSigning && !after.AttestSigning {
		lines = append(lines, "WARNING: a node whose memory is read can then be made to sign without its device")
	}
	switch {
	case a.Leaves:
		lines = append(lines, fmt.Sprintf("this node, %d, has no place in it: it deals its shares, and is retired then", a.Node))
	case a.As != nil && *a.As == a.Node:
		lines = append(lines, fmt.Sprintf("this node stays node %d", a.Node))
	case a.As != nil:
		lines = append(lines, fmt.Sprintf("this node, %d, becomes node %d: it needs that node's NATS credentials too", a.Node, *a.As))
	}
	if a.Forced {
		lines = append(lines, fmt.Sprintf("FORCED: at least %d forced approvals are enough. Two manifests that have so many stop "+
			"the fleet", before.T))
	}
	if a.Dealt {
		lines = append(lines, "this node has dealt shares to it: the approval can't be taken back")
	}
	return lines
}

// spaced is a hash in groups, to be read aloud.
func spaced(hash [32]byte) string {
	var groups []string
	for i := 0; i < len(hash); i += 4 {
		groups = append(groups, hex.EncodeToString(hash[i:i+4]))
	}
	return strings.Join(groups, " ")
}
