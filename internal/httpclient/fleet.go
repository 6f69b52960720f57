package httpclient

import (
	"context"
	"time"
)

// Fleet is the fleet as one gateway sees it.
type Fleet struct {
	Fleet     string   `json:"fleet"`
	Network   string   `json:"network"`
	Manifest  string   `json:"manifest"` // hash of the one under which keys are generated
	N         int      `json:"n"`
	T         int      `json:"t"`
	Epochs    []int    `json:"epochs"` // of the manifests whose nodes have keys, or will
	Version   string   `json:"version"`
	Ready     bool     `json:"ready"`
	Reason    string   `json:"reason,omitempty"` // why it is not
	Gateways  []string `json:"gateways"`
	Nodes     []Node   `json:"nodes"`
	Demand    Demand   `json:"demand"`
	Resharing Move     `json:"resharing"`
	Freezes   int      `json:"freezes"`
}

// Node is a node as a gateway hears it.
type Node struct {
	Index      int       `json:"index"`
	Generation int       `json:"generation"` // epoch of its manifest
	Name       string    `json:"name"`
	Present    bool      `json:"present"`
	Since      time.Time `json:"since,omitzero"` // when it was heard last
	Lag        float64   `json:"lag,omitempty"`  // seconds since then
	Host       string    `json:"host,omitempty"`
	Version    string    `json:"version,omitempty"`
	Load       int       `json:"load"`             // sessions and batches in work
	Backlog    int       `json:"backlog"`          // computations that wait
	Policy     string    `json:"policy,omitempty"` // hash; empty: it has none
	Holdings   string    `json:"holdings,omitempty"`
	Device     *Device   `json:"device,omitempty"`
	Foreign    bool      `json:"foreign,omitempty"` // something claims another manifest in its name
	Twins      int       `json:"twins,omitempty"`   // processes of it that ended, as another one ran
}

// Device is what a node says of its key provider's device, since its process started.
type Device struct {
	Kind     string  `json:"kind"`
	Calls    uint64  `json:"calls"`
	CostUSD  float64 `json:"cost_usd"`
	MonthUSD float64 `json:"month_usd"` // of a month like the last hour
}

// Demand is what waits at a gateway.
type Demand struct {
	Queued  int     `json:"queued"`  // sign jobs
	Longest float64 `json:"longest"` // seconds that the oldest waits
}

// Move is how far keys have moved to another manifest's nodes.
type Move struct {
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"` // empty: nowhere
	Done     int    `json:"done"`         // keys
	Total    int    `json:"total"`
	InFlight int    `json:"in_flight"` // batches
	Paused   bool   `json:"paused"`
	Blocked  string `json:"blocked,omitempty"`
}

// Present is how many nodes of the newest manifest are there.
func (f *Fleet) Present() (n int) {
	newest := 0
	for _, node := range f.Nodes {
		newest = max(newest, node.Generation)
	}
	for _, node := range f.Nodes {
		if node.Present && node.Generation == newest {
			n++
		}
	}
	return n
}

// Fleet asks how the fleet is.
func (c *Client) Fleet(ctx context.Context) (f Fleet, err error) {
	err = c.get(ctx, "/v1/fleet", nil, &f)
	return f, err
}
