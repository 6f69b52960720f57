package httpapi

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/frostfleet/frostfleet/internal/protocol"
)

var _ = resource((*Server).addFleet)

func (s *Server) addFleet() {
	register(s, operation{
		id: "getFleet", method: http.MethodGet, path: "/v1/fleet", tag: "Fleet", scopes: []Scope{Read},
		summary: "Show the fleet",
		text:    "The fleet as this gateway sees it: who it is, which nodes and gateways it hears, and what keys move where.",
	}, s.getFleet)
}

// FleetView is the fleet as one gateway sees it.
type FleetView struct {
	Fleet     string    `json:"fleet"`
	Network   string    `json:"network" enum:"mainnet,testnet,signet,regtest"`
	Manifest  string    `json:"manifest" pattern:"^[0-9a-f]{64}$" doc:"Hash of the manifest under which keys are generated"`
	N         int       `json:"n" minimum:"1" doc:"Nodes"`
	T         int       `json:"t" minimum:"1" doc:"Nodes that it takes to sign"`
	Epochs    []int     `json:"epochs" doc:"Of the manifests whose nodes have keys, or will"`
	Version   string    `json:"version" doc:"Of this gateway"`
	Ready     bool      `json:"ready" doc:"This gateway answers for everything"`
	Reason    string    `json:"reason,omitempty" doc:"Why it does not"`
	Gateways  []string  `json:"gateways" doc:"That this one hears, itself included"`
	Nodes     []Node    `json:"nodes"`
	Demand    Demand    `json:"demand"`
	Resharing Resharing `json:"resharing"`
	Freezes   int       `json:"freezes" minimum:"0" doc:"In force: GET /v1/freezes has them"`
}

// Node is a node as this gateway hears it. What its heartbeat says is its own word.
type Node struct {
	Index      int        `json:"index" minimum:"0" doc:"In its manifest"`
	Generation int        `json:"generation" minimum:"0" doc:"Epoch of its manifest"`
	Name       string     `json:"name"`
	Present    bool       `json:"present" doc:"It is heard, or answers"`
	Since      *time.Time `json:"since,omitempty" doc:"When it was heard last"`
	Lag        *float64   `json:"lag,omitempty" minimum:"0" doc:"Seconds since then"`
	Host       string     `json:"host,omitempty" doc:"Name of its machine"`
	Version    string     `json:"version,omitempty"`
	Load       int        `json:"load" minimum:"0" doc:"Sessions and batches in work"`
	Backlog    int        `json:"backlog" minimum:"0" doc:"Computations that wait"`
	Policy     string     `json:"policy,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Hash of its policy; missing: it has none"`
	Holdings   string     `json:"holdings,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Root over the batches that it holds; those of two nodes that hold the same are equal"`
	Device     *Device    `json:"device,omitempty" doc:"Of its key provider; missing: it does not tell"`
	Foreign    bool       `json:"foreign,omitempty" doc:"Something claims another manifest in its name"`
	Twins      int        `json:"twins,omitempty" minimum:"0" doc:"Processes of it that ended, as another one ran"`
}

// Device is what a node says of its device, since its process started.
type Device struct {
	Kind     string  `json:"kind" doc:"Of the key provider, as in the node's file"`
	Calls    uint64  `json:"calls" minimum:"0" doc:"Failed ones too"`
	CostUSD  float64 `json:"cost_usd" minimum:"0" doc:"Price of these calls by the node's price list, in US dollars"`
	MonthUSD float64 `json:"month_usd" minimum:"0" doc:"Price of a month that is like the last hour: calls and keys"`
}

// Demand is what waits at this gateway.
type Demand struct {
	Queued  int     `json:"queued" minimum:"0" doc:"Sign jobs that wait for their turn"`
	Longest float64 `json:"longest" minimum:"0" doc:"Seconds that the oldest of them waits"`
}

// Resharing is how far keys have moved to another manifest's nodes.
type Resharing struct {
	From     string `json:"from,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Hash of the oldest manifest that has keys"`
	To       string `json:"to,omitempty" pattern:"^[0-9a-f]{64}$" doc:"Hash of the manifest that they move to; missing: to none"`
	Done     int    `json:"done" minimum:"0" doc:"Keys that are there"`
	Total    int    `json:"total" minimum:"0" doc:"Keys in all"`
	InFlight int    `json:"in_flight" minimum:"0" doc:"Batches that this gateway moves now"`
	Paused   bool   `json:"paused"`
	Blocked  string `json:"blocked,omitempty" doc:"Why no other one is begun"`
}

// FleetOutput is the answer.
type FleetOutput struct{ Body FleetView }

func (s *Server) getFleet(context.Context, *struct{}) (*FleetOutput, error) {
	m, all := s.cfg.Manifest, s.cfg.Fleet.Manifests()
	if len(all) > 0 {
		m = all[len(all)-1].Manifest
	}
	hash := m.Hash()
	d := s.cfg.Fleet.Demand()
	v := FleetView{
		Fleet: m.Fleet, Network: m.Network, Manifest: hex.EncodeToString(hash[:]), N: m.N, T: m.T, Epochs: []int{},
		Version: s.cfg.Version, Gateways: append([]string{}, s.cfg.Fleet.Heard()...), Nodes: []Node{},
		Demand: Demand{d.Queued, d.Longest.Seconds()}, Resharing: resharing(s.cfg.Fleet.Resharing(), all),
		Freezes: len(s.cfg.Fleet.Frozen().All()),
	}
	if err := s.Ready(); err != nil {
		v.Reason = err.Error()
	}
	v.Ready = v.Reason == ""
	for _, of := range all {
		v.Epochs = append(v.Epochs, of.Manifest.Epoch)
		for i, n := range of.Nodes {
			v.Nodes = append(v.Nodes, node(i, of.Manifest.Epoch, n, s.cfg.Now()))
		}
	}
	return &FleetOutput{v}, nil
}

func node(index, epoch int, n protocol.NodePresence, now time.Time) Node {
	v := Node{Index: index, Generation: epoch, Name: fmt.Sprintf("worker-%d", index), Present: n.Present,
		Foreign: n.Foreign, Twins: n.Twins}
	if !n.Heard.IsZero() {
		heard := n.Heard.UTC()
		lag := max(now.Sub(heard), 0).Seconds()
		v.Since, v.Lag = &heard, &lag
	}
	if h := n.Last; h != nil {
		v.Host, v.Version, v.Load, v.Backlog = h.Host, h.Build, int(h.InFlight), int(h.Backlog)
		v.Policy, v.Holdings = hashOrNone(h.Policy), hashOrNone(h.Holdings)
		if d := h.Device; d.Kind != "" {
			const micro = 1e6
			v.Device = &Device{d.Kind, d.Calls, float64(d.Cost) / micro, float64(d.Month) / micro}
		}
	}
	return v
}

func resharing(r protocol.Resharing, all []protocol.ManifestNodes) Resharing {
	v := Resharing{To: hashOrNone(r.Manifest), Done: r.Moved, Total: r.Moved + r.Left, InFlight: r.InFlight,
		Blocked: r.Blocked}
	if v.To == "" {
		return v
	}
	v.Paused = !r.Run
	for _, of := range all {
		if of.Batches > 0 {
			hash := of.Manifest.Hash()
			v.From = hex.EncodeToString(hash[:])
			break
		}
	}
	return v
}

func hashOrNone(hash [32]byte) string {
	if hash == [32]byte{} {
		return ""
	}
	return hex.EncodeToString(hash[:])
}
